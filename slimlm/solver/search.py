"""Exact search for the dimensions nearest to a request among all that meet its total within ±0.5 %.

The total is what the request's budget counts (`slimlm.core.budget`), in parameters.

A design is (d_model, d_ff, n_layers). Four facts make an exact search fast:

* For one width, the total is linear in d_ff and in n_layers. The feasible d_ff of each depth therefore form an
  interval, which moves down as the depth goes up.
* The cost of a width and those intervals are monotone on either side of the target width. The ends of a range of
  widths therefore give a lower bound of the cost within the range.
* The range with the lowest bound is halved first. The search ends when no bound is below the best design found.
* Where a design is likely to be the best, or nearly so, can be guessed (`SearchSpace._wanted_width`). Most ranges on
  either side of it then need not be halved.

With n_heads="auto" every width allows a few numbers of heads. The parameters of a layer then depend on head_dim, and
the lower bound uses the cheaper end of the range of head_dim.

The work is bounded for every request, in one of two ways:

* At the narrowest width, the steps of d_ff are fine enough that some total is accepted. The search then has a design
  from the start, and ends after `MOST_WORK` at the latest. It becomes coarser after thousands of ranges
  (`SearchSpace.finest`), which only searches among many millions of widths reach.
* They are not. Every feasible model then has at most about 200 times the n_layers · d_model · d_ff of the smallest, so
  that the few feasible widths can all be examined.
"""

import heapq
import math
from collections.abc import Iterator

from slimlm.core.architecture import Architecture, ModelDims
from slimlm.core.config import ModelConfig
from slimlm.solver.bounds import ABOVE, BELOW, ROUNDING, least_cost
from slimlm.solver.space import DesignSpace
from slimlm.solver.width import Best, narrowest
from slimlm.solver.width_counts import Counts

MOST_WORK = 16_000
"""Most ranges and widths that a search examines once it has a design."""

_FINEST_AT_START = -62
"""Logarithm (base 2) of `SearchSpace.finest` at the start.

Widths are below 2**50, because a total is at most 10**15. No range of two widths is therefore that fine.
"""

_NEAR = 16
"""Widths on either side of the wanted one that are tried first."""

_FEW_WIDTHS = 4
"""Widths that are examined one by one: bounds of their halves take longer."""

_CLOSE = 0.002
"""Relative precision of the first width."""

_WORK_PER_DOUBLING = 128
"""Ranges and widths after which `SearchSpace.finest` doubles.

It reaches 2**-20 after 5,376, so that a search among a million widths is exact until then. It reaches 1 after 7,936,
half of `MOST_WORK`: from then on every range is judged by its ends.
"""


def to_architecture(config: ModelConfig, best: Best) -> Architecture:
    """Return the architecture of a design that was found, with the fixed choices of the request."""
    return Architecture.of(config, ModelDims(best.d_model, best.d_ff, best.n_layers), best.n_heads)


def smallest(config: ModelConfig) -> Architecture | None:
    """Return the smallest architecture with a request's fixed choices; None when no width suits them.

    It is the narrowest one, with the narrowest heads. A wider model with narrower heads saves less on keys and values
    than its other matrices cost.
    """
    found = narrowest(config)
    if not found:
        return None
    n_layers = max(config.n_layers or 1, config.n_dense_layers + 1)
    return Architecture.of(config, ModelDims(found[0], config.multiple_of, n_layers), found[1])


