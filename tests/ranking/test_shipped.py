"""The studies that are shipped: whole, from one machine and version, and every figure and sentence from the records."""

import math
from typing import Any

import pytest

from slimlm.ranking.codec import to_data
from slimlm.ranking.rank import rank_study
from slimlm.ranking.record import read_ranking
from slimlm.ranking.shipped import ShippedStudy, shipped_studies
from slimlm.study.schedule import Schedule
from slimlm.study.study import PACKED, STUDY, VERDICT, read_outcomes

every_study = pytest.mark.parametrize("shipped", shipped_studies(), ids=lambda shipped: shipped.name)


def test_a_study_is_shipped() -> None:
    assert shipped_studies()


def alike(found: Any, wanted: Any) -> bool:
    """Whether two records are equal, figures to nine digits: other versions of NumPy and SciPy round otherwise."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(alike(found[key], wanted[key]) for key in found)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(alike, found, wanted))
    if isinstance(found, float) and isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-12)
    return bool(found == wanted)


@every_study
def test_every_figure_and_sentence_follows_from_the_records(shipped: ShippedStudy) -> None:
    outcomes, problems = read_outcomes(shipped.folder)
    assert problems == []
    assert alike(to_data(shipped.ranking), to_data(rank_study(shipped.study, outcomes)))
    assert read_ranking(shipped.folder) == shipped.ranking


@every_study
def test_a_shipped_study_is_whole_and_of_one_kind(shipped: ShippedStudy) -> None:
    outcomes, ranking = shipped.outcomes, shipped.ranking
    schedule = Schedule(shipped.study, outcomes)
    assert schedule.wanted == ()
    assert outcomes.keys() == schedule.specs.keys()
    assert {outcome.device for outcome in outcomes.values()} == {"cpu"}
    assert len({tuple(outcome.versions.items()) for outcome in outcomes.values()}) == 1
    assert all(outcome.failed_checks == () for outcome in outcomes.values())
    assert (ranking.complete, ranking.mixed, ranking.seeds_used) == (True, (), 3)
    assert {control.key for control in ranking.controls} == {"again", "bad", "second_recipe", "second_horizon"}
    assert shipped.study.request.prediction


@every_study
def test_a_shipped_study_is_records_alone(shipped: ShippedStudy) -> None:
    files = {file.name: file.stat().st_size for file in shipped.folder.iterdir()}
    assert files.keys() == {STUDY, PACKED, VERDICT}
    assert sum(files.values()) < 2_500_000
    assert "/" not in (shipped.folder / STUDY).read_text()
