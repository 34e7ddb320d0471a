"""The exact search with embedding_ratio="auto": the shape leads, and the embedding ratio follows.

The cost is ln(aspect ratio / law's)² + ln(expansion / asked)². At one width, let L* be the depth with the law's aspect
ratio and L° the depth at which a layer of the asked expansion just meets the total. At a depth L the expansion misses
its target by at least the factor L° / L, since attention and norms take their share of a layer, and the aspect ratio by
L / L*. So no design of that width costs less than ln(L° / L*)² / 2. Dense first layers of a mixture are added to both
depths, which only brings their logarithms nearer to each other. Wider models have a greater L* and a smaller L°:
the ratio falls with the width, and the bound of a range of widths is that of one of its ends. (With a
budget of non-embedding parameters a wider model has a larger total, by which the law's aspect ratio rises more slowly
than the width, so that L* still rises with it.)

Depths are searched alike: with the depth, the aspect ratio and the expansion both fall.
"""

import heapq
import math
from bisect import bisect_left
from collections.abc import Iterator

from slimlm.core.architecture import Architecture
from slimlm.core.budget import total_at
from slimlm.core.config import ModelConfig
from slimlm.core.design import aspect_cost, expansion_cost
from slimlm.core.shape_law import published_aspect_ratio
from slimlm.solver.bounds import BELOW, ROUNDING, least_cost
from slimlm.solver.polynomial import evaluate
from slimlm.solver.search import SearchSpace, to_architecture
from slimlm.solver.width import Best, Level

_LARGEST = 700.0
"""Largest power of e that a float can hold."""

_FEW_DEPTHS = 4
"""Depths that are examined one by one: their bounds take longer."""


class ShapeSearchSpace(SearchSpace):
    """All designs allowed by a request with embedding_ratio="auto"."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        # A budget that counts the vocabulary has the same total, and law, at every width.
        self._law = None if config.budget == "non_embedding" else published_aspect_ratio(self.target)

    def _target_tables(self) -> float:
        return math.nan

    def _wanted_width(self) -> float:
        """Return about the width at which a depth has both the law's aspect ratio and the asked expansion."""
        widths = range(self.min_width, self.max_width + 1)
        return self.width_grain * (self.min_width + bisect_left(widths, 0.0, key=self._depth_excess))

    def _depth_excess(self, x: int) -> float:
        """Return ln(L* / L°) of a width, which rises with it; inf where no depth has the asked expansion."""
        if self.min_layers == self.max_layers:
            return self._law_depth(x) - self._log_depth(self.min_layers)
        counts = self.counts.narrow(x)
        room = self.target - counts.fixed
        return self._law_depth(x) - self._log_depth(room / counts.target_layer) if room > 0 else math.inf

    def _useful_widths(self, best: Best | None) -> tuple[int, int]:
        """Return all widths: how far one is from the targets depends on its depths."""
        return self.min_width, self.max_width

    def _width_cost(self, d_model: int) -> float:
        return 0.0

    def bound(self, first: int, last: int, enough: float = math.inf) -> float:
        """Return a cost that no design with a width in first..last goes below (inf: there is none)."""
        self.work += 1
        if self.high <= evaluate(self.params.fixed, first):
            return math.inf
        if self.min_layers == self.max_layers:
            return self._bound_at_depth(first, last)
        narrow, wide = self.counts.narrow(first), self.counts.wide(last)
        most = self._log_depth((self.high - evaluate(self.params.fixed, first)) / narrow.target_layer)
        room = self.low - wide.fixed
        fewest = self._log_depth(room / wide.target_layer) if room > 0 else -math.inf
        gap = _distance_to_zero(fewest - self._law_depth(last), most - self._law_depth(first))
        return gap * gap / 2 * BELOW

    def _bound_at_depth(self, first: int, last: int) -> float:
        """Return the same for a pinned depth, at which a width has one aspect ratio and nearly one expansion."""
        depth, pinned = self._log_depth(self.min_layers), self.min_layers
        aspect = _distance_to_zero(self._law_depth(first) - depth, self._law_depth(last) - depth)
        largest = self.counts.narrow(first).expansion_at(pinned, self.high)
        if largest == -math.inf:
            return math.inf
        expansion = _distance_to_zero(self.counts.wide(last).expansion_at(pinned, self.low), largest)
        return (aspect * aspect + expansion * expansion) * BELOW

    def _log_depth(self, n_layers: float) -> float:
        """Return the logarithm of a depth, with the dense first layers."""
        return math.log(self.config.n_dense_layers + n_layers)

    def _law_depth(self, x: int) -> float:
        """Return ln(L*) of a width."""
        d_model = x * self.width_grain
        return math.log(d_model / self.law_at(d_model))

    def law_at(self, d_model: int) -> float:
        """Return the law's aspect ratio for the total of a width."""
        return self._law or published_aspect_ratio(total_at(self.config, d_model))

    def nearest_at(self, x: int, best: Best | None) -> Best | None:
        """Return the better of a design found before, if any, and the best of width x."""
        law = self._law_depth(x)
        first, last = self._useful_depths(law, best)
        for level in self.levels(x) if first <= last else ():
            depths, before = _Depths(self, level, law), best
            last = min(last, depths.deepest())  # later levels have larger layers, and are no deeper
            if best is None and first <= last:  # a good design at once leaves few depths to examine
                best = depths.nearest(min(max(depths.of_law(), first), last), None)
                first, last = self._useful_depths(law, best, last)
            best = self._nearest_depth(depths, first, last, best)
            if best is not before:
                first, last = self._useful_depths(law, best, last)
        return best

    def _useful_depths(self, law: float, best: Best | None, most: int | None = None) -> tuple[int, int]:
        """Return the ends of the depths, up to `most`, whose aspect ratio alone costs no more than a design.

        `law` is ln(L*).
        """
        most = self.max_layers if most is None else most
        if best is None:
            return self.min_layers, most
        reach, dense = math.sqrt(best.cost) + ROUNDING, self.config.n_dense_layers
        shallowest = math.ceil(math.exp(law - reach)) - dense
        deepest = math.floor(math.exp(min(law + reach, _LARGEST))) - dense
        return max(self.min_layers, shallowest), min(most, deepest)

    def _nearest_depth(self, depths: "_Depths", first: int, last: int, best: Best | None) -> Best | None:
        """Return the better of a design and the best of a level with a depth in first..last.

        Ranges of depths are halved, that with the lowest bound first.
        """
        ranges = [(0.0, first, last)]
        while ranges:
            bound, first, last = heapq.heappop(ranges)
            if best is not None and bound > best.cost:
                break
            if last - first < _FEW_DEPTHS:
                for n_layers in range(first, last + 1):
                    best = depths.nearest(n_layers, best)
                continue
            middle, enough = (first + last) // 2, math.inf if best is None else best.cost
            for half in ((first, middle), (middle + 1, last)):
                if (half_bound := depths.bound(*half, enough)) <= enough and half_bound < math.inf:
                    heapq.heappush(ranges, (half_bound, *half))
        return best


