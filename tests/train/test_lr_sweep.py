"""The sweep: minima of known functions, grids that are extended, and ends that are not brackets."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.runs.lr_search import search_minimum
from slimlm.train.lr_sweep import sweep_learning_rates
from slimlm.utils.validation import FieldError
from tests.train.sources import chain_data, recipe, tiny


@given(st.floats(-5, 5), st.floats(0.01, 3), st.floats(-10, 10))
def test_the_vertex_of_a_parabola_is_found_exactly(vertex: float, curvature: float, lowest: float) -> None:
    found = search_minimum(1e-3, lambda rate: [curvature * (math.log2(rate / 1e-3) - vertex) ** 2 + lowest], 9)
    assert found.best is not None
    assert math.log2(found.best / 1e-3) == pytest.approx(vertex, abs=1e-5)
    assert found.parabola is not None
    rates = list(found.losses)
    assert rates == sorted(rates)
    values = np.polyval(found.parabola, np.log2([rate for rate in rates if 0.5 <= rate / found.best <= 2]))
    expected = [found.losses[rate] for rate in rates if 0.5 <= rate / found.best <= 2]
    assert values == pytest.approx(expected, abs=1e-4)


def test_the_grid_is_extended_no_further_than_needed() -> None:
    asked: list[float] = []

    def losses(rate: float) -> list[float]:
        asked.append(rate)
        return [(math.log2(rate) - 2) ** 2]

    found = search_minimum(1.0, losses)
    assert asked == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert found.best == pytest.approx(4.0)
    assert found.verdict == "the best learning rate is 4"


@pytest.mark.parametrize(("sign", "end"), [(1, "lowest"), (-1, "highest")])
def test_a_minimum_at_the_end_is_not_bracketed(sign: int, end: str) -> None:
    found = search_minimum(1.0, lambda rate: [sign * rate], extensions=2)
    assert not found.is_bracketed
    assert (found.best, found.parabola) == (None, None)
    assert len(found.losses) == 5
    assert found.verdict.startswith("not bracketed: the best learning rate, ")
    assert found.verdict.endswith(f", is the {end} that was tried")


def test_a_rate_that_diverged_is_a_bracket_without_a_parabola() -> None:
    found = search_minimum(1.0, lambda rate: [math.inf if rate > 1 else -rate])
    assert (found.best, found.parabola) == (1.0, None)
    assert not search_minimum(1.0, lambda rate: [math.inf], extensions=1).is_bracketed


def test_seeds_are_averaged_and_one_that_diverged_counts() -> None:
    found = search_minimum(
        1.0, lambda rate: [math.log2(rate) ** 2, math.inf if rate == 2 else math.log2(rate) ** 2 + 1]
    )
    assert found.losses == {0.5: 1.5, 1.0: 0.5, 2.0: math.inf}
    assert found.by_seed[2.0] == (1.0, math.inf)


def test_a_sweep_trains_whole_runs_and_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    wanted = recipe(learning_rate=0.02, dropout=0.0, checkpoint_every=10**6)
    told: list[str] = []
    found = sweep_learning_rates(tiny(), wanted, chain_data(), tmp_path, progress=lambda _, text: told.append(text))
    assert len(found.losses) >= 3
    assert len({round(loss, 3) for loss in found.losses.values()}) == len(found.losses)
    assert {folder.name for folder in tmp_path.iterdir()} == {f"lr-{rate:.6g}-seed-0" for rate in found.losses}
    assert told[0].startswith("learning rate 0.01, training: step 1 of 20")
    told.clear()
    assert sweep_learning_rates(tiny(), wanted, chain_data(), tmp_path) == found
    assert not told


def test_rates_and_seeds_out_of_range_are_refused_before_any_run(tmp_path: Path) -> None:
    for changes, message in (({"learning_rate": 60.0}, "learning_rate=120"), ({"seed": 2**32 - 1}, "seed=4294967296")):
        with pytest.raises(FieldError, match=f"^{message}.* is not allowed: "):
            sweep_learning_rates(tiny(), recipe(**changes), chain_data(), tmp_path / "sweep", seeds=2)
    assert not (tmp_path / "sweep").exists()
