"""Bounded reads of untrusted files and JSON, and atomic file writes."""

import json
import os
import shutil
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from slimlm.utils.text import shown

_MOST_DIGITS, _DEEPEST = 400, 64

_Value = TypeVar("_Value")


def read_bytes(file: Path, what: str, most: int) -> bytes:
    """Return what is in a file, which is not opened unless it is a regular one of at most `most` bytes.

    Raises ValueError, in one sentence that begins with what the file is called, for any other.
    """
    try:
        found = file.stat()
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        raise unreadable(what, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{what} is {_kind(found.st_mode)}: the path of a file would work")
    check_size(found.st_size, what, most)
    try:
        with file.open("rb") as lines:  # one byte more: a file may grow, and those of /proc have no size
            text = lines.read(most + 1)
    except OSError as error:
        raise unreadable(what, error) from None
    check_size(len(text), what, most)
    return text


def unreadable(what: str, error: Exception) -> ValueError:
    """Return the error for what the system does not let be read."""
    return ValueError(f"{what} cannot be read: {reason(error)}")


def _kind(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "no regular file but a device, a pipe or a socket"


def check_size(size: int, what: str, most: int, unit: str = "bytes") -> None:
    """Raise ValueError for more than `most` units."""
    if size > most:
        raise ValueError(f"{what} has {size:,} {unit}: it must have at most {most:,}")


def read_json(text: str | bytes, what: str, most: int) -> Any:
    """Return what a JSON text holds; a byte order mark before it is passed over.

    Raises ValueError, in one sentence that begins with what the text is called, for one that is longer than `most`
    bytes, not UTF-8, not JSON or nested too deeply, that gives a key twice, or that holds a number of too many digits.
    """
    check_size(len(text), what, most, "characters" if isinstance(text, str) else "bytes")

    def integer(digits: str) -> int:
        if len(digits) > _MOST_DIGITS:
            raise ValueError(f"{what} holds a number of {len(digits):,} digits: it must have at most {_MOST_DIGITS}")
        return int(digits)

    def named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return unique(pairs, what)

    try:
        plain = text if isinstance(text, str) else text.decode()
        found = json.loads(plain.removeprefix("\ufeff"), object_pairs_hook=named, parse_int=integer)
    except UnicodeDecodeError as error:
        raise ValueError(f"{what} is not UTF-8 text: byte {error.start} cannot be read") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{what} is not JSON: {error}") from None
    except RecursionError:
        raise _too_deep(what) from None
    _check_depth(found, what)
    return found


def unique(pairs: Sequence[tuple[str, _Value]], what: str) -> dict[str, _Value]:
    """Return the values by name; raises ValueError for a name that is given twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"{what} gives {shown(twice)} twice: keep one of them")
    return found


def _check_depth(found: object, what: str) -> None:
    level = [found]
    for _ in range(_DEEPEST):
        nested = [value for value in level if isinstance(value, dict | list)]
        level = [item for value in nested for item in (value.values() if isinstance(value, dict) else value)]
    if any(isinstance(value, dict | list) for value in level):
        raise _too_deep(what)


def _too_deep(what: str) -> ValueError:
    return ValueError(f"{what} is nested too deeply: it must have at most {_DEEPEST} objects and lists in each other")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the name of a new file to write, which takes the place of `path` once it is whole.

    When writing fails, the new file goes and the old one stays as it was. A device or a pipe is written directly.

    Raises PermissionError when the old file must not be written.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    target = path.resolve()  # what a link points to
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(None, "the file is read-only")
    beside = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
    try:
        yield beside
        if target.exists():
            shutil.copymode(target, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def reason(error: Exception) -> str:
    """Say why a file could not be read or written, without numbers and names of errors."""
    return (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split()) or type(error).__name__
