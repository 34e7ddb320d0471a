"""The processes in which the Rank page trains studies: one at a time, cancelled, killed, and how they end."""

import sys
import time
from pathlib import Path

import pytest

from slimlm.engines.state import CANCEL, StudyState, write_state
from slimlm.study.study import Study
from slimlm.ui import rank_library, rank_processes
from slimlm.ui.rank_processes import StudyProcesses
from tests.studies import fake_study, write_fake

WAITS = "import sys, time; print('slimlm: no such corpus' if 'fail' in sys.argv[1] else 'ok'); time.sleep({}); "


def fake_processes(seconds: float, code: int = 0) -> StudyProcesses:
    return StudyProcesses((sys.executable, "-c", WAITS.format(seconds) + f"sys.exit({code})"))


@pytest.fixture(scope="module")
def study() -> Study:
    return fake_study()


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv(rank_library.STUDIES, str(tmp_path / "studies"))
    monkeypatch.setattr(rank_processes, "_FRESH_SECONDS", 0.0)
    return tmp_path / "studies"


def wait_for_the_end(processes: StudyProcesses, name: str) -> None:
    for _ in range(600):
        if not processes.progress(name).alive:
            return
        time.sleep(0.05)
    raise AssertionError("it does not end")


def test_one_study_at_a_time_is_trained_in_a_process_of_its_own(empty: Path) -> None:
    processes = fake_processes(30)
    processes.start("one", ["--quick"])
    assert processes.progress("one").alive
    assert processes.running() == "one"
    with pytest.raises(ValueError, match=r"^the study one is being trained: cancelling it or waiting for its end"):
        processes.start("two", ["--quick"])
    processes.cancel("one")
    wait_for_the_end(processes, "one")
    assert processes.running() is None


def test_a_study_goes_behind_the_server(empty: Path) -> None:
    code = "import pathlib, sys; pathlib.Path(sys.argv[-2].partition('=')[2], 'options').write_text(sys.argv[-1])"
    processes = StudyProcesses((sys.executable, "-c", code))
    processes.start("one", ["--quick"])
    wait_for_the_end(processes, "one")
    assert (empty / "one" / "options").read_text() == "--nice=15"


def test_a_process_that_fails_leaves_its_last_line(empty: Path) -> None:
    processes = fake_processes(0, code=2)
    processes.start("fails", ["fail"])
    wait_for_the_end(processes, "fails")
    assert processes.progress("fails").error == "no such corpus"


def test_a_preparation_that_is_cancelled_has_not_failed(empty: Path) -> None:
    processes = fake_processes(30)
    processes.start("one", ["--quick"])
    processes.cancel("one")
    assert processes.progress("one").cancelling or not processes.progress("one").alive
    wait_for_the_end(processes, "one")
    assert (processes.progress("one").error, processes.progress("one").cancelling) == ("", False)


def test_a_process_that_is_killed_while_it_prepares_says_so(empty: Path) -> None:
    processes = fake_processes(30)
    processes.start("one", ["--quick"])
    processes._started[empty / "one"].kill()
    wait_for_the_end(processes, "one")
    assert processes.progress("one").error == "its process was ended by SIGKILL, perhaps for lack of memory"


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_set_does_not_make_a_cancelled_study_one_that_failed(
    hours: int, empty: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_fake(empty / "one", study, {})
    processes = fake_processes(0, code=2)
    processes.start("one", [])
    wait_for_the_end(processes, "one")
    assert processes.progress("one").error == "ok"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600 * hours)
    write_state(folder, StudyState("cancelled", 1, now, now, 5, 97))
    assert processes.progress("one").error == ""
    processes.start("one", [])
    wait_for_the_end(processes, "one")
    assert processes.progress("one").error == "ok"  # the state is of the process before


def test_a_study_cannot_be_started_under_a_path_or_without_options(empty: Path) -> None:
    processes = fake_processes(0)
    with pytest.raises(ValueError, match=r"^'\.\./x' is no name of a study"):
        processes.start("../x", ["--quick"])
    with pytest.raises(ValueError, match=r"^the study new has no study\.json to go on from"):
        processes.start("new", [])
    assert not (empty.parent / "x").exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(empty: Path) -> None:
    empty.write_text("a file")
    with pytest.raises(ValueError, match=r"^the folder of studies cannot be written"):
        fake_processes(0).start("one", ["--quick"])


def test_a_begun_study_is_cancelled_by_a_file_and_resumed_by_its_folder(empty: Path, study: Study) -> None:
    folder = write_fake(empty / "one", study, {})
    processes = fake_processes(30)
    processes.start("one", [])
    processes.cancel("one")
    assert (folder / CANCEL).exists()
    processes._started[folder].kill()
    processes._started[folder].wait()
    processes = fake_processes(0)
    processes.start("one", [])
    assert not (folder / CANCEL).exists()
    wait_for_the_end(processes, "one")
