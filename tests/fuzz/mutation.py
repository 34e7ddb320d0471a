"""Damage to a file: to its bytes, to the values of its JSON, or to what kind of file it is."""

import copy
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TERABYTE = 2**40

LIVELY_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2, 10**399, -(10**300), 2**63, 2**31, 1e308, -0.5, 1e-300, 5e-324, float("nan"),
    float("inf"), float("-inf"), "", "nan", "auto", "x" * 5000, "<script>alert(1)</script>", "a\nb", "\u202eabc",
    "\ud800", "\0", "../../x", "/etc/passwd", "=1+1", "$x$ `y` {{7*7}} | ]]>", "\x1b[2J", "１２", [], {}, [[[]]],
    [None] * 50, {"a": [1]}, {"": {}}, [0.5, "x", None], "2024-01-01", "f" * 64, "slimlm-run-1",
]  # fmt: skip

_TOKENS = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"9" * 500, b"NaN", b"null", b'"\\ud800"', b"\\",
           b"-", b"e9999", b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\n", b"\r", b"\x1b[2J", "\u202e１".encode(),
           b"#", b"'", b"1_0"]  # fmt: skip


def damaged_bytes(content: bytes, draw: random.Random) -> bytes:
    """Return bytes that are flipped, cut, repeated, left out or replaced somewhere."""
    size = len(content)
    start = draw.randrange(size + 1)
    end = min(size, start + draw.choice((1, 3, 20, 500, size)))
    changed = bytearray(content)
    kind = draw.randrange(6)
    if kind == 0 and size:
        for _ in range(draw.choice((1, 2, 8))):
            changed[draw.randrange(size)] ^= 1 << draw.randrange(8)
        return bytes(changed)
    if kind == 1:
        return content[:start]
    if kind == 2:
        return content[:end] + content[start:end] * draw.choice((1, 2, 40)) + content[end:]
    if kind == 3:
        return content[:start] + content[end:]
    if kind == 4:
        return content[:start] + draw.choice(_TOKENS) + content[end if draw.random() < 0.3 else start :]
    return content[:start] + bytes(draw.randrange(256) for _ in range(draw.choice((1, 8, 60)))) + content[end:]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value in a value; of long lists, to the first ones."""
    if at:
        yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value[:4]) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*at, key))


def damaged_value(record: Any, draw: random.Random) -> Any:
    """Return a copy in which a value is another or missing, a key is new, or all is nested deeply."""
    changed = target = copy.deepcopy(record)
    found = list(places(record))
    if not found or draw.random() < 0.02:
        return draw.choice(LIVELY_VALUES)
    *way, last = draw.choice(found)
    for key in way:
        target = target[key]
    kind = draw.random()
    if kind < 0.15 and isinstance(target, dict):
        del target[last]
    elif kind < 0.25 and isinstance(target, dict):
        target[draw.choice(["new\nkey", "x" * 3000, "<b>", "", "\ud800", "__class__", "model_type"])] = target[last]
    elif kind < 0.3:
        target[last] = _nested(draw.choice((5, 70, 3000)))
    elif kind < 0.45:
        target[last] = _near(target[last], draw)
    elif kind < 0.5 and isinstance(target, list):
        target *= draw.choice((0, 2, 50))
    else:
        target[last] = draw.choice(LIVELY_VALUES)
    return changed


def _nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


def _near(value: Any, draw: random.Random) -> Any:
    """Return a value of the same kind, or the same value as text."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        options = [value + 1, -value, value * 2, value * 10**6, str(value), float(value), value / 3, value - 1]
        return draw.choice(options) if abs(value) < 1e200 else str(value)
    if isinstance(value, str):
        return draw.choice([value[:-1], value * 2, value.upper(), f" {value}", f"{value}\n", value[::-1]])
    return draw.choice([[value], str(value)[:500]])


def damaged_json(content: bytes, draw: random.Random) -> bytes:
    """Return a JSON text, or JSON lines, with a damaged value."""
    lines = content.split(b"\n")
    is_lines = content.startswith(b"{") and len(lines) > 2 and lines[0].endswith(b"}")
    try:
        if not is_lines:
            return _written(damaged_value(json.loads(content), draw))
        place = draw.randrange(max(1, len(lines) - 1))
        lines[place] = _written(damaged_value(json.loads(lines[place]), draw))
        return b"\n".join(lines)
    except (ValueError, RecursionError):
        return damaged_bytes(content, draw)


def _written(value: Any) -> bytes:
    return json.dumps(value).encode()


def lengthened(file: Path) -> None:
    """Make a file a terabyte long by a hole, which takes no room."""
    with file.open("r+b" if file.exists() else "wb") as out:
        out.truncate(TERABYTE)


def _folder(file: Path, outside: Path) -> None:
    file.mkdir()


def _pipe(file: Path, outside: Path) -> None:
    os.mkfifo(file)


def _loop(file: Path, outside: Path) -> None:
    file.symlink_to(file)


def _elsewhere(file: Path, outside: Path) -> None:
    file.symlink_to(outside / "canary.json")


def _elsewhere_folder(file: Path, outside: Path) -> None:
    file.symlink_to(outside)


def _nowhere(file: Path, outside: Path) -> None:
    file.symlink_to(outside / "absent")


def _endless(file: Path, outside: Path) -> None:
    file.symlink_to("/dev/zero")


def _empty(file: Path, outside: Path) -> None:
    file.touch()


def _huge(file: Path, outside: Path) -> None:
    lengthened(file)


def _gone(file: Path, outside: Path) -> None:
    pass


STRANGE: list[Callable[[Path, Path], None]] = [
    _folder, _pipe, _loop, _elsewhere, _elsewhere_folder, _nowhere, _endless, _empty, _huge, _gone
]  # fmt: skip
"""What a file is replaced by: what makes it is called with its path and a folder that is none of slimlm's business."""


def replace_file(path: Path, draw: random.Random, outside: Path) -> str:
    """Replace a file or a folder by something strange; return what it is now."""
    make = draw.choice(STRANGE)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    make(path, outside)
    return make.__name__.removeprefix("_")


def damage(path: Path, draw: random.Random, outside: Path, strange: float = 0.15) -> str:
    """Damage a file or a folder; return what was done, in a word."""
    is_usual = path.is_file() and not path.is_symlink() and path.stat().st_size < TERABYTE
    if not is_usual or draw.random() < strange:
        return replace_file(path, draw, outside)
    content = path.read_bytes()
    if draw.random() < 0.04:  # a good start, and then a hole
        lengthened(path)
        return "long"
    if path.suffix in (".json", ".jsonl") and draw.random() < 0.7:
        path.write_bytes(damaged_json(content, draw))
        return "json"
    path.write_bytes(damaged_bytes(content, draw))
    return "bytes"
