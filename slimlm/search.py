"""The exact search behind the solver: the dimensions nearest to a request among all that meet its total within ±0.5 %.

A design is (d_model, d_ff, n_layers). Three facts make an exact search fast:

* for one width, the total is linear in d_ff and in n_layers, so that the feasible d_ff of each depth form an interval
  which moves down as the depth goes up;
* both the cost of a width (`ratio_cost`) and those intervals are monotone on either side of the asked width, so that a
  whole range of widths is priced from its ends by a lower bound;
* the range with the lowest bound is halved first, and the search ends when no bound is below the best design found.

With n_heads="auto" every width has a few numbers of heads of its own. A layer's count then depends on head_dim, and the
lower bound takes whichever end of its range is the cheaper one.
"""

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import fields
from typing import NamedTuple

from slimlm.architecture import AUTO_HEAD_DIMS, Architecture, Choices, width_multiple
from slimlm.config import ModelConfig
from slimlm.design import ModelDims, distance
from slimlm.price import Polynomial, architecture, at, near, price

PREFERRED_HEAD_DIM = 64
_MOST_HEADS = 1024
_AUTO_WIDEST = AUTO_HEAD_DIMS[-1] * _MOST_HEADS


class Best(NamedTuple):
    """A design, with its fields in the order in which designs are preferred."""

    cost: float
    miss: int
    """|total − asked|."""
    n_layers: int
    d_model: int
    d_ff: int
    head_miss: float
    """|ln(head_dim / preferred)| where the solver chooses the heads, else 0."""
    n_heads: int


def nearest(config: ModelConfig) -> Architecture | None:
    """Return the architecture nearest to a request, or None when none meets its total."""
    best = SearchSpace(config).nearest()
    return best and to_architecture(config, best)


def to_architecture(config: ModelConfig, best: Best) -> Architecture:
    """Give what was found to the fixed choices of a request."""
    return architecture(config, ModelDims(best.d_model, best.d_ff, best.n_layers), best.n_heads)


def window(config: ModelConfig) -> tuple[int, int]:
    """Return the least and the greatest total that a request accepts."""
    slack = config.total_params // 200
    return config.total_params - slack, config.total_params + slack


def smallest(config: ModelConfig) -> Architecture | None:
    """Return the smallest architecture with a request's fixed choices; None when no width suits them.

    It is the narrowest one, with the narrowest heads: what narrower heads of a wider one save on keys and values is
    less than what its other matrices cost.
    """
    grain = _width_grain(config)
    for d_model in range(grain, _AUTO_WIDEST + 1, grain) if config.n_heads == "auto" else (grain,):
        n_heads = config.n_heads if config.n_heads != "auto" else next(_auto_heads(config, d_model), (0, 0))[1]
        if n_heads:
            return architecture(config, ModelDims(d_model, config.multiple_of, config.n_layers or 1), n_heads)
    return None


def _width_grain(config: ModelConfig) -> int:
    if config.n_heads == "auto":  # n_heads is a multiple of n_kv_heads, and head_dim of 2
        return math.lcm(2 * (config.n_kv_heads or 1), config.multiple_of)
    return math.lcm(width_multiple(config.n_heads, config.head_dim, config.positions), config.multiple_of)


