"""All (d_ff, n_layers) that meet the budget at one d_model, and the heads that a d_model allows.

All values are integers. d_ff is counted in grains: d_ff = multiple_of · f.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from slimlm.core.architecture import AUTO_HEAD_DIMS, MOST_HEADS, width_multiple
from slimlm.core.config import ModelConfig
from slimlm.core.design import expansion_cost

AUTO_WIDEST = AUTO_HEAD_DIMS[-1] * MOST_HEADS
"""Largest d_model with n_heads="auto"."""


def width_grain(config: ModelConfig) -> int:
    """Return the number that every d_model of a request must be a multiple of."""
    if config.n_heads == "auto":  # n_heads is a multiple of n_kv_heads, and head_dim of 2
        return math.lcm(2 * (config.n_kv_heads or 1), config.multiple_of)
    return math.lcm(width_multiple(config.n_heads, config.head_dim, config.positions), config.multiple_of)


@lru_cache(maxsize=16_384)
def auto_heads(d_model: int, n_kv_heads: int | None, preferred: int) -> tuple[tuple[int, int, float], ...]:
    """Return every (head_dim, n_heads, |ln(head_dim / preferred)|) of n_heads="auto" for a width, narrowest first."""
    unit = n_kv_heads or 1
    widths = [head_dim for head_dim in AUTO_HEAD_DIMS if d_model % (head_dim * unit) == 0]
    allowed = (head_dim for head_dim in widths if d_model <= MOST_HEADS * head_dim)
    return tuple((head_dim, d_model // head_dim, abs(math.log(head_dim / preferred))) for head_dim in allowed)


def narrowest(config: ModelConfig) -> tuple[int, int] | None:
    """Return the narrowest d_model of a request and its largest number of heads, or None when no width is possible."""
    if config.n_heads == "auto":
        return _narrowest_auto(config.n_kv_heads or 1, config.multiple_of)
    return width_grain(config), config.n_heads


@lru_cache(maxsize=256)
def _narrowest_auto(unit: int, multiple_of: int) -> tuple[int, int] | None:
    """Return the smallest common multiple of head_dim · n_kv_heads and the alignment with at most MOST_HEADS heads."""
    widths = ((math.lcm(head_dim * unit, multiple_of), head_dim) for head_dim in AUTO_HEAD_DIMS)
    d_model, head_dim = min((pair for pair in widths if pair[0] <= MOST_HEADS * pair[1]), default=(0, 0))
    return (d_model, d_model // head_dim) if d_model else None


class Best(NamedTuple):
    """A design; its fields are in the order of preference between designs."""

    cost: float
    miss: int
    """|total − target|."""
    n_layers: int
    d_model: int
    d_ff: int
    head_miss: float
    """|ln(head_dim / preferred)| where the solver chooses the heads, else 0."""
    n_heads: int


class Scope(NamedTuple):
    """A request with the counted parameters and depths that it accepts, both ends included."""

    config: ModelConfig
    target: int
    """Parameters that the budget asks for."""
    low: int
    high: int
    min_layers: int
    max_layers: int


class Level(NamedTuple):
    """Designs of one width: fixed + n_layers · (layer + slope · f) parameters count, with d_ff = multiple_of · f.

    n_layers does not count the dense first layers of a mixture, which are part of `fixed`.
    """

    scope: Scope
    d_model: int
    fixed: int
    layer: int
    slope: int
    head_miss: float
    n_heads: int
    width_cost: float
    """Cost of the width alone."""

    def total(self, f: int, n_layers: int) -> int:
        """Return the parameters of one model that the budget counts."""
        return self.fixed + n_layers * (self.layer + self.slope * f)

    def nearest_grains(self) -> Iterator[int]:
        """Yield the nearest feasible d_ff above and the nearest below the target expansion, where they exist."""
        above = max(1, math.ceil(self.scope.config.glu_expansion * self.d_model / self.scope.config.multiple_of))
        for f in (self.feasible_above(above), self.feasible_below(above - 1)):
            if f:
                yield f

    def cost(self, f: int) -> float:
        """Return the cost of a d_ff, as `slimlm.core.design.distance` does at a depth that costs nothing itself."""
        config = self.scope.config
        return self.width_cost + expansion_cost(config, self.d_model, config.multiple_of * f)

    def least_cost(self) -> float:
        """Return what a design costs at least: at the shallowest depth, d_ff may still be too small."""
        most = ((self.scope.high - self.fixed) // self.scope.min_layers - self.layer) // self.slope
        config = self.scope.config
        if 1 <= most < config.glu_expansion * self.d_model / config.multiple_of:
            return self.cost(most)
        return self.width_cost

    def best(self, f: int, n_layers: int, miss: int, cost: float) -> Best:
        """Return one design, given |total − asked| and its cost."""
        config = self.scope.config
        depth, d_ff = config.n_dense_layers + n_layers, config.multiple_of * f
        return Best(cost, miss, depth, self.d_model, d_ff, self.head_miss, self.n_heads)

    def feasible_above(self, f: int) -> int | None:
        """Return the smallest feasible d_ff from f upwards. While no depth fits, f goes to what the next depth needs.

        It takes at most about 200 steps. Each step removes a layer, and with more than 200 layers some depth always
        fits: the accepted totals span 1 %, which is then more than one layer. `feasible_below` adds layers instead.
        """
        room_low, room_high = self.scope.low - self.fixed, self.scope.high - self.fixed
        while True:
            n_layers = min(self.scope.max_layers, room_high // (self.layer + self.slope * f))
            if n_layers < self.scope.min_layers:
                return None
            needed = _ceil_div(_ceil_div(room_low, n_layers) - self.layer, self.slope)
            if needed <= f:
                return f
            f = needed

    def feasible_below(self, f: int) -> int | None:
        """Return the largest feasible d_ff from f downwards."""
        room_low, room_high = self.scope.low - self.fixed, self.scope.high - self.fixed
        while f >= 1:
            n_layers = max(self.scope.min_layers, _ceil_div(room_low, self.layer + self.slope * f))
            if n_layers > self.scope.max_layers:
                return None
            allowed = (room_high // n_layers - self.layer) // self.slope
            if allowed >= f:
                return f
            f = allowed
        return None

    def depth(self, f: int) -> tuple[int, int]:
        """Return the feasible depth with the smallest miss for a feasible d_ff, and that miss."""
        scope, size, room = self.scope, self.layer + self.slope * f, self.scope.target - self.fixed
        shallowest = max(scope.min_layers, _ceil_div(scope.low - self.fixed, size))
        deepest = min(scope.max_layers, (scope.high - self.fixed) // size)
        near = min(max(room // size, shallowest), deepest)
        miss = abs(room - near * size)
        if near < deepest and (next_miss := abs(room - (near + 1) * size)) < miss:
            return near + 1, next_miss
        return near, miss

    def nearest_totals(self) -> tuple[int, int]:
        """Return the largest total below an unreachable window (0 when there is none) and the smallest above it."""
        scope, room_high = self.scope, self.scope.high - self.fixed
        deepest = min(scope.max_layers, room_high // (self.layer + self.slope))
        below, above = [0], []
        for n_layers in range(scope.min_layers, deepest + 1):
            f = (room_high // n_layers - self.layer) // self.slope
            below.append(self.total(f, n_layers))
            above.append(self.total(f + 1, n_layers))
        if deepest < scope.max_layers:
            above.append(self.total(1, max(scope.min_layers, deepest + 1)))
        return max(below), min(above)


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)
