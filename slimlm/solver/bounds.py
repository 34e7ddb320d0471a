"""Lower bounds of the cost within a range of widths or depths, and the allowances that keep them below it."""

ROUNDING = 1e-9
"""Allowance for rounding in a logarithm: a bound may not exceed the true cost."""

ABOVE, BELOW = 1 + 1e-12, 1 - 1e-12
"""Factors that round a bound outwards."""


def least_cost(target: float, low: float, high: float, start: float, rise: float) -> float:
    """Return the minimum over t in low..high of (t − target)² + max(0, line)²; the line rises by `rise` from `start`.

    >>> round(least_cost(0.0, -1.0, 1.0, 1.0, 0.0), 6), round(least_cost(0.0, -1.0, 1.0, -3.0, 2.0), 6)
    (1.0, 0.0)
    """
    slope = rise / (high - low) if high > low else 0.0
    at_target = start + slope * (target - low)
    free = target - slope * at_target / (1 + slope * slope) if at_target > 0 else target
    # Written out, because a search spends much of its time here: `min` and `max` take longer.
    t = low if free < low else high if free > high else free
    miss, gap = start + slope * (t - low) - ROUNDING, abs(t - target) - ROUNDING
    return ((gap * gap if gap > 0 else 0.0) + (miss * miss if miss > 0 else 0.0)) * BELOW
