"""Worker: a process that trains runs of a study, one after another: python -m slimlm.engines.worker STUDY.

It reads the spec of one run a line on stdin, as JSON, and answers on stdout in lines of JSON: {"key", "done"} at most
once a second while it trains, then {"key", "error", "again"}, where `error` is null or a sentence, and `again` tells
whether another try may succeed. It ends as soon as stdin is closed, even within a run, so that no worker outlives the
process that started it; the run then goes on later from its latest checkpoint.
"""

import argparse
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO

from slimlm.data.token_data import TokenData
from slimlm.engines.data import open_tokens
from slimlm.engines.execute import execute, this_place
from slimlm.engines.mortal import die_with_parent
from slimlm.study.spec import RunSpec, spec_from_record
from slimlm.study.study import RUNS, open_study
from slimlm.utils.files import UnwritableError, reason
from slimlm.utils.priority import lower_priority

BEAT_S = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Train runs until stdin is closed, or the one run of `--one`; return 1 when that one failed."""
    options = _options(arguments)
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    lower_priority(options.nice)
    answers = _answers()
    specs = _specs_of(open(0, "rb", buffering=0, closefd=False))  # noqa: SIM115
    worker = Worker(Path(options.study), options.device, options.keep_weights, answers)
    if options.one:
        return 0 if worker.run(json.loads(options.one)) else 1
    while True:
        worker.run(json.loads(specs.get()))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m slimlm.engines.worker", description=__doc__)
    parser.add_argument("study", metavar="STUDY", help="folder of the study")
    parser.add_argument("--device", help="device to train on (default: the fastest available)")
    parser.add_argument("--one", metavar="JSON", help="train this run alone")
    parser.add_argument("--keep-weights", action="store_true", help="keep weights and checkpoints of finished runs")
    parser.add_argument("--nice", type=int, default=0, help="how far to lower this process's priority")
    return parser.parse_args(arguments)


def _answers() -> BinaryIO:
    """Return stdout for answers alone; whatever else is printed, by any library, goes to stderr."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return answers


def _specs_of(lines: RawIOBase) -> "queue.Queue[bytes]":
    """Read lines in a thread, which ends this process at the end of the input.

    Without a buffer, whose lock a thread that waits would hold when the interpreter ends.
    """
    found: queue.Queue[bytes] = queue.Queue()

    def read() -> None:
        for line in lines:
            found.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return found


class Worker:
    """Trains runs of one study on one device; tokens are opened once."""

    def __init__(self, folder: Path, device: str | None, keep_weights: bool, answers: BinaryIO) -> None:
        self._folder, self._device, self._keep = folder, device, keep_weights
        self._answers = answers if this_place().is_first else None
        self._tokens: dict[int, TokenData] = {}
        self._last_beat = 0.0

    def run(self, record: dict[str, Any]) -> bool:
        """Train one run and report how it ended; return whether it succeeded."""
        spec = spec_from_record(record)
        error, again = None, False
        try:
            self._train(spec)
        except Exception as problem:  # whatever happens in one run must not end the others
            error, again = sentence_of(problem), not isinstance(problem, ValueError)
            if again and not isinstance(problem, UnwritableError):
                traceback.print_exception(problem)
        self._say({"key": spec.key, "error": error, "again": again})
        return error is None

    def _train(self, spec: RunSpec) -> None:
        size = spec.architecture.vocab_size
        if size not in self._tokens:
            self._tokens[size] = open_tokens(self._folder, open_study(self._folder), size)
        execute(
            spec,
            self._tokens[size],
            self._folder / RUNS / spec.key,
            self._device,
            keep_weights=self._keep,
            progress=lambda done, _: self._beat(spec.key, done),
        )

    def _beat(self, key: str, done: float) -> None:
        """Report the share that is done, at most once every `BEAT_S` seconds."""
        if (now := time.monotonic()) - self._last_beat >= BEAT_S:
            self._last_beat = now
            self._say({"key": key, "done": done})

    def _say(self, answer: dict[str, Any]) -> None:
        if self._answers:
            self._answers.write(json.dumps(answer).encode() + b"\n")


def sentence_of(problem: Exception) -> str:
    """Return an error in one sentence: as it is, or with its class where it was not meant for readers."""
    if isinstance(problem, ValueError | UnwritableError):
        return str(problem)
    if isinstance(problem, OSError):
        return f"its folder cannot be written ({reason(problem)}): more space, or another folder, would work"
    words = " ".join(str(problem).strip().partition("\n")[0].split())[:500]
    return _of_device(problem, words) or f"{type(problem).__name__}: {' '.join(str(problem).split())[:500]}"


def _of_device(problem: Exception, words: str) -> str:
    """Return an error of a GPU, or of memory, in one sentence; empty for any other."""
    import torch

    if isinstance(problem, torch.OutOfMemoryError | MemoryError):
        place = "GPU" if isinstance(problem, torch.OutOfMemoryError) else "machine"
        return f"its {place} has too little memory ({words}): fewer workers or a lower micro_batch would work"
    if isinstance(problem, torch.AcceleratorError):
        return f"its GPU failed ({words}): another one, or resuming once it works again, would work"
    return ""


if __name__ == "__main__":
    sys.exit(main())
