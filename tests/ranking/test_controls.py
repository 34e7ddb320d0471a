"""Controls: pairs with a known outcome, and the order under another recipe and for another horizon."""

import math
from dataclasses import replace

import pytest

from slimlm.ranking.rank import rank_study
from slimlm.ranking.result import Control
from slimlm.study.outcome import Outcome
from slimlm.study.schedule import Group, Schedule
from tests.ranking.cases import outcomes, ranking, study
from tests.studies import fake_outcomes, fake_study


def controls(found: dict[str, Outcome]) -> dict[str, Control]:
    return {control.key: control for control in rank_study(study(), found).controls}


def shifted(group: Group, by: float) -> dict[str, Outcome]:
    """Return the usual outcomes with the losses of a group moved; infinite is a divergence."""
    keys = {spec.key for specs in Schedule(study(), outcomes()).runs(group).values() for spec in specs}
    status = "finished" if math.isfinite(by) else "diverged"
    return {
        key: replace(one, loss=one.loss + by, status=status) if key in keys else one for key, one in outcomes().items()
    }


def test_the_controls_of_a_good_study_pass() -> None:
    found = {control.key: control for control in ranking().controls}
    assert list(found) == ["again", "bad", "second_recipe", "second_horizon"]
    assert all(control.passed for control in found.values())
    assert found["again"].sentence == (
        "Runs of 0.35 · 3 with other seeds differ by 0.006 ± 0.018 bits per byte: not significant, as it should be."
    )
    assert found["bad"].sentence == (
        "0.35 · 3 with a learning rate 16 times lower is worse by 0.500 ± 0.018 bits per byte: the study sees it."
    )
    assert found["second_recipe"].sentence == (
        "Under the second recipe (batch_tokens=2048, warmup_share=0.05, embedding_std=0.02), the order of 4 cells "
        "agrees with that of the ranking with Kendall τ = 1.00; no significant pair is reversed. The recipe moves the "
        "loss by +0.057, these cells differ by 0.182 bits per byte."
    )
    assert found["second_recipe"].figures["tau"] == 1.0
    assert found["second_horizon"].sentence.startswith("After 0.25 × the tokens, the order of 4 cells agrees")


def test_an_a_a_pair_that_differs_fails() -> None:
    found = controls(shifted("again", 0.05))["again"]
    assert found.passed is False
    assert found.sentence == (
        "Runs of 0.35 · 3 with other seeds differ by 0.056 ± 0.018 bits per byte: significant, by chance (in one study "
        "of twenty) or because the error bars are too narrow."
    )
    assert found.figures["difference"] == pytest.approx(0.056, abs=1e-3)


def test_a_bad_cell_that_is_not_seen_fails() -> None:
    found = controls(shifted("bad", -0.5))["bad"]
    assert found.passed is False
    assert found.sentence == (
        "0.35 · 3 with a learning rate 16 times lower is not significantly worse (0.000 ± 0.018 bits per byte): the "
        "study cannot see even that."
    )


def test_pairs_whose_runs_diverged() -> None:
    again, bad = controls(shifted("again", math.inf))["again"], controls(shifted("bad", math.inf))["bad"]
    assert (again.passed, bad.passed) == (False, True)
    assert again.sentence == "3 of 3 runs of 0.35 · 3 with other seeds diverged: the cell is not stable."
    assert bad.sentence == "0.35 · 3 with a learning rate 16 times lower diverged in 3 of 3 runs."


def test_an_order_that_is_reversed_fails() -> None:
    found = next(control for control in ranking("recipe").controls if control.key == "second_recipe")
    assert found.passed is False
    assert "Kendall τ = −1.00; 6 of 6 significant pairs are reversed." in found.sentence
    assert (found.figures["pairs"], found.figures["reversed"], found.figures["cells"]) == (6, 6, 4)


def test_an_order_of_equal_cells_is_no_test() -> None:
    found = next(control for control in ranking("flat").controls if control.key == "second_recipe")
    assert found.passed is None
    assert "no two of them differ significantly in the ranking." in found.sentence


def test_controls_wait_for_their_runs() -> None:
    found = controls({})
    assert [control.passed for control in found.values()] == [None] * 4
    assert found["again"].sentence == "Runs of 0.35 · 3 are missing."
    assert found["second_horizon"].sentence == "After 0.25 × the tokens: runs are missing."


def test_controls_of_cells_whose_learning_rate_is_not_bracketed() -> None:
    found = {control.key: control for control in ranking("unbracketed").controls}
    assert found["again"].sentence == "Not run: the learning rate of 0.35 · 3 is not bracketed."
    words = "After 0.25 × the tokens: no two cells have a bracketed learning rate and runs that all ended."
    assert found["second_horizon"].sentence == words
    assert not any(control.passed for control in found.values())


def test_a_cell_that_diverged_is_left_out_of_the_orders() -> None:
    cells = Schedule(study(), outcomes()).control_cells
    runs = Schedule(study(), outcomes()).runs("second_recipe")[cells[0].key]
    lost = {spec.key: replace(outcomes()[spec.key], status="diverged", loss=math.inf) for spec in runs}
    found = controls(outcomes() | lost)["second_recipe"]
    assert "the order of 3 cells" in found.sentence
    assert found.sentence.endswith("1 cell could not be compared.")


def test_a_study_without_controls_has_none() -> None:
    plain = fake_study(x=("embedding_ratio", (0.25, 0.45)), y=("glu_expansion", (2, 4)), controls=False)
    assert rank_study(plain, fake_outcomes(plain)).controls == ()