class _Depths:
    """The depths of one level, of which the law's is L*."""

    def __init__(self, space: ShapeSearchSpace, level: Level, law: float) -> None:
        self.level, self.law, self.aspect_ratio = level, law, space.law_at(level.d_model)
        self.config, self.scope = space.config, level.scope
        self.room_low, self.room_high = space.low - level.fixed, space.high - level.fixed
        self.target = self.config.glu_expansion * level.d_model / self.config.multiple_of
        """The d_ff in grains, whole or not, of the asked expansion."""

    def of_law(self) -> int:
        """Return the whole depth next to L*."""
        return round(math.exp(min(self.law, _LARGEST))) - self.config.n_dense_layers

    def deepest(self) -> int:
        """Return the largest depth that fits the total; at most 0 when none does."""
        return self.room_high // (self.level.layer + self.level.slope)

    def bound(self, first: int, last: int, enough: float) -> float:
        """Return a cost that no design with a depth in first..last goes below; inf when there is none.

        d_ff is whole: far from the law's aspect ratio, where it would be a fraction of one step, the bound of all
        fractions would be too low to leave any depth out. A bound above `enough` need not be the highest.
        """
        grains = self._nearest_grains(first, last)
        if not grains:
            return math.inf
        dense = self.config.n_dense_layers
        low, high = math.log(dense + first), math.log(dense + last)
        aspect = _distance_to_zero(low - self.law, high - self.law)
        expansion = max(0.0, min(abs(math.log(f / self.target)) for f in grains) - ROUNDING)
        bound = (aspect * aspect + expansion * expansion) * BELOW
        if dense or first == last or bound > enough:
            return bound
        return max(bound, *(least_cost(self.law, low, high, *line) for line in self._lines(first, last)), 0.0)

    def _lines(self, first: int, last: int) -> Iterator[tuple[float, float]]:
        """Yield lines below the miss of the expansion, over ln(depth) from first to last: start and rise.

        v(t) = ln(expansion / asked) of the model of the depth eᵗ at one end of the total is the logarithm of a falling
        exponential less a constant, which is concave: see `SearchSpace.bound`. Dense first layers would bend it.
        """
        start, end = (self._miss(self.room_low, n_layers) for n_layers in (first, last))
        if end > -math.inf:
            yield start, end - start
        start, before = (-self._miss(self.room_high, n_layers) for n_layers in (first, first * first / last))
        if start < math.inf:
            yield start, start - before

    def _miss(self, room: int, n_layers: float) -> float:
        """Return ln(expansion / asked) of the model of a depth that fills a room; -inf where there is none."""
        grains = (room / n_layers - self.level.layer) / self.level.slope
        return math.log(grains / self.target) if grains > 0 else -math.inf

    def nearest(self, n_layers: int, best: Best | None) -> Best | None:
        """Return the better of a design and that of a depth with the expansion nearest to the asked one."""
        level, depth = self.level, self.config.n_dense_layers + n_layers
        aspect = aspect_cost(level.d_model / depth, self.aspect_ratio)
        for f in self._nearest_grains(n_layers, n_layers):
            cost = aspect + expansion_cost(self.config, level.d_model, self.config.multiple_of * f)
            if best is None or cost <= best.cost:
                found = level.best(f, n_layers, abs(level.total(f, n_layers) - self.scope.target), cost)
                best = found if best is None else min(best, found)
        return best

    def _nearest_grains(self, first: int, last: int) -> tuple[int, ...]:
        """Return the whole d_ff next to the asked one, among those that a depth in first..last may have."""
        level = self.level
        least = max(1, -(-(-(-self.room_low // last) - level.layer) // level.slope))
        most = (self.room_high // first - level.layer) // level.slope
        if least > most:
            return ()
        below = min(max(math.floor(self.target), least), most)
        return (below, below + 1) if below < min(self.target, most) else (below,)


def _distance_to_zero(low: float, high: float) -> float:
    """Return how far the interval low..high of logarithms is from 0 at least."""
    return max(0.0, low - ROUNDING, -high - ROUNDING)


def search_space(config: ModelConfig) -> SearchSpace:
    """Return the designs allowed by a request, to be searched for the nearest."""
    return ShapeSearchSpace(config) if config.embedding_ratio == "auto" else SearchSpace(config)


def nearest(config: ModelConfig) -> Architecture | None:
    """Return the architecture nearest to a request, or None when none meets its total."""
    best = search_space(config).nearest()
    return best and to_architecture(config, best)
