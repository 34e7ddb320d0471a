"""The exact search behind the solver: the dimensions nearest to a request among all that meet its total within ±0.5 %.

A design is (d_model, d_ff, n_layers). Three facts make an exact search fast:

* for one width, the total is linear in d_ff and in n_layers, so that the feasible d_ff of each depth form an interval
  which moves down as the depth goes up;
* both the cost of a width (`ratio_cost`) and those intervals are monotone on either side of the asked width, so that a
  whole range of widths is priced from its ends by a lower bound;
* the range with the lowest bound is halved first, and the search ends when no bound is below the best design found.

With n_heads="auto" every width has a few numbers of heads of its own. A layer's count then depends on head_dim, and the
lower bound takes whichever end of its range is the cheaper one.

The work is bounded for every request. Either the narrowest width has d_ff fine enough for some total to be accepted:
then there is a design from the start, and the search ends after `MOST_WORK` at the latest, having become coarser after
thousands of ranges (`SearchSpace.finest`), which only widths of many millions ever take. Or it has not: then every
model has at most about 200 times the n_layers · d_model · d_ff of the smallest, and so few widths are all looked at.
"""

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import fields

from slimlm.core.architecture import AUTO_HEAD_DIMS, MOST_HEADS, PREFERRED_HEAD_DIM, Architecture, Choices, ModelDims
from slimlm.core.config import ModelConfig
from slimlm.solver.polynomial import Polynomial, evaluate, interpolate, parameter_polynomials
from slimlm.solver.width import (
    AUTO_WIDEST,
    Best,
    Level,
    Scope,
    auto_heads,
    narrowest,
    width_grain,
)

MOST_WORK = 16_000
"""The most ranges and widths that a search looks at once it has a design."""


def nearest(config: ModelConfig) -> Architecture | None:
    """Return the architecture nearest to a request, or None when none meets its total."""
    best = SearchSpace(config).nearest()
    return best and to_architecture(config, best)


def to_architecture(config: ModelConfig, best: Best) -> Architecture:
    """Give what was found to the fixed choices of a request."""
    return Architecture.of(config, ModelDims(best.d_model, best.d_ff, best.n_layers), best.n_heads)


def window(config: ModelConfig) -> tuple[int, int]:
    """Return the least and the greatest total that a request accepts."""
    slack = config.total_params // 200
    return config.total_params - slack, config.total_params + slack


def smallest(config: ModelConfig) -> Architecture | None:
    """Return the smallest architecture with a request's fixed choices; None when no width suits them.

    It is the narrowest one, with the narrowest heads: what narrower heads of a wider one save on keys and values is
    less than what its other matrices cost.
    """
    found = narrowest(config)
    return found and Architecture.of(config, ModelDims(found[0], config.multiple_of, config.n_layers or 1), found[1])


