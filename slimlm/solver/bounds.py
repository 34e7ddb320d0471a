"""Lower bounds of the cost within a range of widths or depths, and the allowances that keep them below it."""

import math
from typing import NamedTuple

ROUNDING = 1e-9
"""Allowance for rounding in a logarithm: a bound may not exceed the true cost."""

ABOVE, BELOW = 1 + 1e-12, 1 - 1e-12
"""Factors that round a bound outwards."""


Line = tuple[float, float]
"""A line over a range: its start, and its rise up to the end."""


class Counts(NamedTuple):
    """Parameters of one width with heads of one width, and the d_ff in grains that has exactly the target expansion."""

    log_width: float
    """ln(d_model)."""
    fixed: float
    """Those outside the counted layers."""
    layer: float
    slope: float
    target: float

    def target_layer(self) -> float:
        """Return the parameters of a layer that has exactly the target expansion."""
        return self.layer + self.slope * self.target

    def grains(self, n_layers: int, total: int) -> float:
        """Return the d_ff in grains, whole or not, of the model of a depth and total (< 0: too deep)."""
        return ((total - self.fixed) / n_layers - self.layer) / self.slope

    def expansion(self, grains: float) -> float:
        """Return ln(expansion / target expansion)."""
        return math.log(grains / self.target) if grains > 0 else -math.inf

    def expansion_at(self, n_layers: int, total: int) -> float:
        """Return the same for the model of a depth and total."""
        return self.expansion(self.grains(n_layers, total))


def least_cost(target: float, low: float, high: float, start: float, rise: float) -> float:
    """Return the minimum over t in low..high of (t − target)² + max(0, line)²; the line rises by `rise` from `start`.

    >>> round(least_cost(0.0, -1.0, 1.0, 1.0, 0.0), 6), round(least_cost(0.0, -1.0, 1.0, -3.0, 2.0), 6)
    (1.0, 0.0)
    """
    slope = rise / (high - low) if high > low else 0.0
    at_target = start + slope * (target - low)
    free = target - slope * at_target / (1 + slope * slope) if at_target > 0 else target
    t = min(max(free, low), high)
    miss = max(0.0, start + slope * (t - low) - ROUNDING)
    return ((t - target) ** 2 + miss * miss) * BELOW


def larger_of_two(target: float, low: float, high: float, one: Line, other: Line) -> float:
    """Return the larger of the least costs of two lines."""
    return max(least_cost(target, low, high, *one), least_cost(target, low, high, *other))
