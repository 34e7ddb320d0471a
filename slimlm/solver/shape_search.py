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
from collections.abc import Iterator

from slimlm.core.architecture import Architecture, ModelDims
from slimlm.core.budget import total_at
from slimlm.core.config import ModelConfig
from slimlm.core.design import distance
from slimlm.core.shape_law import published_aspect_ratio
from slimlm.solver.bounds import BELOW, ROUNDING, least_cost
from slimlm.solver.polynomial import evaluate
from slimlm.solver.search import SearchSpace, to_architecture
from slimlm.solver.width import Best, Level

_LARGEST = 700.0
"""Largest power of e that a float can hold."""


class ShapeSearchSpace(SearchSpace):
    """All designs allowed by a request with embedding_ratio="auto"."""

    def _target_width(self) -> float:
        return math.nan

    def _first_widths(self) -> Iterator[int]:
        yield self.min_width

    def _useful_widths(self, best: Best | None) -> tuple[int, int]:
        """Return all widths: how far one is from the targets depends on its depths."""
        return self.min_width, self.max_width

    def _width_cost(self, d_model: int) -> float:
        return 0.0

    def bound(self, first: int, last: int) -> float:
        """Return a cost that no design with a width in first..last goes below (inf: there is none)."""
        self.work += 1
        if self.high <= evaluate(self.params.fixed, first):
            return math.inf
        if self.min_layers == self.max_layers:
            return self._bound_at_depth(first, last)
        light, heavy = self.layer_range(first, last)
        narrow, wide = self.counts(light, first), self.counts(heavy, last)
        most = self._log_depth((self.high - evaluate(self.params.fixed, first)) / narrow.target_layer())
        room = self.low - wide.fixed
        fewest = self._log_depth(room / wide.target_layer()) if room > 0 else -math.inf
        gap = _distance_to_zero(fewest - self._law_depth(last), most - self._law_depth(first))
        return gap * gap / 2 * BELOW

    def _bound_at_depth(self, first: int, last: int) -> float:
        """Return the same for a pinned depth, at which a width has one aspect ratio and nearly one expansion."""
        light, heavy = self.layer_range(first, last)
        depth, pinned = self._log_depth(self.min_layers), self.min_layers
        aspect = _distance_to_zero(self._law_depth(first) - depth, self._law_depth(last) - depth)
        largest = self.counts(light, first).expansion_at(pinned, self.high)
        if largest == -math.inf:
            return math.inf
        expansion = _distance_to_zero(self.counts(heavy, last).expansion_at(pinned, self.low), largest)
        return (aspect * aspect + expansion * expansion) * BELOW

    def _log_depth(self, n_layers: float) -> float:
        """Return the logarithm of a depth, with the dense first layers."""
        return math.log(self.config.n_dense_layers + n_layers)

    def _law_depth(self, x: int) -> float:
        """Return ln(L*) of a width."""
        d_model = x * self.width_grain
        return math.log(d_model / published_aspect_ratio(total_at(self.config, d_model)))

    def nearest_at(self, x: int, best: Best | None) -> Best | None:
        """Return the better of a design found before, if any, and the best of width x."""
        for level in self.levels(x):
            best = self._nearest_depth(level, x, best)
        return best

    def _nearest_depth(self, level: Level, x: int, best: Best | None) -> Best | None:
        """Return the better of a design and the best of a level.

        Ranges of depths are halved, that with the lowest bound first.
        """
        depths = _Depths(self, level, self._law_depth(x))
        shallowest, deepest = depths.useful(best)
        ranges = [(0.0, shallowest, deepest)] if shallowest <= deepest else []
        while ranges:
            bound, first, last = heapq.heappop(ranges)
            if best is not None and bound > best.cost:
                break
            if first == last:
                best = min((found for found in (best, depths.nearest(first)) if found), default=None)
                continue
            middle = (first + last) // 2
            for half in ((first, middle), (middle + 1, last)):
                half_bound = depths.bound(*half)
                if half_bound < math.inf and (best is None or half_bound <= best.cost):
                    heapq.heappush(ranges, (half_bound, *half))
        return best


class _Depths:
    """The depths of one level, of which the law's is L*."""

    def __init__(self, space: ShapeSearchSpace, level: Level, law: float) -> None:
        self.level, self.law = level, law
        self.config, self.scope = space.config, level.scope
        self.room_low, self.room_high = space.low - level.fixed, space.high - level.fixed
        self.target = self.config.glu_expansion * level.d_model / self.config.multiple_of
        """The d_ff in grains, whole or not, of the asked expansion."""

    def useful(self, best: Best | None) -> tuple[int, int]:
        """Return the ends of the depths that fit the total and whose aspect ratio alone costs no more than a design."""
        smallest = self.level.layer + self.level.slope
        deepest = min(self.scope.max_layers, self.room_high // smallest) if self.room_high > 0 else 0
        if best is None:
            return self.scope.min_layers, deepest
        reach, dense = math.sqrt(best.cost) + ROUNDING, self.config.n_dense_layers
        shallowest = math.floor(math.exp(self.law - reach)) - dense
        deepest = min(deepest, math.ceil(math.exp(min(self.law + reach, _LARGEST))) - dense)
        return max(self.scope.min_layers, shallowest), deepest

    def bound(self, first: int, last: int) -> float:
        """Return a cost that no design with a depth in first..last goes below; inf when there is none.

        d_ff is whole: far from the law's aspect ratio, where it would be a fraction of one step, the bound of all
        fractions would be too low to leave any depth out.
        """
        grains = self._nearest_grains(first, last)
        if not grains:
            return math.inf
        dense = self.config.n_dense_layers
        low, high = math.log(dense + first), math.log(dense + last)
        aspect = _distance_to_zero(low - self.law, high - self.law)
        expansion = min(abs(math.log(f / self.target)) for f in grains)
        bound = (aspect * aspect + expansion * expansion) * BELOW
        if dense or first == last:
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

    def nearest(self, n_layers: int) -> Best | None:
        """Return the design of a depth with the expansion nearest to the asked one."""
        level, depth = self.level, self.config.n_dense_layers + n_layers
        found: list[Best] = []
        for f in self._nearest_grains(n_layers, n_layers):
            cost = distance(self.config, ModelDims(level.d_model, self.config.multiple_of * f, depth))
            found.append(level.best(f, n_layers, abs(level.total(f, n_layers) - self.scope.target), cost))
        return min(found, default=None)

    def _nearest_grains(self, first: int, last: int) -> set[int]:
        """Return the whole d_ff next to the asked one, among those that a depth in first..last may have."""
        level = self.level
        least = max(1, -(-(-(-self.room_low // last) - level.layer) // level.slope))
        most = (self.room_high // first - level.layer) // level.slope
        asked = math.floor(self.target)
        return {min(max(f, least), most) for f in (asked, asked + 1)} if least <= most else set()


def _distance_to_zero(low: float, high: float) -> float:
    """Return how far the interval low..high is from 0."""
    return max(0.0, low, -high)


def search_space(config: ModelConfig) -> SearchSpace:
    """Return the designs allowed by a request, to be searched for the nearest."""
    return ShapeSearchSpace(config) if config.embedding_ratio == "auto" else SearchSpace(config)


def nearest(config: ModelConfig) -> Architecture | None:
    """Return the architecture nearest to a request, or None when none meets its total."""
    best = search_space(config).nearest()
    return best and to_architecture(config, best)
