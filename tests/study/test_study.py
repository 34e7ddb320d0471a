"""Folders of studies: written once, read back, packed, and refused in a sentence when they are damaged."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slimlm.core.architecture import Architecture
from slimlm.runs.recipe import TrainRecipe
from slimlm.study.schedule import Schedule
from slimlm.study.spec import RunSpec, spec_from_record
from slimlm.study.study import (
    FORMAT,
    PACKED,
    RUNS,
    STUDY,
    Study,
    open_study,
    pack_study,
    read_outcomes,
    read_under_way,
    study_from_record,
    write_study,
)
from tests.studies import fake_outcomes, fake_study, write_fake

SMALL: dict[str, Any] = {"x": ("embedding_ratio", (0.25, 0.45)), "y": ("glu_expansion", (2, 4)), "seeds": 2}
STUDY_OF_FOUR = fake_study(**SMALL)
OUTCOMES = fake_outcomes(STUDY_OF_FOUR)


def test_a_study_is_written_once_and_read_back(tmp_path: Path) -> None:
    write_study(tmp_path, STUDY_OF_FOUR)
    before = (tmp_path / STUDY).read_bytes()
    write_study(tmp_path, STUDY_OF_FOUR)
    assert (tmp_path / STUDY).read_bytes() == before
    read = open_study(tmp_path)
    assert read.to_record() == STUDY_OF_FOUR.to_record()
    assert [cell.key for cell in read.cells] == [cell.key for cell in STUDY_OF_FOUR.cells]
    assert [spec.key for spec in Schedule(read).wanted] == [spec.key for spec in Schedule(STUDY_OF_FOUR).wanted]


def test_the_prediction_is_written_before_any_run(tmp_path: Path) -> None:
    write_study(tmp_path, fake_study(prediction="deep wins", **SMALL))
    prediction = json.loads((tmp_path / STUDY).read_text())["prediction"]
    assert prediction["words"] == "deep wins"
    assert len(prediction["order"]) == 4


def test_another_study_in_the_folder_is_refused(tmp_path: Path) -> None:
    write_study(tmp_path, STUDY_OF_FOUR)
    with pytest.raises(ValueError, match=r" holds another study: another folder, or the same request, would work$"):
        write_study(tmp_path, fake_study(**SMALL | {"seeds": 3}))


@pytest.mark.parametrize("packed", [True, False])
def test_outcomes_are_read_back_and_packed(tmp_path: Path, packed: bool) -> None:
    write_fake(tmp_path / "a", STUDY_OF_FOUR, OUTCOMES, packed=packed)
    found, problems = read_outcomes(tmp_path / "a")
    assert found == OUTCOMES
    assert problems == []


def test_packing_keeps_every_outcome_and_a_study_goes_on_from_it(tmp_path: Path) -> None:
    half = dict(list(OUTCOMES.items())[: len(OUTCOMES) // 2])
    write_fake(tmp_path / "a", STUDY_OF_FOUR, half, packed=False)
    pack_study(tmp_path / "a", tmp_path / "b")
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [PACKED, STUDY]
    assert read_outcomes(tmp_path / "b")[0] == half
    rest = {key: one for key, one in OUTCOMES.items() if key not in half}
    write_fake(tmp_path / "c", STUDY_OF_FOUR, rest, packed=False)
    (tmp_path / "c" / RUNS).rename(tmp_path / "b" / RUNS)  # merged by copying folders
    assert read_outcomes(tmp_path / "b")[0] == OUTCOMES
    pack_study(tmp_path / "b", tmp_path / "b")  # what is packed already stays
    pack_study(tmp_path / "b", tmp_path / "d")
    assert read_outcomes(tmp_path / "d")[0] == OUTCOMES


def test_a_damaged_run_is_one_sentence_and_the_others_are_read(tmp_path: Path) -> None:
    write_fake(tmp_path, STUDY_OF_FOUR, OUTCOMES, packed=False)
    first, second, *_ = sorted(OUTCOMES)
    (tmp_path / RUNS / first / "result.json").write_text('{"status": "finished"}')
    (tmp_path / RUNS / second / "result.json").write_text("{")
    found, problems = read_outcomes(tmp_path)
    assert found.keys() == OUTCOMES.keys() - {first, second}
    assert len(problems) == 2
    assert problems[0].startswith(f"the record of run {first} is damaged (")
    assert problems[0].endswith("): deleting its folder would work")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", rf"^line 1 of {PACKED} is no record of a run"),
        ('{"key": 3}', rf"^line 1 of {PACKED} is no record of a run"),
        ("{", rf"^line 1 of {PACKED} "),
    ],
)
def test_a_damaged_line_of_records_is_a_problem_and_loses_no_other(tmp_path: Path, text: str, message: str) -> None:
    write_fake(tmp_path, STUDY_OF_FOUR, OUTCOMES)
    whole = (tmp_path / PACKED).read_text()
    (tmp_path / PACKED).write_text(f"{text}\n{whole}")
    found, (problem,) = read_outcomes(tmp_path)
    assert found == OUTCOMES
    assert re.match(message, problem)
    with pytest.raises(ValueError, match=message):
        pack_study(tmp_path, tmp_path / "packed")


def test_a_packed_record_without_a_part_is_a_problem(tmp_path: Path) -> None:
    write_study(tmp_path, STUDY_OF_FOUR)
    (tmp_path / PACKED).write_text('{"key": "abc", "run": {}}')
    assert read_outcomes(tmp_path) == ({}, [f"run abc of {PACKED} has no 'metrics': a packed study would work"])


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r" holds no study.json: the folder of a study would work$"):
        open_study(tmp_path)


@pytest.mark.parametrize("record", [None, [], 3, {}, {"format": "slimlm-study-9"}])
def test_another_format_is_refused(record: object) -> None:
    with pytest.raises(ValueError, match=rf"^{STUDY} is of the format .*: {FORMAT} would work$"):
        study_from_record(record)


@pytest.mark.parametrize("data", [None, [], {"x": {}}, {"": {}}, {"4096": None}, {"4096": {"name": "a"}}, {}])
def test_damaged_data_is_refused(data: object) -> None:
    rule = rf"^{STUDY} is damaged: .*; one that slimlm wrote would work$|^the study has no data for "
    with pytest.raises(ValueError, match=rule):
        study_from_record(STUDY_OF_FOUR.to_record() | {"data": data})


def test_a_vocabulary_without_data_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the study has no data for vocab_size=4096$"):
        Study(STUDY_OF_FOUR.request, {})


def test_symbols_of_several_vocabularies_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^a generated source of 2 vocabulary sizes has no common unit of losses: text,"
    ):
        fake_study("symbol", x=("vocab_size", (2048, 4096)), seeds=2)


def test_a_spec_is_read_back_and_its_key_is_of_everything_that_determines_the_run() -> None:
    spec = Schedule(STUDY_OF_FOUR).wanted[0]
    read = spec_from_record(json.loads(json.dumps(spec.to_record())))
    assert read == spec
    assert read.key == spec.key
    others = [
        replace(spec, data_digest="0" * 64),
        replace(spec, recipe=replace(spec.recipe, seed=7)),
        replace(spec, architecture=replace(spec.architecture, n_layers=2)),
    ]
    assert len({one.key for one in (spec, *others)}) == 4
    assert RunSpec(spec.architecture, spec.recipe, spec.data_digest, 1).key == spec.key


def test_runs_that_are_not_over_are_read_by_their_metrics(tmp_path: Path) -> None:
    folder = write_fake(tmp_path / "a", STUDY_OF_FOUR, OUTCOMES, packed=False)
    assert read_under_way(folder) == {}
    live, torn, *_ = sorted(OUTCOMES)
    for key in (live, torn):
        (folder / RUNS / key / "result.json").unlink()
    with (folder / RUNS / torn / "metrics.jsonl").open("a") as lines:
        lines.write('{"tokens": "many", "evaluation": {"validation.bits_per_byte": 1.0}}\n')
    assert read_under_way(folder) == {live: OUTCOMES[live].metrics}
    assert live not in read_outcomes(folder)[0]


def test_keys_of_runs_and_files_of_studies_survive_later_fields(tmp_path: Path) -> None:
    spec = RunSpec(Architecture(d_model=64, d_ff=128, n_layers=2), TrainRecipe(), "data", 1)
    assert spec.key == "c7b9c25fa1bac5fb"  # as in the first studies
    assert replace(spec, recipe=TrainRecipe(seed=1)).key != spec.key
    record = STUDY_OF_FOUR.to_record()
    for name in ("block", "qk_norm"):
        del record["request"]["base"][name]
    (tmp_path / STUDY).write_text(json.dumps(record))
    write_study(tmp_path, STUDY_OF_FOUR)
    assert [cell.key for cell in open_study(tmp_path).cells] == [cell.key for cell in STUDY_OF_FOUR.cells]
