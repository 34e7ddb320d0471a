"""Runs whose process is killed, or whose disk is full, at any change of their folder: nothing whole is lost."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from slimlm.train.run_files import writing
from slimlm.utils.files import UnwritableError
from tests.server import ROOT
from tests.train.sources import contents

EVERY = 57
"""One change in so many is tried here; each one of them by `make bench`, section "faults"."""

SENTENCE = re.compile(
    r"^folder='.+' cannot be written: .*(No space left on device|File too large).*; the run needs [\d.]+ kB there in "
    r"all, and .+ are free: with more space, resuming it would work$"
)


@pytest.fixture(scope="module")
def faulted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Return the folders of runs with a fault, each resumed, and what happened to each."""
    home = tmp_path_factory.mktemp("faulted")
    command = [sys.executable, "-m", "tests.train.faulted", str(home), str(EVERY)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return home, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_resumed_run_is_byte_for_byte_the_same_whatever_the_fault(
    faulted: tuple[Path, list[dict[str, Any]]],
) -> None:
    home, cases = faulted
    assert {case["way"] for case in cases} == {"killed", "full", "small"}
    for case in cases:
        assert case["code"] == (-9 if case["way"] == "killed" else 3), case
        assert case["again"] == 0, case
        folder = home / f"{case['way']}-{case['number']}"
        assert contents(folder) == contents(home / "whole"), case
        assert not list(folder.rglob("*.part")), case


def test_a_full_disk_is_a_sentence_and_leaves_the_checkpoints_whole_and_nothing_half_written(
    faulted: tuple[Path, list[dict[str, Any]]],
) -> None:
    _, cases = faulted
    kept = {case["number"]: case["kept"] for case in cases if case["way"] == "killed"}
    assert any(kept.values())
    for case in cases:
        if case["way"] != "killed":
            assert SENTENCE.search(case["said"]), case
            assert case["left"] == []
            before = kept[case["number"]] if case["way"] == "full" else []
            assert case["kept"][:2] == before[:2], case  # a third one may be about to be deleted


def test_a_disk_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(UnwritableError, match=r"cannot be written: Stale file handle; .*, and its disk is not there: "),
        writing(tmp_path / "gone", 1000),
    ):
        raise OSError(116, "Stale file handle")
