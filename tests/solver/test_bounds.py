"""Lower bounds within a range: no point of the range costs less, and some point costs as little."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.solver.bounds import least_cost

REAL = st.floats(-5, 5)


@given(REAL, REAL, st.floats(0.001, 5), REAL, REAL)
def test_the_least_cost_is_that_of_the_best_point(
    target: float, low: float, length: float, start: float, rise: float
) -> None:
    t = np.linspace(low, low + length, 20_001)
    line = np.maximum(0, start + rise * (t - low) / length)
    best = float(np.min((t - target) ** 2 + line**2))
    assert least_cost(target, low, low + length, start, rise) == pytest.approx(best, abs=2e-4, rel=1e-3)


def test_a_range_of_one_point_costs_what_it_costs() -> None:
    assert least_cost(1.0, 3.0, 3.0, 2.0, 7.0) == pytest.approx(8.0)
    assert least_cost(1.0, 3.0, 3.0, -2.0, 7.0) == pytest.approx(4.0)
