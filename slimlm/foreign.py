"""What comes from others: files and their JSON, names, and the names of fields that nobody knows."""

import json
import stat
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from slimlm.files import reason

_MOST_DIGITS, _DEEPEST, _MOST_NAMED, _LONGEST_SHOWN = 400, 64, 3, 40


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
    _check_size(found.st_size, what, most)
    try:
        with file.open("rb") as lines:  # one byte more: a file may grow, and those of /proc have no size
            text = lines.read(most + 1)
    except OSError as error:
        raise unreadable(what, error) from None
    _check_size(len(text), what, most)
    return text


def unreadable(what: str, error: Exception) -> ValueError:
    """Return the error for what the system does not let be read."""
    return ValueError(f"{what} cannot be read: {reason(error)}")


def _kind(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "no regular file but a device, a pipe or a socket"


def _check_size(size: int, what: str, most: int, unit: str = "bytes") -> None:
    if size > most:
        raise ValueError(f"{what} has {size:,} {unit}: it must have at most {most:,}")


def read_json(text: str | bytes, what: str, most: int) -> Any:
    """Return what a JSON text holds; a byte order mark before it is passed over.

    Raises ValueError, in one sentence that begins with what the text is called, for one that is longer than `most`
    bytes, not UTF-8, not JSON or nested too deeply, that gives a key twice, or that holds a number of too many digits.
    """
    _check_size(len(text), what, most, "characters" if isinstance(text, str) else "bytes")

    def integer(digits: str) -> int:
        if len(digits) > _MOST_DIGITS:
            raise ValueError(f"{what} holds a number of {len(digits):,} digits: it must have at most {_MOST_DIGITS}")
        return int(digits)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return _unique(pairs, what)

    try:
        plain = text if isinstance(text, str) else text.decode()
        found = json.loads(plain.removeprefix("\ufeff"), object_pairs_hook=unique, parse_int=integer)
    except UnicodeDecodeError as error:
        raise ValueError(f"{what} is not UTF-8 text: byte {error.start} cannot be read") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{what} is not JSON: {error}") from None
    except RecursionError:
        raise _too_deep(what) from None
    _check_depth(found, what)
    return found


def _unique(pairs: list[tuple[str, Any]], what: str) -> dict[str, Any]:
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


def shown(value: object, most: int = _LONGEST_SHOWN) -> str:
    r"""Write a value as JSON does, in visible characters, cut to `most` of them.

    >>> shown("a\u202eb"), shown([1, None]), shown("x" * 99, 10)
    ('"a\\u202eb"', '[1, null]', '"xxxxxx...')
    """
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):  # Python writes no number of thousands of digits
        text = "(a number of thousands of digits)" if isinstance(value, int) else f"({type(value).__name__})"
    text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[: most + 1])
    return _cut(text, most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def named(names: Iterable[str]) -> str:
    """Name a few fields, and say how many there are besides.

    >>> named({"depth", "width", "heads", "vocabulary", "colour"})
    "'colour', 'depth', 'heads' and 2 more"
    """
    found = sorted(map(repr, names))
    more = f" and {len(found) - _MOST_NAMED:,} more" if len(found) > _MOST_NAMED else ""
    return ", ".join(_cut(name, _LONGEST_SHOWN) for name in found[:_MOST_NAMED]) + more


def one_line(text: str, most: int) -> str:
    r"""Return a name as one line of at most `most` visible characters: none that break it, hide or turn its direction.

    >>> one_line("small \n\u202e model", 40)
    'small model'
    """
    visible = "".join(c if c.isprintable() else " " for c in text[: 4 * most])
    return " ".join(visible.split())[:most].rstrip()
