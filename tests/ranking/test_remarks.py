"""Remarks: everything that qualifies the answer of a study is said by name."""

from dataclasses import replace

import pytest

from slimlm.ranking.rank import rank_study
from slimlm.ranking.result import Ranking
from slimlm.study.outcome import Outcome
from tests.ranking.cases import outcomes, ranking, study
from tests.studies import fake_outcomes, fake_study, usual_loss


def with_first(**changes: object) -> Ranking:
    """Return the ranking with some fields of one run changed."""
    key, one = next(iter(outcomes().items()))
    return rank_study(study(), outcomes() | {key: replace(one, **changes)})  # type: ignore[arg-type]


def test_the_remarks_of_a_good_study() -> None:
    assert ranking().remarks == (
        "The learning rate of 4 cells is interpolated by a law over width and depth, which misses those that were "
        "searched by a factor of up to 1.23.",
        "At a fixed total and vocabulary the embedding ratio is the width, and with it the depth: from d_model 64 with "
        "11 to 18 layers to d_model 120 with 3.",
        "All cells train on 249.9k tokens; the operations of a run differ by 21.1 %, the time by a factor of 1.21.",
        "0.45 · 2 (GLU expansion 2.12), 0.45 · 2.66 (embedding ratio 0.489 and GLU expansion 2.49), 0.45 · 3 "
        "(embedding ratio 0.424) and 2 more miss their targets by more than 5 %.",
    )


@pytest.mark.parametrize(
    ("changes", "remark", "mixed"),
    [
        ({"device": "NVIDIA H200"}, "Mixed devices: NVIDIA H200 and cpu.", "devices"),
        ({"device": "H\n\u202e200"}, "Mixed devices: H 200 and cpu.", "devices"),
        ({"precision": "bfloat16"}, "Mixed precisions: bfloat16 and float32.", "precisions"),
        (
            {"versions": {"python": "3.11.7", "torch": "2.11.0", "slimlm": "0.1.0"}},
            "Mixed versions of torch: 2.11.0 and 2.13.0+cpu.",
            "versions of torch",
        ),
    ],
)
def test_what_runs_should_have_in_common(changes: dict[str, object], remark: str, mixed: str) -> None:
    found = with_first(**changes)
    assert remark in found.remarks
    assert found.mixed == (mixed,)
    assert found.verdict.endswith(f"The runs have different {mixed}.")


def test_records_of_another_study_are_left_out() -> None:
    one = next(iter(outcomes().values()))
    found = rank_study(study(), outcomes() | {"0" * 16: replace(one, key="0" * 16, device="other")})
    assert found.remarks[0] == "1 record belongs to no run of this study (other data, or another request): left out."
    assert (found.runs_done, found.devices) == (len(outcomes()), ("cpu",))


def test_records_that_cannot_be_read_are_said() -> None:
    problems = ["the record of run a is damaged", *["the record of\nrun b is damaged."] * 4]
    found = rank_study(study(), outcomes(), problems)
    assert found.remarks[:4] == (
        "the record of run a is damaged.",
        "the record of run b is damaged.",
        "the record of run b is damaged.",
        "2 more records cannot be read.",
    )


def test_searches_that_diverged_are_counted() -> None:
    found = rank_study(study(), fake_outcomes(study(), diverges=lambda arch, recipe: recipe.learning_rate > 5e-3))
    assert "12 runs diverged in the search for a learning rate." in found.remarks


def test_unequal_variances_are_said() -> None:
    wild = dict(outcomes())
    cell = ranking().cells[0]
    factor = {loss: 2.0 + 40 * (loss - (cell.mean or 0)) for loss in cell.losses}
    changed: dict[str, Outcome] = {key: replace(one, loss=factor.get(one.loss, one.loss)) for key, one in wild.items()}
    remark = next(remark for remark in rank_study(study(), changed).remarks if "variance" in remark)
    assert remark.startswith("The cells do not have one variance (Bartlett's test, p ")


def test_a_vocabulary_axis_is_not_equal_text() -> None:
    sizes = fake_study(x=("vocab_size", (2048, 4096)), y=("glu_expansion", (2, 4)), equal="flops", seeds=2)
    remarks = rank_study(sizes, fake_outcomes(sizes)).remarks
    assert any(
        remark.startswith("Vocabularies differ, so that equal tokens are not equal text: a run reads from 7")
        for remark in remarks
    )
    assert any(remark.startswith("All cells train with equal operations; the tokens of a run d") for remark in remarks)
    assert not any("embedding ratio is the width" in remark for remark in remarks)


def test_the_prediction_is_compared_with_the_order() -> None:
    asked = fake_study(prediction="medium\nwins.", y=("glu_expansion", (2, 4)), controls=False)
    assert rank_study(asked, {}).prediction == (
        "Predicted: medium wins. The shapes of published models suggest 0.35 · 4 as the best cell."
    )
    found = rank_study(asked, fake_outcomes(asked, usual_loss)).prediction
    assert found.startswith("Predicted: medium wins. The shapes of published models suggest 0.35 · 4 as the best cell,")
    assert "the order agrees with Kendall τ = " in found
