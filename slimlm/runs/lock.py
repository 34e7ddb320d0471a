"""The lock of a folder in which a process trains."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slimlm.utils.files import remove

LOCK = ".lock"
LOCK_S = 3.0
"""Seconds to wait for the lock of a study: one that only looks whether it is trained holds it for a moment."""


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; of a pipe, which would wait for a reader, OSError is raised."""
    return os.open(path, flags | os.O_NONBLOCK, 0o666)


@contextmanager
def sole_writer(folder: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Keep other processes from training in a folder meanwhile; the system ends the lock of a process that dies.

    Raises ValueError when another process trains there still after some seconds. Without POSIX there is no lock.
    """
    if os.name != "posix":
        yield
        return
    import fcntl

    deadline = time.monotonic() + wait_s
    if (folder / LOCK).is_symlink() and not (folder / LOCK).exists():
        remove(folder / LOCK)  # no file is made where it leads to
    with open(folder / LOCK, "a", opener=_without_waiting) as lock:  # not "w": a link may lead to someone's file
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= deadline:
                    raise ValueError(
                        f"folder={str(folder)!r} is in use: another process trains there; waiting for it would work"
                    ) from None
            time.sleep(0.1)
        yield


def has_writer(folder: Path) -> bool:
    """Whether a process trains in a folder now; always False without POSIX.

    Any number of processes may look at once: none takes another for the one that trains. A process that begins to train
    meanwhile finds the folder in use for a moment.
    """
    if os.name != "posix":
        return False
    import fcntl

    try:
        with open(folder / LOCK, opener=_without_waiting) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no process has begun here, or none can
        return False
    return False
