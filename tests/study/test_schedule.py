"""The schedule: what is needed next, adaptive searches, controls, and the same runs in whatever order they end."""

import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.architecture import Architecture
from slimlm.core.published import published_model
from slimlm.runs.recipe import TrainRecipe
from slimlm.study.cells import middle_cell, spread
from slimlm.study.outcome import Outcome
from slimlm.study.request import OTHER_SEEDS
from slimlm.study.schedule import BAD_FACTOR, Schedule
from slimlm.study.study import Study
from tests.studies import best_rate, fake_outcome, fake_outcomes, fake_study, usual_loss

STUDY = fake_study()
COMPLETE = fake_outcomes(STUDY, sd=0.0)


def test_a_study_begins_with_the_searches_of_the_anchors_and_of_the_controls() -> None:
    wanted = Schedule(STUDY).wanted
    assert len(wanted) == (6 + 4) * 3
    assert {spec.recipe.seed for spec in wanted} == {0}
    assert [spec.flops for spec in wanted] == sorted((spec.flops for spec in wanted), reverse=True)
    assert {spec.recipe.learning_rate for spec in wanted} == {2e-3, 4e-3, 8e-3}


def test_a_complete_study_wants_nothing_and_has_every_group() -> None:
    schedule = Schedule(STUDY, COMPLETE)
    assert schedule.wanted == ()
    assert {group: len(schedule.runs(group)) for group in ("ranking", "again", "bad")} == {
        "ranking": 12, "again": 1, "bad": 1,
    }  # fmt: skip
    assert len(schedule.runs("second_recipe")) == len(schedule.runs("second_horizon")) == 4
    assert all(len(specs) == 3 for specs in schedule.runs("ranking").values())


def test_searched_rates_are_the_optimum_and_others_follow_the_law() -> None:
    schedule = Schedule(STUDY, COMPLETE)
    origins = [found.origin for found in schedule.rates.values()]
    assert (origins.count("searched"), origins.count("interpolated")) == (8, 4)
    assert schedule.law is not None
    for cell in STUDY.cells:
        rate = schedule.rates[cell.key]
        assert rate.rate == pytest.approx(best_rate(cell.architecture), rel=0.05)
        assert rate.law == pytest.approx(best_rate(cell.architecture), rel=0.05)


def test_a_law_that_is_not_verified_makes_every_cell_searched() -> None:
    verifying = [cell.architecture for cell in spread(STUDY.cells, 8)[6:]]

    def bent(architecture: Architecture, recipe: TrainRecipe) -> float:
        peak = 4e-3 * (2 if architecture in verifying else 1)
        return 2 + 0.05 * math.log2(recipe.learning_rate / peak) ** 2

    schedule = Schedule(STUDY, fake_outcomes(STUDY, bent, sd=0.0))
    assert schedule.law is None
    assert {found.origin for found in schedule.rates.values()} == {"searched"}
    assert len(schedule.rates) == len(STUDY.cells)


def test_a_rate_that_is_not_bracketed_is_not_known_and_its_cell_is_not_trained() -> None:
    narrowest = min(STUDY.cells, key=lambda cell: cell.architecture.d_model).architecture

    def falling(architecture: Architecture, recipe: TrainRecipe) -> float:
        if architecture == narrowest:
            return 2 + 0.05 * math.log2(recipe.learning_rate)
        return usual_loss(architecture, recipe)

    schedule = Schedule(STUDY, fake_outcomes(STUDY, falling, sd=0.0))
    unknown = [key for key, found in schedule.rates.items() if found.rate is None]
    assert len(unknown) == 1
    assert schedule.rates[unknown[0]].origin == "not bracketed"
    assert unknown[0] not in schedule.runs("ranking")
    assert schedule.law is None  # an anchor is missing: the other cells are searched


def test_the_halves_of_the_a_a_pair_share_no_seed_and_the_bad_cell_has_a_low_rate() -> None:
    schedule = Schedule(STUDY, COMPLETE)
    key = middle_cell(STUDY.cells).key
    first, again, bad = (schedule.runs(group)[key] for group in ("ranking", "again", "bad"))
    assert [spec.recipe.seed for spec in again] == [spec.recipe.seed + OTHER_SEEDS for spec in first]
    assert again[0].recipe.learning_rate == first[0].recipe.learning_rate
    assert first[0].recipe.learning_rate / bad[0].recipe.learning_rate == pytest.approx(BAD_FACTOR, rel=0.01)


def test_the_second_horizon_has_a_schedule_of_its_own_and_the_second_recipe_a_search() -> None:
    schedule = Schedule(STUDY, COMPLETE)
    for key, specs in schedule.runs("second_horizon").items():
        assert {spec.recipe.tokens for spec in specs} == {62_464}
        assert specs[0].recipe.learning_rate == schedule.rates[key].rate
    for key, specs in schedule.runs("second_recipe").items():
        assert {spec.recipe.batch_tokens for spec in specs} == {2048}
        assert specs[0].recipe.learning_rate == schedule.second_rates[key].rate


def test_without_controls_only_the_ranking_is_trained() -> None:
    study = fake_study(controls=False)
    schedule = Schedule(study, fake_outcomes(study))
    assert schedule.wanted == () and schedule.control_cells == ()
    assert not any(schedule.runs(group) for group in ("again", "bad", "second_recipe", "second_horizon"))


def test_a_model_beside_the_grid_has_a_search_of_its_own() -> None:
    study = fake_study(models=(published_model("gpt2"),), controls=False)
    schedule = Schedule(study, fake_outcomes(study))
    assert schedule.rates["gpt2"].origin == "searched"
    assert len(schedule.runs("ranking")) == 13


def test_a_small_grid_is_searched_wholly() -> None:
    study = fake_study(x=("embedding_ratio", (0.25, 0.45)), y=("glu_expansion", (2, 4)))
    schedule = Schedule(study, fake_outcomes(study))
    assert {found.origin for found in schedule.rates.values()} == {"searched"}
    assert schedule.law is None


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32))
def test_the_order_in_which_runs_end_changes_nothing(seed: int) -> None:
    random, outcomes = Random(seed), dict[str, Outcome]()
    while wanted := list(Schedule(STUDY, outcomes).wanted):
        for spec in random.sample(wanted, random.randint(1, len(wanted))):
            outcomes[spec.key] = fake_outcome(STUDY, spec, sd=0.0)
    assert outcomes.keys() == COMPLETE.keys()


def test_runs_that_diverged_count_as_worse_rates() -> None:
    def diverges(architecture: Architecture, recipe: TrainRecipe) -> bool:
        return recipe.learning_rate > 4e-3

    outcomes = fake_outcomes(STUDY, diverges=diverges, sd=0.0)
    assert any(outcome.diverged for outcome in outcomes.values())
    assert all(found.rate is None or found.rate <= 8e-3 for found in Schedule(STUDY, outcomes).rates.values())


def test_the_search_so_far_is_shown_while_it_goes_on() -> None:
    cell = STUDY.cells[0]
    some = fake_outcomes(STUDY, most=30)
    found = Schedule(STUDY, some).partial_search(cell, STUDY.request.recipe)
    assert list(found) == sorted(found)
    assert len(found) >= 3
    assert Schedule(STUDY).partial_search(cell, STUDY.request.recipe) == {}


def test_other_data_makes_other_runs() -> None:
    digests = {size: replace(data, digest="f" * 64) for size, data in STUDY.data.items()}
    other = Schedule(Study(STUDY.request, digests)).wanted
    assert not {spec.key for spec in other} & {spec.key for spec in Schedule(STUDY).wanted}
