"""TorchrunEngine: the records of the local engine in one process, and runs that two processes share."""

from pathlib import Path

import pytest

from slimlm.engines.run_study import run_study
from slimlm.engines.torchrun import TorchrunEngine
from slimlm.runs.record import read_run
from slimlm.study.study import RUNS
from tests.engines.small_study import records, without


def test_one_process_gives_the_records_of_the_local_engine(finished: Path, tmp_path: Path) -> None:
    copy, _ = without(finished, tmp_path / "copy", 1)
    assert run_study(copy, TorchrunEngine(copy, device="cpu")) == "complete"
    assert records(copy) == records(finished)


def test_two_processes_share_a_run_and_the_record_says_so(finished: Path, tmp_path: Path) -> None:
    copy, (key,) = without(finished, tmp_path / "copy", 1)
    assert run_study(copy, TorchrunEngine(copy, device="cpu", processes=2)) == "complete"
    assert read_run(copy / RUNS / key).run["setting"]["processes"] == 2


def test_a_run_needs_a_process(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^processes=0 is not allowed"):
        TorchrunEngine(tmp_path, processes=0)
