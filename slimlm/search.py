"""The exact search behind the solver: the dimensions nearest to a request among all that meet its total within ±0.5 %.

A design is (d_model, d_ff, n_layers). Three facts make an exact search fast:

* for one width, the total is linear in d_ff and in n_layers, so that the feasible d_ff of each depth form an interval
  which moves down as the depth goes up;
* both the cost of a width (`ratio_cost`) and those intervals are monotone on either side of the asked width, so that a
  whole range of widths is priced from its ends by a lower bound;
* the range with the lowest bound is halved first, and the search ends when no bound is below the best design found.

Vocabularies, heads and positions reach the solver only as numbers: it reads the total as a polynomial off the account.
"""

import heapq
import math
from bisect import bisect_right
from dataclasses import fields
from functools import lru_cache
from typing import NamedTuple

from slimlm.accounting import count_total
from slimlm.architecture import Architecture, Choices
from slimlm.config import ModelConfig
from slimlm.design import ModelDims, distance


def architecture(choices: Choices, dims: ModelDims) -> Architecture:
    """Give dimensions to the fixed choices of a request."""
    fixed = {field.name: getattr(choices, field.name) for field in fields(Choices)}
    return Architecture(**fixed, **dims._asdict())


Quadratic = tuple[int, int, int]
"""Values at 1 and first and second differences there: a polynomial of degree 2 over the integers, exactly."""


def _at(quadratic: Quadratic, step: int) -> int:
    value, first, second = quadratic
    return value + (step - 1) * first + (step - 1) * (step - 2) // 2 * second


def _near(quadratic: Quadratic, step: float) -> float:
    value, first, second = quadratic
    return value + (step - 1) * first + (step - 1) * (step - 2) / 2 * second


class Price(NamedTuple):
    """total = fixed + n_layers · (layer + slope · d_ff / grain), each a polynomial in d_model / width_grain.

    Every component's count is at most quadratic in d_model and linear in d_ff, and n_layers multiplies those of a
    layer; nine accounts therefore fix the polynomials.
    """

    fixed: Quadratic
    layer: Quadratic
    slope: Quadratic


@lru_cache(maxsize=256)
def _price(choices: Choices, width_grain: int, grain: int) -> Price:
    def differences(first: int, second: int, third: int) -> Quadratic:
        return first, second - first, third - 2 * second + first

    columns: list[tuple[int, int, int]] = []
    for step in (1, 2, 3):
        one, wider, deeper = (
            count_total(architecture(choices, ModelDims(step * width_grain, d_ff, n_layers)))
            for d_ff, n_layers in ((grain, 1), (2 * grain, 1), (grain, 2))
        )
        per_layer, slope = deeper - one, wider - one
        columns.append((one - per_layer, per_layer - slope, slope))
    fixed, layer, slopes = (differences(*values) for values in zip(*columns, strict=True))
    return Price(fixed, layer, slopes)


Best = tuple[float, int, int, int, int]
"""(cost, |total − asked|, n_layers, d_model, d_ff): the order in which designs are preferred."""


def window(config: ModelConfig) -> tuple[int, int]:
    """Return the least and the greatest total that a request accepts."""
    slack = config.total_params // 200
    return config.total_params - slack, config.total_params + slack


def smallest_total(config: ModelConfig) -> int:
    """Return the parameters of the smallest model with a request's fixed choices."""
    width = math.lcm(config.n_heads, config.multiple_of)
    return count_total(architecture(config, ModelDims(width, config.multiple_of, config.n_layers or 1)))


