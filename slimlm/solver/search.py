"""Exact search for the dimensions nearest to a request among all that meet its total within ±0.5 %.

The total is what the request's budget counts (`slimlm.core.budget`), in parameters.

A design is (d_model, d_ff, n_layers). Three facts make an exact search fast:

* For one width, the total is linear in d_ff and in n_layers. The feasible d_ff of each depth therefore form an
  interval, which moves down as the depth goes up.
* The cost of a width and those intervals are monotone on either side of the target width. The ends of a range of
  widths therefore give a lower bound of the cost within the range.
* The range with the lowest bound is halved first. The search ends when no bound is below the best design found.

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

from slimlm.core.architecture import AUTO_HEAD_DIMS, MOST_HEADS, PREFERRED_HEAD_DIM, Architecture, ModelDims
from slimlm.core.budget import target_params, target_table_params, window
from slimlm.core.config import ModelConfig
from slimlm.core.design import ratio_cost
from slimlm.solver.bounds import ABOVE, BELOW, ROUNDING, Counts, larger_of_two
from slimlm.solver.polynomial import (
    Polynomial,
    Quadratic,
    evaluate,
    largest_step,
    parameter_polynomials,
    real_polynomial,
    real_value,
)
from slimlm.solver.width import AUTO_WIDEST, Best, Level, Scope, auto_heads, narrowest, width_grain

MOST_WORK = 16_000
"""Most ranges and widths that a search examines once it has a design."""

_FINEST_AT_START = -62
"""Logarithm (base 2) of `SearchSpace.finest` at the start.

