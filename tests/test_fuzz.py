"""A slice of the damaged folders that `python -m tests.bench --only hostile` runs in full."""

import os
import re
import warnings
from pathlib import Path

import pytest

from slimlm.utils.files import remove
from tests.fuzz.driver import Kind, made, run_cases
from tests.fuzz.judge import fault_of
from tests.fuzz.kinds import KINDS
from tests.fuzz.mutation import STRANGE

CASES = {"config": 120, "tokenizer": 120, "corpus": 120, "study": 20, "checkpoint": 30}


@pytest.mark.parametrize("name", KINDS)
def test_whatever_a_folder_holds_it_is_used_or_refused_in_a_sentence(name: str) -> None:
    with made(KINDS[name]) as home:
        found = run_cases(KINDS[name], range(CASES[name]), home)
    assert found.faults == []
    assert 0.2 * found.cases < found.sentences < found.cases


def raises(error: BaseException) -> object:
    raise error


def opens_a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "pipe").read_bytes()


def test_a_judge_sees_what_is_no_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.judge.MOST_SECONDS", 0.2)
    for use, fault in (
        (lambda: raises(KeyError("a")), r"^KeyError: 'a' at "),
        (lambda: raises(ValueError("a\nb")), r"^not one printable line: "),
        (lambda: raises(ValueError("x" * 2000)), r"^a sentence of 2,000 characters: "),
        (lambda: int("x"), r"^ValueError that slimlm does not raise: invalid literal "),
        (lambda: warnings.warn("old", DeprecationWarning, stacklevel=1), r"^DeprecationWarning: old at "),
        (lambda: opens_a_pipe(tmp_path), r"^longer than 0.2 s: at "),
        (lambda: print("Traceback (most recent"), None),
    ):
        assert re.search(fault or "^None$", str(fault_of(use)[1]))


def test_a_driver_sees_that_a_file_outside_was_changed() -> None:
    def make(home: Path) -> None:
        (home / "a").mkdir()
        (home / "a" / "file").touch()

    def write(folder: Path, draw: object) -> None:
        (folder / ".." / "outside" / "canary.json").write_text("{}")

    with made(Kind("writing", make, write)) as home:
        found = run_cases(Kind("writing", make, write), range(3), home)
    assert len(found.faults) == 3 and all(fault.endswith("a file outside was changed") for fault in found.faults)


def test_every_replacement_of_a_file_is_another_kind(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "canary.json").touch()
    kinds = set()
    for make in STRANGE:
        file = tmp_path / "file"
        make(file, outside)
        kinds.add((os.path.lexists(file), file.is_symlink(), file.is_file(), file.is_dir(), file.exists()))
        remove(file)
    assert len(kinds) >= 7
