"""The made-up studies of the other tests."""

from pathlib import Path

import pytest

from slimlm.study.schedule import Schedule
from slimlm.study.study import open_study, read_outcomes
from tests.studies import fake_outcomes, fake_study, write_fake


@pytest.mark.parametrize("packed", [True, False])
def test_a_written_study_reads_back(tmp_path: Path, packed: bool) -> None:
    study = fake_study()
    outcomes = fake_outcomes(study, diverges=lambda arch, recipe: recipe.learning_rate > 0.007)
    assert any(one.diverged for one in outcomes.values())
    assert not Schedule(study, outcomes).wanted
    write_fake(tmp_path, study, outcomes, packed=packed)
    assert open_study(tmp_path).to_record() == study.to_record()
    assert read_outcomes(tmp_path) == (outcomes, [])


def test_an_interrupted_study_is_the_start_of_a_complete_one() -> None:
    study = fake_study(x=("embedding_ratio", (0.25, 0.45)), y=("glu_expansion", (2, 4)))
    whole, part = fake_outcomes(study), fake_outcomes(study, most=9)
    assert len(part) == 9
    assert part.items() <= whole.items()
    assert Schedule(study, part).wanted
