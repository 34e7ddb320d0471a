"""The law of learning rates: exact for rates that follow one, and refused for rates that do not."""

from hypothesis import given
from hypothesis import strategies as st

from slimlm.core.architecture import Architecture
from slimlm.study.cells import study_cells
from slimlm.study.learning_rates import LARGEST_ERROR, fit_law, law_holds, tidy_rate
from tests.studies import fake_request

CELLS = [cell.architecture for cell in study_cells(fake_request())]


@given(st.floats(-12, -4), st.floats(-2, 1), st.floats(-2, 1))
def test_rates_that_follow_a_law_are_interpolated_exactly(constant: float, width: float, depth: float) -> None:
    def rate(architecture: Architecture) -> float:
        return float(2.0**constant * architecture.d_model**width * architecture.n_layers**depth)

    law = fit_law([(architecture, rate(architecture)) for architecture in CELLS[::2]])
    for architecture in CELLS:
        assert abs(law.rate(architecture) / rate(architecture) - 1) < 0.02


def test_one_width_leaves_the_exponent_of_width_at_zero() -> None:
    same = [Architecture(d_model=64, n_heads=8, d_ff=128, n_layers=layers) for layers in (2, 4, 8)]
    law = fit_law([(architecture, 0.01 / architecture.n_layers) for architecture in same])
    assert abs(law.width) < 1e-9
    assert abs(law.depth + 1) < 1e-9


def test_a_law_holds_within_a_factor() -> None:
    law = fit_law([(architecture, 0.004) for architecture in CELLS])
    one, two = CELLS[:2]
    assert law_holds(law, {one: 0.004 * LARGEST_ERROR * 0.999, two: 0.004})
    assert not law_holds(law, {one: 0.004 * LARGEST_ERROR * 1.01, two: 0.004})
    assert not law_holds(law, {one: 0.004 / LARGEST_ERROR / 1.01})


def test_rates_have_three_digits() -> None:
    assert tidy_rate(0.00123456) == 0.00123
