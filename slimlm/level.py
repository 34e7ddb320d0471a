"""The designs of one width whose layers count the same: which feed-forward widths and depths meet the total.

All in integers. d_ff is counted in grains: d_ff = multiple_of · f.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from slimlm.config import ModelConfig
from slimlm.design import distance


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


class Scope(NamedTuple):
    """A request, and the totals and depths that it accepts, both ends included."""

    config: ModelConfig
    low: int
    high: int
    min_layers: int
    max_layers: int


class Level(NamedTuple):
    """Designs of fixed + n_layers · (layer + slope · f) parameters."""

    scope: Scope
    d_model: int
    fixed: int
    layer: int
    slope: int
    head_miss: float
    n_heads: int

    def total(self, f: int, n_layers: int) -> int:
        """Return the parameters of one model."""
        return self.fixed + n_layers * (self.layer + self.slope * f)

    def nearest(self) -> Iterator[Best]:
        """Yield the nearest designs above and below the asked expansion: at most two."""
        config = self.scope.config
        grain = config.multiple_of
        above = max(1, math.ceil(config.glu_expansion * self.d_model / grain))
        for f in (self.feasible_above(above), self.feasible_below(above - 1)):
            if f:
                n_layers, miss = self.depth(f)
                cost = distance(config, self.d_model, grain * f)
                yield Best(cost, miss, n_layers, self.d_model, grain * f, self.head_miss, self.n_heads)

    def feasible_above(self, f: int) -> int | None:
        """Return the least feasible d_ff from f upwards: as long as no depth fits, go to what the next one needs.

        At most about 200 steps: each takes a layer off, and with more layers than that some depth fits, since the
        accepted totals are then further apart than the layer is large. `feasible_below` adds layers likewise.
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
        """Return the greatest feasible d_ff from f downwards."""
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
        """Return the feasible depth with the smallest miss, and that miss, for a feasible d_ff."""
        scope, size, room = self.scope, self.layer + self.slope * f, self.scope.config.total_params - self.fixed
        shallowest = max(scope.min_layers, _ceil_div(scope.low - self.fixed, size))
        deepest = min(scope.max_layers, (scope.high - self.fixed) // size)
        near = room // size
        depths = {min(max(n_layers, shallowest), deepest) for n_layers in (near, near + 1)}
        miss, n_layers = min((abs(room - n_layers * size), n_layers) for n_layers in depths)
        return n_layers, miss

    def nearest_totals(self) -> tuple[int, int]:
        """Return the largest total below an unreachable window (0: there is none) and the smallest above it."""
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
