"""Records of runs: durable files, rows cut off by a crash, differences, and hostile contents."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.architecture import Architecture
from slimlm.runs.lock import sole_writer
from slimlm.runs.record import (
    FORMAT,
    RowWriter,
    change_of_run,
    check_folder,
    finite,
    first_difference,
    read_record,
    read_rows,
    read_run,
    write_record,
)

SPEC = {
    "format": FORMAT,
    "architecture": {"d_ff": 8},
    "recipe": {"seed": 0},
    "data": {},
    "setting": {},
    "request": None,
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(max_size=3), JSON, max_size=3), st.dictionaries(st.text(max_size=3), JSON, max_size=3))
def test_a_difference_is_found_exactly_where_there_is_one(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert first_difference(one, one) is None
    padded = [{name: record.get(name) for name in {*one, *other}} for record in (one, other)]
    same = not any(first_difference(padded[0][name], padded[1][name]) for name in padded[0])
    assert (first_difference(one, other) is None) == same


def test_a_record_is_written_whole_without_nan(tmp_path: Path) -> None:
    write_record(tmp_path / "a.json", {"loss": math.nan, "rows": [1.5, math.inf], "inner": {"x": -math.inf}})
    assert read_record(tmp_path / "a.json") == {"loss": None, "rows": [1.5, None], "inner": {"x": None}}
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
    assert finite((1, math.nan)) == [1, None]


def test_a_record_whose_place_is_taken_by_a_folder_is_named_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "a.json" / "b").mkdir(parents=True)
    with pytest.raises(OSError, match="directory") as found:
        write_record(tmp_path / "a.json", {})
    assert Path(found.value.filename) == tmp_path / "a.json"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_rows_are_appended_and_cut_at_a_position(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    writer = RowWriter(file)
    writer.write({"step": 1})
    position = writer.sync()
    writer.write({"step": 2})
    writer.close()
    assert list(read_rows(file)) == [{"step": 1}, {"step": 2}]
    writer = RowWriter(file, position)
    writer.write({"step": 3})
    writer.close()
    assert file.read_text() == '{"step": 1}\n{"step": 3}\n'


def test_a_row_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"step": 1}\n{"step"')
    assert list(read_rows(tmp_path / "rows.jsonl")) == [{"step": 1}]
    assert list(read_rows(tmp_path / "none.jsonl")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]\n", r"^line 1 of rows\.jsonl must be a JSON object$"),
        ('{"a": 1}\nnonsense\n', r"^line 2 of rows\.jsonl is not JSON: "),
        ("[" * 99 + "]" * 99 + "\n", r"^line 1 of rows\.jsonl is nested too deeply"),
    ],
)
def test_a_broken_row_is_refused_in_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "rows.jsonl").write_text(text)
    with pytest.raises(ValueError, match=message):
        list(read_rows(tmp_path / "rows.jsonl"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"holds no run\.json; the folder of a training run would work$"),
        ("[]", r"^run\.json must hold a JSON object$"),
        ('{"format": "x"}', r"^run\.json has format=\"x\"; it must be 'slimlm-run-1'$"),
        ("{", r"^run\.json is not JSON: "),
    ],
)
def test_a_folder_without_a_run_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_run(tmp_path)


def test_a_run_that_still_goes_on_has_no_result(tmp_path: Path) -> None:
    write_record(tmp_path / "run.json", SPEC)
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.5}\n{"st')
    found = read_run(tmp_path)
    assert (found.result, found.metrics, found.speed) == (None, [{"step": 1, "loss": 2.5}], [])


def test_two_writers_exclude_each_other(tmp_path: Path) -> None:
    in_use = pytest.raises(ValueError, match=r"is in use: another process trains there; waiting for it would work$")
    with sole_writer(tmp_path), in_use, sole_writer(tmp_path):
        pass
    with sole_writer(tmp_path):
        pass


def test_a_folder_is_created_and_checked_against_its_run(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    assert check_folder(folder, SPEC, resume=False) is None
    assert folder.is_dir()
    write_record(folder / "run.json", {**SPEC, "versions": {"torch": "1"}})
    assert check_folder(folder, SPEC, resume=True) == json.loads((folder / "run.json").read_text())
    with pytest.raises(ValueError, match=r"holds another run: recipe\.seed=0 is now 1; another folder would work$"):
        check_folder(folder, {**SPEC, "recipe": {"seed": 1}}, resume=True)


def test_a_run_of_an_earlier_version_lacks_later_fields_at_their_default() -> None:
    shape = Architecture(d_model=8, d_ff=16, n_layers=1, n_heads=2)
    now = {"architecture": shape.concrete(), "request": None}
    earlier = {"architecture": {name: value for name, value in shape.concrete().items() if name != "block"}}
    assert change_of_run(earlier, now, now) is None
    other = {"architecture": replace(shape, block="parallel").concrete()}
    assert change_of_run(earlier, other, now) == 'architecture.block="pre_norm" is now "parallel"'


@pytest.mark.parametrize("name", ["metrics.jsonl", "result.json", "checkpoints"])
@pytest.mark.parametrize("resume", [False, True])
def test_files_of_no_run_are_not_overwritten(tmp_path: Path, name: str, resume: bool) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(ValueError, match=rf"holds {name} but no run\.json; an empty folder would work$"):
        check_folder(tmp_path, SPEC, resume=resume)


def test_a_lock_that_is_a_link_does_not_empty_its_target(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "precious").write_text("text")
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "precious")
    with sole_writer(tmp_path / "run"):
        assert (tmp_path / "precious").read_text() == "text"


def test_a_field_is_named_in_one_short_line_whatever_its_name() -> None:
    told = first_difference({"recipe": {"x" * 3000: 1, "\ud800\n": 2}}, {"recipe": {}})
    assert told == f"recipe.{'x' * 73}=1 is now null"
    assert first_difference({"\ud800\na": 2}, {}) == "a=2 is now null"