class SearchSpace:
    """All designs allowed by a request. Widths are counted in grains: d_model = width_grain·x, d_ff = grain·f."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self.grain = config.multiple_of
        self.width_grain = math.lcm(config.n_heads, config.multiple_of)
        self.price = _price(_choices(config), self.width_grain, self.grain)
        self.low, self.high = window(config)
        self.min_layers = config.n_layers or 1
        self.max_layers = config.n_layers or 2 * self.high
        asked = config.total_params * config.embedding_ratio / (config.vocabulary_tables * config.vocab_size)
        self.asked_width = math.log(asked)
        self.max_width = self._max_width()

    def smallest_total(self, x: int = 1) -> int:
        """Return the parameters of the smallest allowed model of width x."""
        return _at(self.price.fixed, x) + self.min_layers * (_at(self.price.layer, x) + _at(self.price.slope, x))

    def _max_width(self) -> int:
        widths = range(1, self.high // self.width_grain + 1)
        return bisect_right(widths, self.high, key=self.smallest_total)

    def nearest_totals(self) -> tuple[int, ...]:
        """Return the totals next to an unreachable window: the largest below it (if any) and the smallest above."""
        below, above = 0, self.smallest_total(self.max_width + 1)
        for x in range(1, self.max_width + 1):
            fixed, layer, slope = (_at(polynomial, x) for polynomial in self.price)
            deepest = min(self.max_layers, (self.high - fixed) // (layer + slope))
            for n_layers in range(self.min_layers, deepest + 1):
                d_ff = ((self.high - fixed) // n_layers - layer) // slope
                below = max(below, fixed + n_layers * (layer + slope * d_ff))
                above = min(above, fixed + n_layers * (layer + slope * (d_ff + 1)))
            if deepest < self.max_layers:
                above = min(above, fixed + max(self.min_layers, deepest + 1) * (layer + slope))
        return (below, above) if below else (above,)

    def nearest(self) -> ModelDims | None:
        """Return the best dimensions, or None when nothing meets the total."""
        best: Best | None = None
        ranges = [(0.0, 1, self.max_width)] if self.max_width else []
        while ranges:
            bound, first, last = heapq.heappop(ranges)
            if best is not None and bound > best[0]:
                break
            if first == last:
                best = min((found for found in (best, self.nearest_at(first)) if found), default=None)
                continue
            middle = (first + last) // 2
            for half in ((first, middle), (middle + 1, last)):
                half_bound = self._bound(*half)
                if half_bound < math.inf and (best is None or half_bound <= best[0]):
                    heapq.heappush(ranges, (half_bound, *half))
        return best and ModelDims(best[3], best[4], best[2])

    def _bound(self, first: int, last: int) -> float:
        """Return a cost that no design with a width in first..last goes below (inf: there is none).

        Let t = ln(d_model), u = t − t* with t* the asked width, and v(t) = ln(expansion / asked expansion) when a given
        depth just meets the low (or high) end of the total: the cost is u² + v². v is the logarithm of a constant
        minus polynomials in eᵗ with coefficients ≥ 0, so it is concave in t: it lies above its chord, and −v lies above
        a chord prolonged. Both give |v| ≥ a line, and u² plus a line squared has its minimum in closed form.
        """
        low, high = math.log(first * self.width_grain), math.log(last * self.width_grain)
        room_high = self.high - _at(self.price.fixed, first)
        if room_high <= 0:
            return math.inf
        # At the narrow end a layer of the asked expansion is smallest and the room for layers largest: with more than
        # `deepest` layers every width in first..last has too small an expansion, with fewer than `shallowest` too
        # large a one. With no depth between the two, the next depth on either side is the best that is left.
        deepest = math.floor(room_high / self._asked_layer(first) * _ABOVE)
        shallowest = math.ceil((self.low - _at(self.price.fixed, last)) / self._asked_layer(last) * _BELOW)
        if max(shallowest, self.min_layers) <= min(deepest, self.max_layers):
            return (min(max(self.asked_width, low), high) - self.asked_width) ** 2
        bound = math.inf
        if (fewer := min(shallowest - 1, self.max_layers)) >= self.min_layers:
            start, end = self._expansion(first, fewer, self.low), self._expansion(last, fewer, self.low)
            bound = self._least(low, high, start, end - start)
        if (more := max(deepest + 1, self.min_layers)) <= self.max_layers:
            start = -self._expansion(first, more, self.high)
            if start < math.inf:
                rise = start + self._expansion(first * first / last, more, self.high)
                bound = min(bound, self._least(low, high, start, rise))
        return bound

    def _asked_layer(self, x: float) -> float:
        """Return the parameters of a layer of width x that has exactly the asked expansion."""
        d_ff = self.config.glu_expansion * self.width_grain * x / self.grain
        return _near(self.price.layer, x) + _near(self.price.slope, x) * d_ff

    def _expansion(self, x: float, n_layers: int, total: int) -> float:
        """Return ln(expansion / asked expansion) of the model of width x and this depth and total (−inf: too deep)."""
        per_layer = (total - _near(self.price.fixed, x)) / n_layers - _near(self.price.layer, x)
        asked = self._asked_layer(x) - _near(self.price.layer, x)
        return math.log(per_layer / asked) if per_layer > 0 else -math.inf

    def _least(self, low: float, high: float, start: float, rise: float) -> float:
        """Return the minimum over t in low..high of (t − t*)² + (the line from `start` that rises by `rise`)²."""
        slope = rise / (high - low) if high > low else 0.0
        free = low + (self.asked_width - low - slope * start) / (1 + slope * slope)
        t = min(max(free, low), high)
        miss = max(0.0, start + slope * (t - low) - _ROUNDING)
        return ((t - self.asked_width) ** 2 + miss * miss) * _BELOW

    def nearest_at(self, x: int) -> Best | None:
        """Return the best design of width x, or None."""
        d_model = self.width_grain * x
        asked = self.config.glu_expansion * d_model / self.grain
        above = max(1, math.ceil(asked))
        level = _Level(self, x)
        found = [f for f in (level.feasible_above(above), level.feasible_below(above - 1)) if f]
        return min((self._ranked(level, d_model, f) for f in found), default=None)

    def _ranked(self, level: "_Level", d_model: int, f: int) -> Best:
        n_layers, miss = level.depth(f)
        return distance(self.config, d_model, self.grain * f), miss, n_layers, d_model, self.grain * f


_ROUNDING = 1e-9
_ABOVE, _BELOW = 1 + 1e-12, 1 - 1e-12


class _Level:
    """The designs of one width: which d_ff (in grains, `f`) and depths meet the total. All in integers."""

    def __init__(self, space: SearchSpace, x: int) -> None:
        self.space = space
        fixed = _at(space.price.fixed, x)
        self.room_low, self.room_high = space.low - fixed, space.high - fixed
        self.room = space.config.total_params - fixed
        self.layer, self.slope = _at(space.price.layer, x), _at(space.price.slope, x)

    def feasible_above(self, f: int) -> int | None:
        """Return the least feasible d_ff from f upwards: as long as no depth fits, go to what the next one needs."""
        while True:
            n_layers = min(self.space.max_layers, self.room_high // (self.layer + self.slope * f))
            if n_layers < self.space.min_layers:
                return None
            needed = _ceil_div(_ceil_div(self.room_low, n_layers) - self.layer, self.slope)
            if needed <= f:
                return f
            f = needed

    def feasible_below(self, f: int) -> int | None:
        """Return the greatest feasible d_ff from f downwards."""
        while f >= 1:
            n_layers = max(self.space.min_layers, _ceil_div(self.room_low, self.layer + self.slope * f))
            if n_layers > self.space.max_layers:
                return None
            allowed = (self.room_high // n_layers - self.layer) // self.slope
            if allowed >= f:
                return f
            f = allowed
        return None

    def depth(self, f: int) -> tuple[int, int]:
        """Return the feasible depth with the smallest miss, and that miss, for a feasible d_ff."""
        size = self.layer + self.slope * f
        shallowest = max(self.space.min_layers, _ceil_div(self.room_low, size))
        deepest = min(self.space.max_layers, self.room_high // size)
        near = self.room // size
        depths = {min(max(n_layers, shallowest), deepest) for n_layers in (near, near + 1)}
        miss, n_layers = min((abs(self.room - n_layers * size), n_layers) for n_layers in depths)
        return n_layers, miss


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def _choices(config: ModelConfig) -> Choices:
    return Choices(**{field.name: getattr(config, field.name) for field in fields(Choices)})