class SearchSpace(DesignSpace):
    """All designs allowed by a request, to be searched for the nearest."""

    def has_design(self) -> bool:
        """Return whether some design meets the total, without looking for the best."""
        return self.nearest(any_will_do=True) is not None

    def nearest(self, *, any_will_do: bool = False) -> Best | None:
        """Return the best design, or the first that is found if any will do; None when nothing meets the total."""
        if self.min_width > self.max_width:
            return None
        best = next(filter(None, (self.nearest_at(x, None) for x in self._first_widths())), None)
        ranges = self._first_ranges(best)
        while ranges:
            bound, first, last = heapq.heappop(ranges)
            if best is not None and (any_will_do or bound > best.cost or self.work >= MOST_WORK):
                break
            if last - first < _FEW_WIDTHS or (best is not None and last - first <= self.finest() * first):
                for x in range(first, last + 1) if last - first < _FEW_WIDTHS else (first, last):
                    best = self.nearest_at(x, best)
                continue
            middle, enough = self._parting(first, last, best), best.cost if best else math.inf
            for half in ((first, middle), (middle + 1, last)):
                if (half_bound := self.bound(*half, enough)) <= enough and half_bound < math.inf:
                    heapq.heappush(ranges, (half_bound, *half))
        return best

    def _first_ranges(self, best: Best | None) -> list[tuple[float, int, int]]:
        """Return the ranges of widths to search: those on either side of a design."""
        first, last = self._useful_widths(best)
        if best is None:
            return [(0.0, first, last)]
        x = best.d_model // self.width_grain
        ranges = [(self.bound(a, b, best.cost), a, b) for a, b in ((first, x - 1), (x + 1, last)) if a <= b]
        heapq.heapify(ranges)
        return ranges

    def _parting(self, first: int, last: int, best: Best | None) -> int:
        """Return where to divide a range: in its middle, or nearer to a design that is close to one of its ends."""
        middle = (first + last) // 2
        if best is None:
            return middle
        x = best.d_model // self.width_grain
        if first <= x <= last:
            return middle
        return min(middle, 2 * first - x) if x < first else max(middle, 2 * last - x)

    def _first_widths(self) -> Iterator[int]:
        """Yield widths to try first, for a good design at once: those at the target; then the narrowest."""
        wanted = min(max(round(self._wanted_width() / self.width_grain), self.min_width), self.max_width)
        yield wanted
        if self.auto:  # most widths allow no heads
            for step in range(1, _NEAR + 1):
                yield from (x for x in (wanted - step, wanted + step) if self.min_width <= x <= self.max_width)
        yield self.min_width

    def _wanted_width(self) -> float:
        """Return about the d_model at which the misses of embedding ratio and expansion cost least.

        It is the target where some depth has the asked expansion there. Otherwise the shallowest (or the pinned) depth
        is nearest, whose u² + v² (see `bound`) falls and rises again with the width.
        """
        target, widest = self.target_width - math.log(self.width_grain), math.log(self.max_width)
        if self.max_layers > self.min_layers and target < widest:
            counts = self.counts.narrow_at(math.exp(target))
            if counts.fixed + self.min_layers * counts.target_layer <= self.target:
                return math.exp(self.target_width)
        counts = self.counts.narrow_at(self.max_width)
        # About where v is 0, as if all parameters were in matrices of d_model².
        balanced = widest - math.log(counts.target_layer / (counts.layer + counts.slope)) / 2 - _CLOSE
        low, high = max(math.log(self.min_width), min(target, balanced)), widest
        close = max(_CLOSE, 1 / self.max_width)
        while high - low > close:
            middle = (low + high) / 2
            low, high = (low, middle) if self._rises(middle, target) else (middle, high)
        return self.width_grain * math.exp(low)

    def _rises(self, log_x: float, target: float) -> bool:
        """Return whether u² + v² of the shallowest depth rises at a width: whether u + v · dv/dt > 0."""
        counts, n_layers = self.counts.narrow_at(math.exp(log_x)), self.min_layers
        grains = counts.grains(n_layers, self.high)
        if grains > counts.target:  # too many at the other end of the total, if at all
            grains = max(counts.target, counts.grains(n_layers, self.low))
        if grains <= 0:
            return True
        return log_x - target + counts.expansion(grains) * self.counts.rise(counts, n_layers, grains) > 0

    def _useful_widths(self, best: Best | None) -> tuple[int, int]:
        """Return the ends of the widths whose own miss costs no more than a design."""
        if best is None:
            return self.min_width, self.max_width
        reach = math.sqrt(best.cost) + ROUNDING
        first = math.ceil(math.exp(self.target_width - reach) / self.width_grain)
        last = math.floor(math.exp(self.target_width + reach) / self.width_grain)
        return max(self.min_width, first), min(self.max_width, last)

    def finest(self) -> float:
        """Return the relative length up to which a range is judged by its two ends instead of being halved."""
        return math.exp2(self.work / _WORK_PER_DOUBLING + _FINEST_AT_START)

    def bound(self, first: int, last: int, enough: float = math.inf) -> float:
        """Return a lower bound of the cost of all designs with a width in first..last; inf when there are none.

        One above `enough` need not be the highest.

        Let t = ln(d_model), u = t − t* with t* the target width, and v(t) = ln(expansion / target expansion) of the
        model of a given depth at the low (or high) end of the total. The cost is u² + v². v is the logarithm of a
        constant minus polynomials in eᵗ with coefficients ≥ 0. It is therefore concave in t: v lies above its chord,
        and −v lies above a tangent. Both give |v| ≥ a line, and the minimum of u² plus a squared line has a
        closed form. A second line follows from d_ff being whole: d_ff is at least (or at most) the whole number at the
        end of the range with the most room.
        """
        self.work += 1
        # At the narrow end, a layer of the target expansion is smallest and the room for layers largest. With more than
        # `deepest` layers, every width in first..last has too small an expansion; with fewer than `shallowest`, too
        # large a one. When no depth lies between the two, the next depth on either side has the lowest cost.
        narrow = self.counts.narrow(first)
        if self.high <= narrow.fixed:
            return math.inf
        deepest = math.floor((self.high - narrow.fixed) / narrow.target_layer * ABOVE)
        of_fewer = math.inf
        if deepest >= self.min_layers:
            wide, target = self.counts.wide(last), self.target_width
            shallowest = math.ceil((self.low - wide.fixed) / wide.target_layer * BELOW)
            if max(shallowest, self.min_layers) <= min(deepest, self.max_layers):
                return max(0.0, abs(min(max(target, narrow.log_width), wide.log_width) - target) - ROUNDING) ** 2
            of_fewer = self._bound_of_fewer(narrow, wide, min(shallowest - 1, self.max_layers), enough)
        return min(of_fewer, self._bound_of_more(narrow, last, max(deepest + 1, self.min_layers), enough))

    def _bound_of_fewer(self, narrow: Counts, wide: Counts, n_layers: int, enough: float) -> float:
        """Return the bound of a depth, and of shallower models, at which the expansion is too large at every width."""
        if n_layers < self.min_layers:
            return math.inf
        low, high, room = narrow.log_width, wide.log_width, wide.grains(n_layers, self.low)
        whole = narrow.expansion(max(1, math.ceil(room * BELOW)))
        bound = least_cost(self.target_width, low, high, whole, low - high)
        if bound > enough:
            return bound
        start = self.counts.at(narrow.x, wide.layers).expansion_at(n_layers, self.low)
        return max(bound, least_cost(self.target_width, low, high, start, wide.expansion(room) - start))

    def _bound_of_more(self, narrow: Counts, last: int, n_layers: int, enough: float) -> float:
        """Return the bound of a depth, and of deeper models, at which the expansion is too small at every width."""
        room, target, low = narrow.grains(n_layers, self.high), self.target_width, narrow.log_width
        if n_layers > self.max_layers or room * ABOVE < 1:
            return math.inf
        length = math.log(last / narrow.x)
        bound = least_cost(target, low, low + length, -narrow.expansion(math.floor(room * ABOVE)), length)
        if bound > enough:
            return bound
        miss, rise = -narrow.expansion(room), -self.counts.rise(narrow, n_layers, room)
        if low - target + miss * rise < 0:  # the cost falls at the narrow end, so that a tangent there would be low
            wide = self.counts.at(last, narrow.layers)
            if (room := wide.grains(n_layers, self.high)) > 0:
                rise = -self.counts.rise(wide, n_layers, room)
                miss = -wide.expansion(room) - rise * length
        return max(bound, least_cost(target, low, low + length, miss, rise * length))

    def nearest_at(self, x: int, best: Best | None) -> Best | None:
        """Return the better of a design found before, if any, and the best of width x."""
        for level in self.levels(x):
            if best is not None and level.least_cost() > best.cost:
                break  # those of larger layers cost no less
            for f in level.nearest_grains():
                cost = level.cost(f)
                if best is None or cost <= best.cost:
                    found = level.best(f, *level.depth(f), cost)
                    best = found if best is None else min(best, found)
        return best
