"""Runs whose disk fails at each change of their folder in turn: python -m tests.train.faulted FOLDER EVERY.

A change is an operation of Python on a path below the run's folder: a file opened for writing, a name given, moved or
deleted. Of all changes of an undisturbed run, one in EVERY is tried, in three ways: "killed" dies before it, "full"
fails at it and at all later ones that need space, "small" lets files be no larger than a size. On a disk of less than
64 MB, "filled" fills it before the change until nothing more can be written. Each run is then resumed without a fault.
One line a case is printed: way, number, exit code, and what the process said.

Every run is in a fork of this process, which has loaded the packages.
"""

import errno
import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from slimlm.train import train
from slimlm.train.checkpoint import checkpoint_folders
from slimlm.utils.files import UnwritableError
from tests.train.forked import LOADED
from tests.train.sources import chain_data, contents, recipe, tiny

SIZES = (100, 1_000, 20_000, 40_000)
"""Bytes that no file may exceed: metrics, run.json, the weights or the moments do not fit then."""

_SMALL_DISK = 2**26

_NEEDS_SPACE = {"open", "os.mkdir", "os.rename"}
_CHANGES = {*_NEEDS_SPACE, "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

assert LOADED


class Changes:
    """Counts the changes below a folder, and calls what shall happen before each."""

    def __init__(self, folder: Path, before: Callable[[int, bool], object] = lambda number, needs_space: None) -> None:
        self._folder, self._before = str(folder), before
        self.count = 0
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event not in _CHANGES or not str(arguments[0]).startswith(self._folder):
            return
        if event == "open" and not int(arguments[2]) & _WRITES:  # type: ignore[call-overload]
            return
        self.count += 1
        self._before(self.count, event in _NEEDS_SPACE)


def tried(folder: Path, prepare: Callable[[], object] = lambda: None) -> tuple[int, str]:
    """Train or resume in a fork; return its exit code and its error.

    The code is 0 at the end, 2 for a run that was refused, 3 for one that could not be written, or minus the signal.
    """
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        said, code = "", 0
        prepare()
        try:
            train(tiny(), recipe(), chain_data(heldout=100), folder, resume=True)
        except (UnwritableError, ValueError) as error:
            said, code = str(error), 3 if isinstance(error, UnwritableError) else 2
        os.write(writer, said.encode())
        os._exit(code)
    os.close(writer)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with os.fdopen(reader) as words:
        return code, words.read()


def die_at(folder: Path, number: int) -> Callable[[], object]:
    """Return what makes a process die before a change of a folder."""

    def before(count: int, _: bool) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return lambda: Changes(folder, before)


def full_at(folder: Path, number: int) -> Callable[[], object]:
    """Return what lets a disk be full from a change of a folder on."""

    def before(count: int, needs_space: bool) -> None:
        if count >= number and needs_space:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda: Changes(folder, before)


def filled_at(folder: Path, number: int) -> Callable[[], object]:
    """Return what fills the disk before a change of a folder."""

    def before(count: int, _: bool) -> None:
        if count == number:
            fill(folder.with_name("filler"))

    return lambda: Changes(folder, before)


def fill(file: Path) -> None:
    """Write a file until the disk is full."""
    with suppress(OSError), file.open("wb", buffering=0) as out:
        while out.write(b"\0" * 4096):
            pass


def small(_: Path, size: int) -> Callable[[], object]:
    """Return what lets every write beyond a size fail."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def changes_of(folder: Path) -> int:
    """Train without a fault, and return the changes of the folder."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        changes = Changes(folder)
        train(tiny(), recipe(), chain_data(heldout=100), folder)
        os.write(writer, str(changes.count).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as found:
        return int(found.read())


def main(home: Path, every: int) -> None:
    os.fsync = lambda number: None  # type: ignore[assignment]  # what a process has written outlives it without
    places = range(1, changes_of(home / "whole") + 1, every)
    cases: list[tuple[str, int, Callable[[Path, int], Callable[[], object]]]]
    cases = [("killed", number, die_at) for number in places]
    cases += [("full", number, full_at) for number in places[1:]]
    cases += [("small", size, small) for size in SIZES]
    if shutil.disk_usage(home).total < _SMALL_DISK:
        cases = [("filled", number, filled_at) for number in places]
    for way, number, fault in cases:
        folder = home / f"{way}-{number}"
        code, said = tried(folder, fault(folder, number))
        kept = [path.name for path in checkpoint_folders(folder)]
        left = [str(path.relative_to(folder)) for path in folder.rglob("*.part")]
        (home / "filler").unlink(missing_ok=True)
        again, _ = tried(folder)
        case = {"way": way, "number": number, "code": code, "said": said, "kept": kept, "left": left, "again": again}
        case["same"] = contents(folder) == contents(home / "whole")
        print(json.dumps(case), flush=True)
        if way == "filled":
            shutil.rmtree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
