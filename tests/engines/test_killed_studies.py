"""Studies whose server or command is ended in the middle: no process stays behind, and the figures are the same."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slimlm.engines.local import LocalEngine
from slimlm.engines.run_study import run_study
from slimlm.engines.state import read_state
from slimlm.runs.lock import sole_writer
from slimlm.study.study import RUNS
from slimlm.ui import rank_library, rank_processes
from slimlm.ui.rank_processes import StudyProcesses
from tests.engines.small_study import records, small_study
from tests.server import ROOT

SERVER = """
import sys, time
from slimlm.ui.rank_processes import StudyProcesses
StudyProcesses().start("one", ())
time.sleep(600)
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a study that a server finds, without runs."""
    monkeypatch.setenv(rank_library.STUDIES, str(tmp_path))
    monkeypatch.setattr(rank_processes, "_FRESH_SECONDS", 0.0)
    small_study(tmp_path / "one")
    return tmp_path / "one"


def eventually(holds: Callable[[], object], seconds: float = 120.0) -> bool:
    """Wait for something to hold."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(holds())


def workers_of(folder: Path) -> list[str]:
    """Return the numbers of all processes whose command names a folder: drivers and workers."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command:
            found.append(process.name)
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are listed in /proc")
def test_a_study_outlives_a_killed_server_and_is_the_next_ones_to_cancel_and_resume(
    study: Path, finished: Path
) -> None:
    server = subprocess.Popen([sys.executable, "-c", SERVER], cwd=ROOT, start_new_session=True)
    assert eventually(lambda: any((study / RUNS).glob("*/checkpoints/step-*")))
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()

    after = StudyProcesses()
    assert after.progress("one").alive
    assert after.running() == "one"
    with pytest.raises(ValueError, match=r"^the study one is being trained: cancelling it or waiting for its end"):
        after.start("one", ())
    after.cancel("one")
    assert eventually(lambda: not after.progress("one").alive)
    state = read_state(study)
    assert state is not None
    assert state.status == "cancelled"
    assert eventually(lambda: not workers_of(study))

    assert run_study(study, LocalEngine(study, device="cpu", workers=1)) == "complete"
    assert records(study) == records(finished)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are listed in /proc")
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)],
    ids=str,
)
def test_a_command_that_is_ended_leaves_no_worker_and_says_how_to_go_on(
    number: signal.Signals, code: int, study: Path
) -> None:
    command = [sys.executable, "-m", "slimlm", "rank", str(study), "--workers", "2", "--device", "cpu"]
    driver = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert eventually(lambda: (state := read_state(study)) and state.running)
    assert len(workers_of(study)) >= 2
    driver.send_signal(number)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == code
    if number != signal.SIGKILL:
        assert said.splitlines()[-1] == f"slimlm: stopped; `slimlm rank {study}` goes on"
    assert "Traceback" not in said
    assert eventually(lambda: not workers_of(study))
    state = read_state(study)
    assert state is not None
    assert state.status == "interrupted"


def test_a_study_whose_data_another_process_prepares_is_not_started_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restart of the server: the process that it started goes on."""
    monkeypatch.setenv(rank_library.STUDIES, str(tmp_path))
    monkeypatch.setattr(rank_processes, "_FRESH_SECONDS", 0.0)
    (tmp_path / "new").mkdir()
    processes = StudyProcesses((sys.executable, "-c", ""))
    with sole_writer(tmp_path / "new"):
        assert processes.names() == ["new"]
        progress = processes.progress("new")
        assert (progress.state, progress.alive) == (None, True)
        for name in ("new", "other"):
            with pytest.raises(ValueError, match=r"^the study new is being trained: cancelling it or waiting"):
                processes.start(name, ["--quick"])
    assert processes.running() is None
    assert processes.names() == []
