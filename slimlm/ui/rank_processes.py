"""Processes that train studies, started by the server: who may start them, and how far they are."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import streamlit as st

from slimlm.engines.state import CANCEL, STATE, StudyState, ask_to_cancel, read_state
from slimlm.runs.lock import has_writer
from slimlm.study.study import STUDY
from slimlm.ui.rank_library import all_folders, is_name, studies_folder, unprepared_names
from slimlm.utils.files import read_bytes, reason, remove
from slimlm.utils.text import one_line

TRAIN = "SLIMLM_TRAIN"
"""Environment variable: 1 lets every visitor of this server start studies, 0 none."""

LOG = "log.txt"
"""What the process of a study prints, in the study's folder."""

_LOOPBACK = {"localhost", "127.0.0.1", "::1", "[::1]"}
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip")
_MOST_LOG_BYTES = 2**24
_FRESH_SECONDS = 1.0
_NICE = 15
"""How far studies go behind the server: charts are drawn first."""


def may_train() -> bool:
    """Whether this visitor may start, cancel and resume studies: on this machine alone, or as the operator says."""
    if (said := os.environ.get(TRAIN, "")) in ("0", "1"):
        return said == "1"
    hosts = [st.get_option("server.address"), *(st.get_option("server.allowedHosts") or ())]
    headers = st.context.headers
    return all(host in _LOOPBACK for host in hosts) and not any(name in headers for name in _FORWARDED)


HOW_TO_ALLOW = (
    f"Studies are started on this page where the server listens on its own machine alone, or with {TRAIN}=1 in its "
    "environment. Anywhere else: `slimlm rank` on the command line."
)


@dataclass(frozen=True)
class Progress:
    """How far the process of a study is."""

    state: StudyState | None
    """None before the process has written one."""
    alive: bool
    """Whether a process prepares or trains the study now."""
    cancelling: bool = False
    """Whether it has been asked to stop."""
    error: str = ""
    """The last line of a process that has failed."""


class StudyProcesses:
    """The processes that this server has started, and what their folders say."""

    def __init__(self, python: Sequence[str] = (sys.executable, "-m", "slimlm", "rank")) -> None:
        self._python = tuple(python)
        self._started: dict[Path, subprocess.Popen[bytes]] = {}
        self._before: dict[Path, StudyState | None] = {}
        """States that earlier processes had left when one was started."""
        self._cancelled: set[Path] = set()
        """Studies whose process has been asked to stop."""
        self._stopped: set[Path] = set()
        """Studies whose process has stopped as it was asked to."""
        self._seen: dict[Path, tuple[float, Progress]] = {}
        self._lock = Lock()

    def names(self) -> list[str]:
        """Return the names of studies whose process was started here, or whose data any process prepares."""
        home = studies_folder()
        started = [folder.name for folder in self._started if folder.parent == home]
        return [*started, *(name for name in unprepared_names() if name not in started and has_writer(home / name))]

    def start(self, name: str, options: Sequence[str]) -> None:
        """Start a new study, or go on with it where a study of the name was started before.

        Raises ValueError, in one sentence, while another study is trained, and for a folder that cannot be written.
        """
        folder = studies_folder() / name
        with self._lock:
            self._check(name)
            begun = (folder / STUDY).exists()
            if not begun and not options:
                raise ValueError(f"the study {name} has no {STUDY} to go on from: starting it anew would work")
            arguments = [*([str(folder)] if begun else [*options, f"--out={folder}"]), f"--nice={_NICE}"]
            try:
                folder.mkdir(parents=True, exist_ok=True)
                remove(folder / CANCEL)
                remove(folder / LOG)  # a link there is not followed
                self._before[folder] = read_state(folder)
                self._cancelled.discard(folder)
                self._stopped.discard(folder)
                with (folder / LOG).open("xb") as log:
                    self._started[folder] = self._open([*self._python, *arguments], log.fileno())
            except OSError as error:
                raise ValueError(f"the folder of studies cannot be written: {reason(error)}") from None
            self._seen.clear()

    def _check(self, name: str) -> None:
        if not is_name(name):
            raise ValueError(f"{name[:40]!r} is no name of a study: letters, digits, dots and dashes would work")
        if running := self.running():
            raise ValueError(f"the study {running} is being trained: cancelling it or waiting for its end would work")

    @staticmethod
    def _open(command: Sequence[str], log: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).parents[2],
            start_new_session=True,  # it outlives the server, and a Ctrl-C there
        )

    def running(self) -> str | None:
        """Return the name of a study that is being trained; None when there is none."""
        names = [*self.names(), *(name for name, path in all_folders().items() if (path / STATE).is_file())]
        return next((name for name in names if self.progress(name).alive), None)

    def progress(self, name: str) -> Progress:
        """Return how far a study is; files are looked at once a second at most."""
        folder = studies_folder() / name
        seen = self._seen.get(folder)
        if seen is None or time.monotonic() - seen[0] >= _FRESH_SECONDS:
            self._seen[folder] = seen = time.monotonic(), self._look(folder)
        return seen[1]

    def _look(self, folder: Path) -> Progress:
        process = self._started.get(folder)
        ended = None if process is None else process.poll()
        state = read_state(folder)
        alive = (process is not None and ended is None) or has_writer(folder)
        if alive:
            if folder in self._cancelled and (folder / STUDY).exists():
                ask_to_cancel(folder)  # a process that has just started may have removed the file of an earlier wish
            return Progress(state, alive=True, cancelling=folder in self._cancelled)
        if folder in self._cancelled:  # a process that anybody starts later is not meant
            self._cancelled.discard(folder)
            self._stopped.add(folder)
        is_new = state is not None and state.status != "failed" and state != self._before.get(folder)
        failed = bool(ended) and not is_new and folder not in self._stopped
        return Progress(state, alive=False, error=_why(ended, folder) if failed else "")

    def cancel(self, name: str) -> None:
        """Ask the process of a study to stop."""
        folder = studies_folder() / name
        process = self._started.get(folder)
        self._cancelled.add(folder)
        if (folder / STUDY).exists():
            ask_to_cancel(folder)
        elif process is not None and process.poll() is None:  # it still prepares the data
            process.terminate()
        self._seen.clear()


def _why(ended: int | None, folder: Path) -> str:
    """Return why a process failed: its last words, or the signal that ended it."""
    if not ended or ended > 0:
        return last_line(folder / LOG)
    number = -ended
    perhaps = ", perhaps for lack of memory" if number == signal.SIGKILL else ""
    return f"its process was ended by {signal.Signals(number).name}{perhaps}"


def last_line(file: Path) -> str:
    """Return the last line of a log as one line without the name of the program; empty when there is none."""
    try:
        text = read_bytes(file, LOG, _MOST_LOG_BYTES).decode(errors="replace")
    except ValueError:
        return ""
    lines = [line for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return one_line(lines[-1].removeprefix("slimlm: "), 300) if lines else ""


@st.cache_resource(show_spinner=False)
def processes() -> StudyProcesses:
    """Return the server-wide processes."""
    return StudyProcesses()
