"""Bounded reads of untrusted files and JSON, and atomic file writes."""

import json
import os
import shutil
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from slimlm.utils.text import named, shown

_MOST_DIGITS = 400

DEEPEST = 64
"""Most objects and lists in each other that a text may have."""

_Value = TypeVar("_Value")


class UnwritableError(OSError):
    """Files that cannot be written, in a sentence for readers: the place, the reason, and what would work."""


def read_bytes(file: Path, what: str, most: int) -> bytes:
    """Return the content of a regular file of at most `most` bytes; `what` names the file in errors.

    Raises ValueError, in one sentence, for any other file, without opening it.
    """
    check_size(regular_size(file, what), what, most)
    try:
        with file.open("rb") as lines:  # one byte more: a file may grow, and files in /proc have size 0
            text = lines.read(most + 1)
    except OSError as error:
        raise unreadable(what, error) from None
    check_size(len(text), what, most)
    return text


def regular_size(file: Path, what: str) -> int:
    """Return the bytes of a regular file, which is not opened: a pipe would keep its reader waiting.

    Raises ValueError, in one sentence, for anything else.
    """
    try:
        found = file.stat()
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        raise unreadable(what, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{what} is {_kind(found.st_mode)}: the path of a file would work")
    return found.st_size


def unreadable(what: str, error: Exception) -> ValueError:
    """Return the error for a file that the system does not let slimlm read."""
    return ValueError(f"{what} cannot be read: {reason(error)}")


def _kind(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "no regular file but a device, a pipe or a socket"


def check_size(size: int, what: str, most: int, unit: str = "bytes") -> None:
    """Raise ValueError for more than `most` units."""
    if size > most:
        raise ValueError(f"{what} has {size:,} {unit}: it must have at most {most:,}")


def read_json(text: str | bytes, what: str, most: int) -> Any:
    """Return the value of a JSON text, which may start with a byte order mark; `what` names the text in errors.

    Raises ValueError, in one sentence, for a text that is longer than `most`, not UTF-8, not JSON or nested too deeply,
    and for a key that is given twice or a number with too many digits.
    """
    check_size(len(text), what, most, "characters" if isinstance(text, str) else "bytes")

    def integer(digits: str) -> int:
        return bounded_integer(digits, what)

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return unique(pairs, what)

    try:
        plain = text if isinstance(text, str) else text.decode()
        found = json.loads(plain.removeprefix("\ufeff"), object_pairs_hook=members, parse_int=integer)
    except UnicodeDecodeError as error:
        raise ValueError(f"{what} is not UTF-8 text: byte {error.start} cannot be read") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{what} is not JSON: {error}") from None
    except RecursionError:
        raise too_deep(what) from None
    _check_depth(found, what)
    return found


def bounded_integer(digits: str, what: str) -> int:
    """Return the integer of a text; raises ValueError for more than 400 digits, which take long to convert."""
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"{what} holds a number of {len(digits):,} digits: it must have at most {_MOST_DIGITS}")
    return int(digits)


def unique(pairs: Sequence[tuple[str, _Value]], what: str) -> dict[str, _Value]:
    """Return the values by name; raises ValueError for a name that is given twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"{what} gives {shown(twice)} twice: keep one of them")
    return found


def check_names(what: str, found: Iterable[str], known: Iterable[str], required: Iterable[str] = ()) -> None:
    """Raise ValueError for names of fields that are unknown, or for required ones that are missing.

    >>> check_names("the file", {"depth", "width"}, {"depth"})
    Traceback (most recent call last):
    ValueError: the file has unknown fields: 'width'
    """
    given = set(found)
    for problem, names in (("unknown", given.difference(known)), ("missing", set(required) - given)):
        if names:
            raise ValueError(f"{what} has {problem} fields: {named(names)}")


def _check_depth(found: object, what: str) -> None:
    level = [found]
    for _ in range(DEEPEST):
        nested = [value for value in level if isinstance(value, dict | list)]
        level = [item for value in nested for item in (value.values() if isinstance(value, dict) else value)]
    if any(isinstance(value, dict | list) for value in level):
        raise too_deep(what)


def too_deep(what: str) -> ValueError:
    """Return the error for a text with too many objects and lists in each other."""
    return ValueError(f"{what} is nested too deeply: it must have at most {DEEPEST} objects and lists in each other")


@contextmanager
def replacing(path: Path, *, follow: bool = True) -> Iterator[Path]:
    """Yield the path of a temporary file, which replaces `path` when it has been written completely.

    When writing fails, the temporary file is deleted and the old one stays. A device or a pipe is written directly.
    Without `follow`, for files of a folder that others may have filled, a link, a device or a pipe is replaced itself.

    Raises PermissionError when the old file is read-only; errors of the disk name `path`.
    """
    if follow and path.exists() and not path.is_file():
        yield path
        return
    target = path.resolve() if follow else path  # the target of a symbolic link
    if target.is_file() and not target.is_symlink() and not os.access(target, os.W_OK):
        raise PermissionError(None, "the file is read-only")
    temporary = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
    remove(temporary)
    try:
        with naming(path):
            yield temporary
            if target.is_file() and not target.is_symlink():
                shutil.copymode(target, temporary)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let errors of the disk inside name a file: those of a write name none, and others a temporary one."""
    try:
        yield
    except OSError as error:
        if error.strerror and str(error.filename or ".part").endswith(".part"):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def remove(path: Path) -> None:
    """Delete a file or a folder, and of a link the link alone; where there is none, nothing is done."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def check_own(folder: Path, *, files: Iterable[str] = (), folders: Iterable[str] = ()) -> None:
    """Raise ValueError when something in a folder is no regular file or no folder, or a link out of it.

    What is not there is no error. Writing into a link would change what belongs to someone else.
    """
    for names, mode_is, kind in ((files, stat.S_ISREG, "file"), (folders, stat.S_ISDIR, "folder")):
        for name in names:
            try:
                mode = (folder / name).lstat().st_mode
            except (FileNotFoundError, NotADirectoryError):
                continue
            if not mode_is(mode):
                found = "a link" if stat.S_ISLNK(mode) else "a file" if stat.S_ISREG(mode) else _kind(mode)
                raise ValueError(f"{folder / name} is {found}: a {kind} of its own there, or none, would work")


def reason(error: Exception) -> str:
    """Return why a file could not be read or written, without the number and the class of the error."""
    return (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split()) or type(error).__name__