class SearchSpace:
    """All designs allowed by a request. Widths are counted in grains: d_model = width_grain·x, d_ff = grain·f."""

    def __init__(self, config: ModelConfig) -> None:
        self.config, self.grain = config, config.multiple_of
        self.auto = config.n_heads == "auto"
        self.width_grain = width_grain(config)
        self.params = parameter_polynomials(_choices(config), self.width_grain, self.grain)
        self.low, self.high = window(config)
        self.min_layers = config.n_layers or 1
        self.max_layers = config.n_layers or 2 * self.high
        self.scope = Scope(config, self.low, self.high, self.min_layers, self.max_layers)
        asked = config.total_params * config.embedding_ratio / (config.vocabulary_tables * config.vocab_size)
        self.asked_width = math.log(asked)
        widest = min(AUTO_WIDEST, self.high) if self.auto else self.high
        self.max_width = bisect_right(range(1, widest // self.width_grain + 1), self.high, key=self.smallest_total)
        first = narrowest(config)
        self.min_width = first[0] // self.width_grain if first else self.max_width + 1
        self.work = 0
        """Ranges and widths looked at so far, a width once for each count that its layers can have."""

    def smallest_total(self, x: int) -> int:
        """Return a total that no model of width x goes below: attained unless the heads are chosen by the solver."""
        return evaluate(self.params.fixed, x) + self.min_layers * (
            evaluate(self.params.layer, x) + evaluate(self.params.slope, x)
        )

    def levels(self, x: int) -> Iterator[Level]:
        """Yield the designs of width x, apart for every count that a layer can have."""
        d_model, fixed, slope = self.width_grain * x, evaluate(self.params.fixed, x), evaluate(self.params.slope, x)
        for layer, (head_miss, n_heads) in self._layer_counts(x).items():
            yield Level(self.scope, d_model, fixed, layer, slope, head_miss, n_heads)

    def _layer_counts(self, x: int) -> dict[int, tuple[float, int]]:
        """Return what a layer of width x can count without its feed-forward, with the heads preferred for it."""
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
        """Return the totals next to an unreachable window: the largest below it (if any) and the smallest above."""
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

    def nearest(self) -> Best | None:
        """Return the best design, or None when nothing meets the total."""
        if self.min_width > self.max_width:
            return None
        best = self.nearest_at(self.min_width)
        ranges = [(0.0, self.min_width, self.max_width)]
        while ranges:
            bound, first, last = heapq.heappop(ranges)
            if best is not None and (bound > best.cost or self.work >= MOST_WORK):
                break
            if first == last or (best is not None and last - first <= self.finest() * first):
                designs = (best, *(self.nearest_at(x) for x in {first, last}))
                best = min((found for found in designs if found), default=None)
                continue
            middle = (first + last) // 2
            for half in ((first, middle), (middle + 1, last)):
                half_bound = self._bound(*half)
                if half_bound < math.inf and (best is None or half_bound <= best.cost):
                    heapq.heappush(ranges, (half_bound, *half))
        return best

    def finest(self) -> float:
        """Return how close, relatively, the ends of a range are that is judged by them instead of being halved.

        It starts far below what sets two whole numbers apart and doubles with every 128 ranges and widths looked at: a
        search among widths of up to a million grains is exact for the first 5,000 of them.
        """
        return math.exp2(self.work / 128 - 62)

    def _bound(self, first: int, last: int) -> float:
        """Return a cost that no design with a width in first..last goes below (inf: there is none).

        Let t = ln(d_model), u = t − t* with t* the asked width, and v(t) = ln(expansion / asked expansion) when a given
        depth just meets the low (or high) end of the total: the cost is u² + v². v is the logarithm of a constant
        minus polynomials in eᵗ with coefficients ≥ 0, so it is concave in t: it lies above its chord, and −v lies above
        a chord prolonged. Both give |v| ≥ a line, and u² plus a line squared has its minimum in closed form. So does
        d_ff being whole, which allows no more (or no less) than at the end of the range where there is most room.
        """
        self.work += 1
        low, high = math.log(first * self.width_grain), math.log(last * self.width_grain)
        room_high = self.high - evaluate(self.params.fixed, first)
        if room_high <= 0:
            return math.inf
        # At the narrow end a layer of the asked expansion is smallest and the room for layers largest: with more than
        # `deepest` layers every width in first..last has too small an expansion, with fewer than `shallowest` too
        # large a one. With no depth between the two, the next depth on either side is the best that is left.
        light, heavy = self._layers(first, last) if self.auto else (self.params.layer, self.params.widest_layer)
        deepest = math.floor(room_high / self._asked_layer(light, first) * _ABOVE)
        shallowest = math.ceil((self.low - evaluate(self.params.fixed, last)) / self._asked_layer(heavy, last) * _BELOW)
        if max(shallowest, self.min_layers) <= min(deepest, self.max_layers):
            return (min(max(self.asked_width, low), high) - self.asked_width) ** 2
        bound = math.inf
        if (fewer := min(shallowest - 1, self.max_layers)) >= self.min_layers:
            start, end = (self._expansion(x, self._grains(heavy, x, fewer, self.low)) for x in (first, last))
            fewest = max(1, math.ceil(self._grains(heavy, last, fewer, self.low) * _BELOW))
            lines = (start, end - start), (self._expansion(first, fewest), low - high)
            bound = max(self._least(low, high, *line) for line in lines)
        if (more := max(deepest + 1, self.min_layers)) <= self.max_layers:
            start = -self._expansion(first, room := self._grains(light, first, more, self.high))
            if (most := math.floor(room * _ABOVE)) >= 1:
                before = first * first / last
                rise = start + self._expansion(before, self._grains(light, before, more, self.high))
                lines = (start, rise), (-self._expansion(first, most), high - low)
                bound = min(bound, max(self._least(low, high, *line) for line in lines))
        return bound

    def _layers(self, first: int, last: int) -> tuple[Polynomial, Polynomial]:
        """Return the price of a layer with the narrowest and with the widest head that a range of widths may have."""
        narrowest = max(AUTO_HEAD_DIMS[0], self.width_grain * first / MOST_HEADS)
        widest = min(AUTO_HEAD_DIMS[-1], self.width_grain * last / (self.config.n_kv_heads or 1))
        span = AUTO_HEAD_DIMS[-1] - AUTO_HEAD_DIMS[0]
        light, heavy = (
            tuple(
                low + (high - low) * (head_dim - AUTO_HEAD_DIMS[0]) / span
                for low, high in zip(self.params.layer, self.params.widest_layer, strict=True)
            )
            for head_dim in (narrowest, max(widest, narrowest))
        )
        return light, heavy  # type: ignore[return-value]

    def _asked_layer(self, layer: Polynomial, x: float) -> float:
        """Return the parameters of a layer of width x that has exactly the asked expansion."""
        return interpolate(layer, x) + interpolate(self.params.slope, x) * self._asked_grains(x)

    def _asked_grains(self, x: float) -> float:
        return self.config.glu_expansion * self.width_grain * x / self.grain

    def _grains(self, layer: Polynomial, x: float, n_layers: int, total: int) -> float:
        """Return the d_ff in grains, whole or not, of the model of width x and this depth and total (< 0: too deep)."""
        return ((total - interpolate(self.params.fixed, x)) / n_layers - interpolate(layer, x)) / interpolate(
            self.params.slope, x
        )

    def _expansion(self, x: float, grains: float) -> float:
        """Return ln(expansion / asked expansion)."""
        return math.log(grains / self._asked_grains(x)) if grains > 0 else -math.inf

    def _least(self, low: float, high: float, start: float, rise: float) -> float:
        """Return the minimum over t in low..high of (t − t*)² + (the line from `start` that rises by `rise`)²."""
        slope = rise / (high - low) if high > low else 0.0
        free = low + (self.asked_width - low - slope * start) / (1 + slope * slope)
        t = min(max(free, low), high)
        miss = max(0.0, start + slope * (t - low) - _ROUNDING)
        return ((t - self.asked_width) ** 2 + miss * miss) * _BELOW

    def nearest_at(self, x: int) -> Best | None:
        """Return the best design of width x, or None."""
        return min((found for level in self.levels(x) for found in level.nearest()), default=None)


_ROUNDING = 1e-9
_ABOVE, _BELOW = 1 + 1e-12, 1 - 1e-12


def _choices(config: Choices) -> Choices:
    return Choices(**{field.name: getattr(config, field.name) for field in fields(Choices)})
