"""The plan: the runs of a study by purpose, of which there are no fewer."""

from slimlm.study.plan import plan_study
from tests.studies import fake_outcomes, fake_study


def test_the_plan_counts_every_run_once() -> None:
    plan = plan_study(fake_study())
    counts = {purpose: len(specs) for purpose, specs in plan.runs.items()}
    assert counts["ranking"] == 36
    assert (counts["again"], counts["bad"], counts["second_recipe"], counts["second_horizon"]) == (3, 3, 12, 12)
    keys = [spec.key for specs in plan.runs.values() for spec in specs]
    assert len(keys) == len(set(keys)) == plan.count
    assert plan.flops == sum(spec.flops for specs in plan.runs.values() for spec in specs)
    assert plan.tokens == sum(spec.recipe.tokens for specs in plan.runs.values() for spec in specs)


def test_no_study_needs_fewer_runs_than_its_plan() -> None:
    study = fake_study()
    assert plan_study(study).count <= len(fake_outcomes(study))
