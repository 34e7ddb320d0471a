"""Worker processes as seen from the process that starts them: their answers, their signs of life, and their end."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from slimlm.engines import mortal
from slimlm.study.spec import RunSpec
from slimlm.utils.formatting import format_seconds

_LAST_WORDS = 2000
"""Characters of a worker's stderr that are kept."""
LONGEST_END = 5.0
"""Seconds that a process has to end by itself once its stdin is closed, and the system to end one that is killed."""
_VMSTAT = Path("/proc/vmstat")


def memory_kills() -> int:
    """Return how many processes the system has killed for lack of memory since it was started; 0 where unknown."""
    with suppress(OSError, ValueError):
        rows = dict(line.split() for line in _VMSTAT.read_text().splitlines())
        return int(rows.get("oom_kill", 0))
    return 0


class WorkerProcess:
    """One worker. Its answers go into a queue, as (worker, answer); None is the last one, when it has ended."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        answers: "queue.Queue[tuple[Any, Any]]",
        device: str = "cpu",
    ) -> None:
        pipe = subprocess.PIPE
        self.device = device
        self._memory_kills = memory_kills()
        self._process = subprocess.Popen(
            [sys.executable, "-IS", mortal.__file__, *command],  # as a file, without packages: it starts at once
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={**os.environ, **environment},
            start_new_session=True,  # signals of the terminal are for this process alone
        )
        self.run: RunSpec | None = None
        """The run that it trains; None when it is idle."""
        self.done = 0.0
        self.seen = time.monotonic()
        """When it last gave a sign of life."""
        self.silent_s: float | None = None
        """Seconds without a sign of life after which it was killed."""
        self._words = b""
        self._readers = [
            threading.Thread(target=work, daemon=True)
            for work in (lambda: self._read_answers(answers), self._read_words)
        ]
        for reader in self._readers:
            reader.start()

    def _read_answers(self, answers: "queue.Queue[tuple[Any, Any]]") -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(ValueError):  # a line that was cut off by the end of the process
                answers.put((self, json.loads(line)))
        answers.put((self, None))

    def _read_words(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._words = (self._words + line)[-_LAST_WORDS:]

    @property
    def last_words(self) -> str:
        """The last line that it wrote to stderr."""
        lines = self._words.decode(errors="replace").strip().splitlines()
        return " ".join(lines[-1].split()) if lines else ""

    @property
    def lacked_memory(self) -> bool:
        """Whether the system has killed it, and has killed for lack of memory while it was there."""
        return self._was_killed and memory_kills() > self._memory_kills

    @property
    def _was_killed(self) -> bool:
        return self.silent_s is None and self._process.poll() == -signal.SIGKILL

    def how_it_ended(self) -> tuple[str, str]:
        """Return how a process ended, and what would work, as parts of a sentence; the second may be empty."""
        if self.silent_s is not None:
            return f"its worker process gave no sign of life for {format_seconds(self.silent_s)} and was killed", ""
        words = f" ({self.last_words})" if self.last_words else ""
        if not self._was_killed:
            return f"its worker process died{words}", ""
        why = "for lack of memory" if self.lacked_memory else "perhaps for lack of memory"
        return f"its worker process was killed{words}", f", {why}: fewer workers or a lower micro_batch would work"

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def send(self, spec: RunSpec) -> None:
        """Give the worker a run, as a line on its stdin; one that has just died reports its end instead."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(json.dumps(spec.to_record()).encode() + b"\n")
            self._process.stdin.flush()

    def is_silent(self, seconds: float) -> bool:
        """Whether it trains but has given no sign of life for so long."""
        return self.run is not None and time.monotonic() - self.seen > seconds

    def ask_to_end(self) -> None:
        """Close its stdin, at which it ends, and all processes that it started with it."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def end(self, deadline: float | None = None) -> None:
        """Wait until it has ended, to a time of `time.monotonic` that may have passed; kill it when it does not."""
        self.ask_to_end()
        with suppress(subprocess.TimeoutExpired):
            left = LONGEST_END if deadline is None else max(0.0, deadline - time.monotonic())
            self._process.wait(left)
        self.kill()

    def kill(self) -> None:
        """Kill it and the processes that it started; one that has ended is left alone.

        One that waits for a device or a disk, which the system cannot end, is not waited for.
        """
        self.ask_to_end()
        if self._process.poll() is None:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LONGEST_END)
        wait_s = LONGEST_END if self._process.poll() is not None else 0.0
        for reader, pipe in zip(self._readers, (self._process.stdout, self._process.stderr), strict=True):
            reader.join(wait_s)
            if pipe and not reader.is_alive():  # a process that left the group may hold the other end
                pipe.close()