Widths are below 2**50, because a total is at most 10**15. No range of two widths is therefore that fine.
"""

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


class SearchSpace:
    """All designs allowed by a request. Widths are counted in grains: d_model = width_grain·x, d_ff = grain·f."""

    def __init__(self, config: ModelConfig) -> None:
        self.config, self.grain = config, config.multiple_of
        self.auto = config.n_heads == "auto"
        self.width_grain = width_grain(config)
        self.params = parameter_polynomials(config.choices, self.width_grain, self.grain, config.budget)
        self._fixed, self._light, self._slope, self._heavy = map(real_polynomial, self.params)
        self._target_grains = config.glu_expansion * self.width_grain / self.grain
        self._counts: dict[float, Counts] = {}
        self.target, (self.low, self.high) = target_params(config), window(config)
        # Depths are counted without the dense first layers of a mixture.
        self.min_layers = config.n_layers - config.n_dense_layers if config.n_layers else 1
        self.max_layers = self.min_layers if config.n_layers else 2 * self.high
        self.scope = Scope(config, self.target, self.low, self.high, self.min_layers, self.max_layers)
        self.target_width = self._target_width()
        widest = min(AUTO_WIDEST, self.high) if self.auto else self.high
        self.max_width = min(widest // self.width_grain, largest_step(self._smallest_totals(), self.high))
        first = narrowest(config)
        self.min_width = first[0] // self.width_grain if first else self.max_width + 1
        self.work = 0
        """Ranges and widths examined so far; a width counts once for each parameter count that its layers can have."""

    def _target_width(self) -> float:
        """Return ln(d_model) at the target embedding ratio."""
        tables = self.config.vocabulary_tables * self.config.vocab_size
        return math.log(target_table_params(self.config) / tables)

    def _smallest_totals(self) -> Quadratic:
        """Return a lower bound of the total at a width; exact unless the solver chooses the heads."""
        value, first, second = (
            fixed + self.min_layers * (layer + slope)
            for fixed, layer, slope in zip(self.params.fixed, self.params.layer, self.params.slope, strict=True)
        )
        return value, first, second

    def levels(self, x: int) -> Iterator[Level]:
        """Yield the designs of width x, grouped by the parameters of a layer without its feed-forward."""
        d_model, fixed, slope = self.width_grain * x, evaluate(self.params.fixed, x), evaluate(self.params.slope, x)
        width_cost = self._width_cost(d_model)
        for layer, (head_miss, n_heads) in self._layer_counts(x).items():
            # Other heads change the dense first layers, which are part of `fixed`, as much as the others.
            own = fixed + self.config.n_dense_layers * (layer - evaluate(self.params.layer, x))
            yield Level(self.scope, d_model, own, layer, slope, head_miss, n_heads, width_cost)

    def _width_cost(self, d_model: int) -> float:
        """Return what a width costs at every depth."""
        return ratio_cost(self.config, d_model)

    def _layer_counts(self, x: int) -> dict[int, tuple[float, int]]:
        """Return the possible parameters of a layer without its feed-forward, each with the preferred heads."""
        light = evaluate(self.params.layer, x)
        if self.config.n_heads != "auto":
            self.work += 1
            return {light: (0.0, self.config.n_heads)}
        heavy, span = evaluate(self.params.widest_layer, x), AUTO_HEAD_DIMS[-1] - AUTO_HEAD_DIMS[0]
        preferred = self.config.head_dim or PREFERRED_HEAD_DIM
        found: dict[int, tuple[float, int]] = {}
        for head_dim, n_heads in auto_heads(self.width_grain * x, self.config.n_kv_heads):
            layer = light + (heavy - light) * (head_dim - AUTO_HEAD_DIMS[0]) // span
            head = abs(math.log(head_dim / preferred)), n_heads
            found[layer] = min(found.get(layer, head), head)
        self.work += max(1, len(found))
        return found

    def nearest_totals(self) -> tuple[int, ...]:
        """Return the totals nearest to an unreachable window: the largest below it, if any, and the smallest above."""
        below, above = 0, math.inf
        for x in range(self.min_width, self._first_beyond() + 1):
            for level in self.levels(x):
                lower, higher = level.nearest_totals()
                below, above = max(below, lower), min(above, higher)
        return tuple(int(total) for total in (below, above) if 0 < total < math.inf)

    def _first_beyond(self) -> int:
        """Return the first allowed width beyond the widest that may fit."""
        x = max(self.max_width + 1, self.min_width)
        while self.auto and self.width_grain * x <= AUTO_WIDEST and not self._layer_counts(x):
            x += 1
        return x

    def has_design(self) -> bool:
        """Return whether some design meets the total, without looking for the best."""
        return self.nearest(any_will_do=True) is not None

    def nearest(self, *, any_will_do: bool = False) -> Best | None:
        """Return the best design, or the first that is found if any will do; None when nothing meets the total."""
        if self.min_width > self.max_width:
            return None
        best: Best | None = None
        for x in self._first_widths():
            best = best or self.nearest_at(x, None)
        ranges = [(0.0, *self._useful_widths(best))]
        while ranges:
            bound, first, last = heapq.heappop(ranges)
            if best is not None and (any_will_do or bound > best.cost or self.work >= MOST_WORK):
                break
            if last - first <= 1 or (best is not None and last - first <= self.finest() * first):
                for x in {first, last}:
                    best = self.nearest_at(x, best)
                continue
            middle = (first + last) // 2
            for half in ((first, middle), (middle + 1, last)):
                half_bound = self.bound(*half)
                if half_bound < math.inf and (best is None or half_bound <= best.cost):
                    heapq.heappush(ranges, (half_bound, *half))
        return best

    def _first_widths(self) -> Iterator[int]:
        """Yield widths to try first, for a good design at once: those at the target; then the narrowest."""
        wanted = math.exp(self.target_width)
        grains = [self.width_grain]
        if self.auto:  # most widths allow no heads; multiples of this one do
            head_dim = self.config.head_dim or PREFERRED_HEAD_DIM
            grains.append(math.lcm(head_dim * (self.config.n_kv_heads or 1), self.grain))
        for grain in grains:
            yield min(max(round(wanted / grain) * grain // self.width_grain, self.min_width), self.max_width)
        yield self.min_width

    def _useful_widths(self, best: Best | None) -> tuple[int, int]:
        """Return the ends of the widths whose own miss costs no more than a design."""
        if best is None:
            return self.min_width, self.max_width
        reach = math.sqrt(best.cost) + ROUNDING
        first, last = (math.exp(self.target_width + miss) / self.width_grain for miss in (-reach, reach))
        return max(self.min_width, math.ceil(first)), min(self.max_width, math.floor(last))

    def finest(self) -> float:
        """Return the relative length up to which a range is judged by its two ends instead of being halved."""
        return math.exp2(self.work / _WORK_PER_DOUBLING + _FINEST_AT_START)

    def bound(self, first: int, last: int) -> float:
        """Return a lower bound of the cost of all designs with a width in first..last; inf when there are none.

        Let t = ln(d_model), u = t − t* with t* the target width, and v(t) = ln(expansion / target expansion) of the
        model of a given depth at the low (or high) end of the total. The cost is u² + v². v is the logarithm of a
        constant minus polynomials in eᵗ with coefficients ≥ 0. It is therefore concave in t: v lies above its chord,
        and −v lies above an extended chord. Both give |v| ≥ a line, and the minimum of u² plus a squared line has a
        closed form. A second line follows from d_ff being whole: d_ff is at least (or at most) the whole number at the
        end of the range with the most room.
        """
        self.work += 1
        # At the narrow end, a layer of the target expansion is smallest and the room for layers largest. With more than
        # `deepest` layers, every width in first..last has too small an expansion; with fewer than `shallowest`, too
        # large a one. When no depth lies between the two, the next depth on either side has the lowest cost.
        light, heavy = self.layer_range(first, last)
        narrow, wide = self.counts(light, first), self.counts(heavy, last)
        if self.high <= narrow.fixed:
            return math.inf
        target, low, high = self.target_width, narrow.log_width, wide.log_width
        deepest = math.floor((self.high - narrow.fixed) / narrow.target_layer() * ABOVE)
        shallowest = math.ceil((self.low - wide.fixed) / wide.target_layer() * BELOW)
        if max(shallowest, self.min_layers) <= min(deepest, self.max_layers):
            return (min(max(target, low), high) - target) ** 2
        bound = math.inf
        if (fewer := min(shallowest - 1, self.max_layers)) >= self.min_layers:
            room = wide.grains(fewer, self.low)
            start = self.counts(heavy, first).expansion_at(fewer, self.low)
            whole = narrow.expansion(max(1, math.ceil(room * BELOW)))
            line = start, wide.expansion(room) - start
            bound = larger_of_two(target, low, high, line, (whole, low - high))
        if (more := max(deepest + 1, self.min_layers)) <= self.max_layers:
            room = narrow.grains(more, self.high)
            if (most := math.floor(room * ABOVE)) >= 1:
                start = -narrow.expansion(room)
                rise = start + self.counts(light, first * first / last).expansion_at(more, self.high)
                whole = -narrow.expansion(most)
                bound = min(bound, larger_of_two(target, low, high, (start, rise), (whole, high - low)))
        return bound

    def layer_range(self, first: int, last: int) -> tuple[Polynomial, Polynomial]:
        """Return the parameters of a layer with the narrowest and the widest head that a range of widths allows."""
        if not self.auto:
            return self._light, self._light
        narrowest = max(AUTO_HEAD_DIMS[0], self.width_grain * first / MOST_HEADS)
        widest = min(AUTO_HEAD_DIMS[-1], self.width_grain * last / (self.config.n_kv_heads or 1))
        return self._layer_of(narrowest), self._layer_of(max(widest, narrowest))

    def _layer_of(self, head_dim: float) -> Polynomial:
        """Return the parameters of a layer with heads of a width that the solver may choose."""
        share = (head_dim - AUTO_HEAD_DIMS[0]) / (AUTO_HEAD_DIMS[-1] - AUTO_HEAD_DIMS[0])
        (a, b, c), (d, e, f) = self._light, self._heavy
        return a + (d - a) * share, b + (e - b) * share, c + (f - c) * share

    def counts(self, layer: Polynomial, x: float) -> Counts:
        """Return the parameters of a width; the heads of `layer` are also those of dense first layers."""
        if self.auto:
            return self._counted(layer, x)
        if x not in self._counts:  # neighbouring ranges have the same ends
            self._counts[x] = self._counted(layer, x)
        return self._counts[x]

    def _counted(self, layer: Polynomial, x: float) -> Counts:
        fixed, own = real_value(self._fixed, x), real_value(layer, x)
        if self.config.n_dense_layers and self.auto:
            fixed += self.config.n_dense_layers * (own - real_value(self._light, x))
        log_width = math.log(self.width_grain * x)
        return Counts(log_width, fixed, own, real_value(self._slope, x), self._target_grains * x)

    def nearest_at(self, x: int, best: Best | None) -> Best | None:
        """Return the better of a design found before, if any, and the best of width x."""
        for level in self.levels(x):
            for f in level.nearest_grains():
                cost = level.cost(f)
                if best is None or cost <= best.cost:
                    found = level.best(f, *level.depth(f), cost)
                    best = found if best is None else min(best, found)
        return best