class SearchSpace:
    """All designs allowed by a request. Widths are counted in grains: d_model = width_grain·x, d_ff = grain·f."""

    def __init__(self, config: ModelConfig) -> None:
        self.config, self.grain = config, config.multiple_of
        self.auto = config.n_heads == "auto"
        self.width_grain = _width_grain(config)
        self.price = price(_choices(config), self.width_grain, self.grain)
        self.low, self.high = window(config)
        self.min_layers = config.n_layers or 1
        self.max_layers = config.n_layers or 2 * self.high
        asked = config.total_params * config.embedding_ratio / (config.vocabulary_tables * config.vocab_size)
        self.asked_width = math.log(asked)
        widest = min(_AUTO_WIDEST, self.high) if self.auto else self.high
        self.max_width = bisect_right(range(1, widest // self.width_grain + 1), self.high, key=self.smallest_total)

    def smallest_total(self, x: int) -> int:
        """Return a total that no model of width x goes below: attained unless the heads are chosen by the solver."""
        return at(self.price.fixed, x) + self.min_layers * (at(self.price.layer, x) + at(self.price.slope, x))

    def levels(self, x: int) -> "Iterator[_Level]":
        """Yield the designs of width x, apart for every count that a layer can have."""
        if self.config.n_heads != "auto":
            yield _Level(self, x, at(self.price.layer, x), 0.0, self.config.n_heads)
            return
        light, heavy = at(self.price.layer, x), at(self.price.heavy, x)
        preferred = self.config.head_dim or PREFERRED_HEAD_DIM
        found: dict[int, tuple[float, int]] = {}
        for head_dim, n_heads in _auto_heads(self.config, self.width_grain * x):
            beyond, span = head_dim - AUTO_HEAD_DIMS[0], AUTO_HEAD_DIMS[-1] - AUTO_HEAD_DIMS[0]
            layer = light + (heavy - light) * beyond // span
            head = abs(math.log(head_dim / preferred)), n_heads
            found[layer] = min(found.get(layer, head), head)
        for layer, head in found.items():
            yield _Level(self, x, layer, *head)

    def nearest_totals(self) -> tuple[int, ...]:
        """Return the totals next to an unreachable window: the largest below it (if any) and the smallest above."""
        below, above = 0, self._smallest_beyond()
        for level in (level for x in range(1, self.max_width + 1) for level in self.levels(x)):
            deepest = min(self.max_layers, level.room_high // (level.layer + level.slope))
            for n_layers in range(self.min_layers, deepest + 1):
                f = (level.room_high // n_layers - level.layer) // level.slope
                below = max(below, level.total(f, n_layers))
                above = min(above, level.total(f + 1, n_layers))
            if deepest < self.max_layers:
                above = min(above, level.total(1, max(self.min_layers, deepest + 1)))
        return tuple(int(total) for total in (below, above) if 0 < total < math.inf)

    def _smallest_beyond(self) -> float:
        """Return the smallest total of the first allowed width beyond the widest that may fit."""
        x = self.max_width + 1
        while self.auto and self.width_grain * x <= _AUTO_WIDEST and not list(self.levels(x)):
            x += 1
        return min((level.total(1, self.min_layers) for level in self.levels(x)), default=math.inf)

    def nearest(self) -> Best | None:
        """Return the best design, or None when nothing meets the total."""
        best: Best | None = None
        ranges = [(0.0, 1, self.max_width)] if self.max_width else []
        while ranges:
            bound, first, last = heapq.heappop(ranges)
            if best is not None and bound > best.cost:
                break
            if first == last:
                best = min((found for found in (best, self.nearest_at(first)) if found), default=None)
                continue
            middle = (first + last) // 2
            for half in ((first, middle), (middle + 1, last)):
                half_bound = self._bound(*half)
                if half_bound < math.inf and (best is None or half_bound <= best.cost):
                    heapq.heappush(ranges, (half_bound, *half))
        return best

    def _bound(self, first: int, last: int) -> float:
        """Return a cost that no design with a width in first..last goes below (inf: there is none).

        Let t = ln(d_model), u = t − t* with t* the asked width, and v(t) = ln(expansion / asked expansion) when a given
        depth just meets the low (or high) end of the total: the cost is u² + v². v is the logarithm of a constant
        minus polynomials in eᵗ with coefficients ≥ 0, so it is concave in t: it lies above its chord, and −v lies above
        a chord prolonged. Both give |v| ≥ a line, and u² plus a line squared has its minimum in closed form. So does
        d_ff being whole, which allows no more (or no less) than at the end of the range where there is most room.
        """
        low, high = math.log(first * self.width_grain), math.log(last * self.width_grain)
        room_high = self.high - at(self.price.fixed, first)
        if room_high <= 0:
            return math.inf
        # At the narrow end a layer of the asked expansion is smallest and the room for layers largest: with more than
        # `deepest` layers every width in first..last has too small an expansion, with fewer than `shallowest` too
        # large a one. With no depth between the two, the next depth on either side is the best that is left.
        light, heavy = self._layers(first, last) if self.auto else (self.price.layer, self.price.heavy)
        deepest = math.floor(room_high / self._asked_layer(light, first) * _ABOVE)
        shallowest = math.ceil((self.low - at(self.price.fixed, last)) / self._asked_layer(heavy, last) * _BELOW)
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
        narrowest = max(AUTO_HEAD_DIMS[0], self.width_grain * first / _MOST_HEADS)
        widest = min(AUTO_HEAD_DIMS[-1], self.width_grain * last / (self.config.n_kv_heads or 1))
        span = AUTO_HEAD_DIMS[-1] - AUTO_HEAD_DIMS[0]
        light, heavy = (
            tuple(
                low + (high - low) * (head_dim - AUTO_HEAD_DIMS[0]) / span
                for low, high in zip(self.price.layer, self.price.heavy, strict=True)
            )
            for head_dim in (narrowest, max(widest, narrowest))
        )
        return light, heavy  # type: ignore[return-value]

    def _asked_layer(self, layer: Polynomial, x: float) -> float:
        """Return the parameters of a layer of width x that has exactly the asked expansion."""
        return near(layer, x) + near(self.price.slope, x) * self._asked_grains(x)

    def _asked_grains(self, x: float) -> float:
        return self.config.glu_expansion * self.width_grain * x / self.grain

    def _grains(self, layer: Polynomial, x: float, n_layers: int, total: int) -> float:
        """Return the d_ff in grains, whole or not, of the model of width x and this depth and total (< 0: too deep)."""
        return ((total - near(self.price.fixed, x)) / n_layers - near(layer, x)) / near(self.price.slope, x)

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


def _auto_heads(config: ModelConfig, d_model: int) -> Iterator[tuple[int, int]]:
    """Yield every head_dim that n_heads="auto" allows for a width, with its number of heads."""
    unit = config.n_kv_heads or 1
    for head_dim in [width for width in AUTO_HEAD_DIMS if d_model % width == 0]:
        n_heads = d_model // head_dim
        if n_heads <= _MOST_HEADS and n_heads % unit == 0:
            yield head_dim, n_heads


_ROUNDING = 1e-9
_ABOVE, _BELOW = 1 + 1e-12, 1 - 1e-12


class _Level:
    """The designs of one width: which d_ff (in grains, `f`) and depths meet the total. All in integers."""

    def __init__(self, space: SearchSpace, x: int, layer: int, head_miss: float, n_heads: int) -> None:
        self.space, self.d_model = space, space.width_grain * x
        self.fixed = at(space.price.fixed, x)
        self.room_low, self.room_high = space.low - self.fixed, space.high - self.fixed
        self.room = space.config.total_params - self.fixed
        self.layer, self.slope = layer, at(space.price.slope, x)
        self.head_miss, self.n_heads = head_miss, n_heads

    def total(self, f: int, n_layers: int) -> int:
        """Return the parameters of one model."""
        return self.fixed + n_layers * (self.layer + self.slope * f)

    def nearest(self) -> Iterator[Best]:
        """Yield the nearest designs above and below the asked expansion: at most two."""
        config, grain = self.space.config, self.space.grain
        above = max(1, math.ceil(config.glu_expansion * self.d_model / grain))
        for f in (self.feasible_above(above), self.feasible_below(above - 1)):
            if f:
                n_layers, miss = self.depth(f)
                cost = distance(config, self.d_model, grain * f)
                yield Best(cost, miss, n_layers, self.d_model, grain * f, self.head_miss, self.n_heads)

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


def _choices(config: Choices) -> Choices:
    return Choices(**{field.name: getattr(config, field.name) for field in fields(Choices)})
