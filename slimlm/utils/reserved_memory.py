"""Memory that running studies and probes will still take: what others on this machine must leave to them.

Each process that trains a study or probes a model keeps a file of the bytes that each of its workers, or it itself, may
come to hold, in a folder that all processes of the user share. The system ends the lock on the file with the process,
so that no file outlives its meaning. Without POSIX nothing is reserved.
"""

import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

FOLDER, OWN = "SLIMLM_RESERVED", "SLIMLM_OWN_RESERVATION"
"""Environment variables: another folder of reservations, and the file that is not counted: that of this study."""

_PROC, _CGROUP = Path("/proc"), Path("/sys/fs/cgroup")


def resident_bytes(pid: int) -> int:
    """Return the memory that a process holds; 0 for none, and where the system does not say."""
    with suppress(OSError, ValueError, IndexError):
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def still_to_take(wanted: Mapping[int, int]) -> int:
    """Return the bytes that processes will take beyond those that they hold, from the most of each by number."""
    alive = {pid: most for pid, most in wanted.items() if (_PROC / str(pid)).exists()}
    return sum(max(0, most - resident_bytes(pid)) for pid, most in alive.items())


class Reservation:
    """The bytes that the workers of one study, or a process that probes, may come to hold."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._size = 0
        self.path = _folder() / f"{os.getpid()}-{secrets.token_hex(4)}.json"
        """The file, which workers name in `OWN`."""

    def set(self, wanted: Mapping[int, int]) -> None:
        """Replace what is reserved; a disk that takes no file reserves nothing."""
        if os.name != "posix":
            return
        with suppress(OSError):
            self._file = self._file or self._opened()
            text = json.dumps({str(pid): most for pid, most in wanted.items()}).encode()
            self._size = max(self._size, len(text))
            os.pwrite(self._file.fileno(), text.ljust(self._size), 0)  # at once: others may be reading

    def _opened(self) -> IO[bytes]:
        """Return the file, which others see once it is locked."""
        import fcntl

        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_own(self.path.parent):
            raise PermissionError(None, "the folder is someone else's")
        part = self.path.with_suffix(".part")
        file = part.open("wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        part.replace(self.path)
        return file

    def close(self) -> None:
        """Reserve nothing any more; a second call does nothing."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
                self.path.unlink(missing_ok=True)
            self._file = None


@contextmanager
def reserved(more: int) -> Iterator[None]:
    """Reserve bytes that this process is about to take beyond those that it holds."""
    reservation = Reservation()
    reservation.set({os.getpid(): resident_bytes(os.getpid()) + more})
    try:
        yield
    finally:
        reservation.close()


def usable_bytes(available: int) -> int:
    """Return what of a machine's available memory is within the limit of this container, and not reserved."""
    with suppress(OSError, ValueError):  # outside containers there is usually no limit
        limit, used = (int((_CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        available = min(available, limit - used)
    return max(0, available - reserved_bytes())


def reserved_bytes() -> int:
    """Return the bytes that the workers of other studies, and probes, on this machine will still take."""
    if os.name != "posix":
        return 0
    own = os.environ.get(OWN)
    return sum(_reserved(file) for file in _files() if str(file) != own)


def _files() -> list[Path]:
    with suppress(OSError):
        if _is_own(folder := _folder()):
            return sorted(folder.glob("*.json"))
    return []


def _is_own(folder: Path) -> bool:
    """Whether a folder is this user's: in one of someone else's, files may lead anywhere."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _reserved(file: Path) -> int:
    """Return what a file reserves; it is deleted when the process that wrote it has ended."""
    import fcntl

    try:
        with file.open(encoding="utf-8") as lines:
            try:
                fcntl.flock(lines, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found = json.load(lines)
                return still_to_take({int(pid): int(most) for pid, most in found.items()})
        file.unlink(missing_ok=True)
    except (OSError, ValueError, AttributeError, TypeError):  # it is being written now, or is none of ours
        return 0
    return 0


def _folder() -> Path:
    if given := os.environ.get(FOLDER):
        return Path(given)
    return Path(tempfile.gettempdir()) / f"slimlm-reserved-{os.getuid()}"
