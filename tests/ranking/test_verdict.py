"""The verdict of every kind of study, word by word."""

from dataclasses import replace

import pytest

from slimlm.core.architecture import Architecture
from slimlm.ranking.rank import rank_study
from slimlm.ranking.verdict import study_verdict
from slimlm.runs.recipe import TrainRecipe
from tests.ranking.cases import flat, outcomes, ranking, study
from tests.studies import fake_outcomes, fake_study

VERDICTS = {
    "usual": "Embedding ratio 0.35 and 0.45 may be best (6 of 12 cells); 0.25 is worse by 0.142 ± 0.018 bits per byte; "
    "the cell moves the loss more than the recipe does (0.199 against 0.057).",
    "flat": "No two cells differ significantly: 3 seeds show differences of 0.031 bits per byte and more.",
    "recipe": "Embedding ratio 0.45 may be best (3 of 12 cells); 0.25 is worse by 0.225 ± 0.021 and 0.35 by "
    "0.062 ± 0.021 bits per byte; the recipe moves the loss more than the cell does (0.507 against 0.314). The order "
    "does not survive the second recipe.",
    "winner": "0.35 · 3 is best (embedding ratio · GLU expansion): the next, 0.45 · 4, is worse by 0.300 ± 0.025 bits "
    "per byte; the cell moves the loss more than the recipe does (0.315 against 0.003).",
    "unbracketed": "No ranking: learning rate not bracketed in 12 of 12 cells.",
}


@pytest.mark.parametrize("case", VERDICTS)
def test_the_verdict_of_a_complete_study(case: str) -> None:
    found = ranking(case)
    assert found.complete
    assert found.verdict == VERDICTS[case]
    assert found.verdict.lower().startswith(found.answer.lower())


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [
        (0, "So far, 0 of at least 30 runs: no two cells can be compared yet."),
        (10, "So far, 10 of at least 42 runs: no two cells can be compared yet."),
        (
            60,
            "So far, 60 of at least 102 runs: 2 of 5 cells may be best (embedding ratio · GLU expansion): 0.45 · 2 and "
            "0.35 · 4; the next, 0.35 · 2.66, is worse than the first by 0.033 ± 0.025 bits per byte. Not ranked: runs "
            "missing in 7 of 12 cells.",
        ),
    ],
)
def test_the_verdict_so_far(runs: int, verdict: str) -> None:
    assert rank_study(study(), dict(list(outcomes().items())[:runs])).verdict == verdict


def test_many_values_that_are_worse_are_counted() -> None:
    ratios = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45)
    wide = fake_study(x=("embedding_ratio", ratios), y=("glu_expansion", (2, 4)), controls=False)
    found = rank_study(wide, fake_outcomes(wide, lambda arch, recipe: flat(arch, recipe) + 0.02 * arch.n_layers))
    assert found.verdict == (
        "Embedding ratio 0.4 and 0.45 may be best (3 of 12 cells); the best of the other 4, 0.35, is worse by "
        "0.046 ± 0.025 bits per byte."
    )


def test_both_axes_are_named_where_both_separate() -> None:
    small = fake_study(x=("embedding_ratio", (0.25, 0.35, 0.45)), y=("glu_expansion", (2, 3, 4)), controls=False)

    def corner(arch: Architecture, recipe: TrainRecipe) -> float:
        narrow, thin = arch.d_model < 80, arch.glu_expansion < 2.5
        return flat(arch, recipe) + (0.3 if narrow else 0.0) + (0.2 if thin else 0.0)

    assert rank_study(small, fake_outcomes(small, corner)).verdict == (
        "Embedding ratio 0.35 and 0.45 with GLU expansion 3 and 4 may be best (4 of 9 cells); embedding ratio 0.25 is "
        "worse by 0.306 ± 0.018; GLU expansion 2 is worse by 0.204 ± 0.018 bits per byte."
    )


def test_reasons_are_counted_where_they_differ() -> None:
    found = ranking()
    first, second, *rest = found.cells
    cells = (replace(first, reason="runs missing"), replace(second, reason="1 of 3 runs diverged"), *rest)
    assert "Not ranked: 2 of 12 cells: 1 (runs missing) and 1 (1 of 3 runs diverged)." in study_verdict(
        replace(found, cells=cells)
    )


def test_controls_that_fail_and_mixed_runs_are_said() -> None:
    found = ranking()
    controls = tuple(replace(control, passed=False) for control in found.controls)
    verdict = study_verdict(replace(found, controls=controls, mixed=("devices", "versions of torch")))
    for alarm in (
        "Two sets of runs of one cell differ significantly: the error bars may be too narrow.",
        "The bad cell is not significantly worse: the study cannot see even that.",
        "The order does not survive the second recipe. The order does not survive the second horizon.",
        "The runs have different devices and versions of torch.",
    ):
        assert alarm in verdict
