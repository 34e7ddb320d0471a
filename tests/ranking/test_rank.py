"""Which cells are ranked, and the figures of those that are."""

import math
from dataclasses import replace

import pytest

from slimlm.core.named_model import FROM_LINK, NamedModel
from slimlm.ranking.rank import rank_study
from slimlm.study.outcome import Outcome
from slimlm.study.schedule import Schedule
from tests.ranking.cases import outcomes, ranking, study
from tests.studies import fake_outcomes, fake_study

KEY = "embedding_ratio=0.25,glu_expansion=4"


def runs_of(key: str) -> list[str]:
    return [spec.key for spec in Schedule(study(), outcomes()).runs("ranking")[key]]


def changed(key: str, **changes: object) -> dict[str, Outcome]:
    """Return the usual outcomes with the second run of a cell changed."""
    second = runs_of(key)[1]
    return outcomes() | {second: replace(outcomes()[second], **changes)}  # type: ignore[arg-type]


def test_all_cells_of_a_complete_study_are_ranked() -> None:
    found = ranking()
    assert [cell.key for cell in found.cells] == [cell.key for cell in study().cells]
    assert all(cell.ranked and len(cell.losses) == 3 for cell in found.cells)
    assert (found.runs_done, found.runs_missing, found.runs_diverged) == (len(outcomes()), 0, 0)
    assert (found.seeds, found.seeds_used, found.degrees_of_freedom) == (3, 3, 24)
    assert found.unit == "bits per byte"
    assert found.axes == ("embedding_ratio", "glu_expansion")
    assert found.axis_names == ("embedding ratio", "GLU expansion")
    assert found.tokens == sum(one.tokens for one in outcomes().values())
    assert found.seconds == pytest.approx(sum(one.seconds for one in outcomes().values()))
    assert found.devices == ("cpu",)
    assert found.least_difference
    for cell in found.cells:
        assert cell.mean == pytest.approx(sum(cell.losses) / 3)
        assert cell.half_width == pytest.approx(found.least_difference / 2)
        assert cell.losses == tuple(outcomes()[key].loss for key in runs_of(cell.key))
    assert [cell.mean for cell in found.best] == sorted(cell.mean or 0 for cell in found.cells if cell.may_be_best)


def test_a_cell_with_a_diverged_run_is_ranked_apart() -> None:
    found = rank_study(study(), changed(KEY, status="diverged", loss=math.inf))
    cell = next(cell for cell in found.cells if cell.key == KEY)
    assert (cell.reason, cell.mean, cell.losses[1]) == ("1 of 3 runs diverged", None, math.inf)
    assert found.runs_diverged == 1
    assert "Not ranked: 1 of 3 runs diverged in 1 of 12 cells." in found.verdict
    assert found.remarks[0] == (
        "Not stable at the best learning rate, and therefore not ranked: 0.25 · 4 (1 of 3 runs diverged; the mean of "
        "the others is 2.108)."
    )


def test_a_cell_with_a_failed_check_is_not_ranked() -> None:
    found = rank_study(study(), changed(KEY, failed_checks=("shifted targets",)))
    cell = next(cell for cell in found.cells if cell.key == KEY)
    assert cell.reason == "failed checks: shifted targets"
    assert found.remarks[0] == "1 run failed a check (shifted targets): its losses mean nothing."


def test_fewer_seeds_are_compared_where_most_cells_have_no_more() -> None:
    last = {runs_of(cell.key)[2] for cell in study().cells[1:]}
    found = rank_study(study(), {key: one for key, one in outcomes().items() if key not in last})
    assert (found.seeds_used, found.degrees_of_freedom, found.runs_missing) == (2, 12, 11)
    assert all(cell.ranked for cell in found.cells)
    assert "2 of 3 seeds are done: the intervals are wider than planned." in found.remarks


def test_a_cell_whose_runs_are_missing_waits() -> None:
    missing = runs_of(KEY)[1]
    found = rank_study(study(), {key: one for key, one in outcomes().items() if key != missing})
    assert [cell.reason for cell in found.cells if not cell.ranked] == ["1 of 3 runs missing"]
    assert found.seeds_used == 3


def test_a_single_cell_has_nothing_to_be_compared_with() -> None:
    rest = {key for cell in study().cells[1:] for key in runs_of(cell.key)}
    found = rank_study(study(), {key: one for key, one in outcomes().items() if key not in rest})
    assert found.cells[0].reason == "no other cell to compare with"
    assert (found.seeds_used, found.answer, found.pooled_sd) == (0, "", None)


def test_published_models_are_cells_beside_the_grid() -> None:
    shape = replace(study().cells[0].architecture, d_ff=130)
    tiny = NamedModel("Tiny\n\u202e model", shape, FROM_LINK)
    beside = fake_study(models=(tiny,), y=("glu_expansion", (2, 4)), controls=False)
    found = rank_study(beside, fake_outcomes(beside))
    assert [cell.label for cell in found.cells][-1] == "Tiny model"
    assert found.cells[-1].x is None
    assert "; Tiny model is worse than the best cell by 0.201 ± 0.022." in found.verdict
