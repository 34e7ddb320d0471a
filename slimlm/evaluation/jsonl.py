"""Test sets in JSON Lines files: bounded reads, errors that name the line, seeded samples."""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from slimlm.utils.files import read_bytes, read_json
from slimlm.utils.text import is_unicode
from slimlm.utils.validation import FieldError

MAX_BYTES = 100_000_000
"""The largest of the known test sets has 2.2 MB."""

_LONGEST_LINE = 1_000_000

_Item = TypeVar("_Item")


def read_lines(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a JSON Lines file, each with the name of its place for errors; empty lines are left out.

    Raises ValueError, in one sentence, for a file that cannot be read, holds no object, or has a line that is not one.
    """
    count = 0
    for number, line in enumerate(read_bytes(file, file.name, MAX_BYTES).split(b"\n"), start=1):
        if not line.strip():
            continue
        place = f"line {number} of {file.name}"
        found = _value(line, place)
        if not isinstance(found, dict):
            raise ValueError(f"{place} is not a JSON object: one with fields and values would work")
        count += 1
        yield place, found
    if not count:
        raise ValueError(f"{file.name} holds no lines: it must have at least one")


def _value(line: bytes, place: str) -> Any:
    try:
        return json.loads(line.decode())
    except (ValueError, RecursionError):
        return read_json(line, place, _LONGEST_LINE)  # it says what is wrong, but takes 20 times as long


def text_of(item: dict[str, Any], field: str, place: str) -> str:
    """Return a text of an item. Raises ValueError when it is missing, empty, no text or not Unicode."""
    text = item.get(field)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{place} has no text in its field {field!r}")
    if not is_unicode(text):
        raise ValueError(f"{place} has half a surrogate pair in its field {field!r}, which no UTF-8 text holds")
    return text


def sample_items(items: Sequence[_Item], share: float, key: str) -> list[_Item]:
    """Return a share of some items, at least one, in their order; one key always gives the same items.

    Raises FieldError for a share that is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise FieldError("share", share, "it must be above 0 and at most 1", (("share", 0.1),))
    count = max(1, round(share * len(items)))
    return [items[number] for number in sorted(random.Random(key).sample(range(len(items)), count))]
