"""Readers of configs that are lines: `key: value` as in YAML, and `key = value` as in Python."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slimlm.interop.loose_values import LooseReader, bare_value, unreadable_line
from slimlm.utils.files import DEEPEST, too_deep, unique
from slimlm.utils.text import shown

_PAIR = re.compile(r"""(?P<key>[\w.\-/]++|"[^"]*"|'[^']*'):(?:[ \t]+(?P<value>.*))?$""")
_COMMENT = re.compile(r"(?:^|[ \t])#.*$")
_FRAME = re.compile(
    r"^[ \t]*(?:import [^\n]*|from [^\n]* import [^\n]*|@dataclass[^\n]*|class \w+[^\n]*:[ \t]*(?:\#.*)?)$", re.M
)
_DOCSTRING = re.compile(r'\A\s*(?:#[^\n]*\n\s*)*("""|\'\'\').*?\1', re.S)


@dataclass(frozen=True)
class _Line:
    number: int
    indent: int
    text: str


def read_key_lines(text: str, what: str) -> dict[str, Any]:
    """Return the keys and values of YAML with plain keys, values on one line, lists of them, and indented blocks.

    Raises ValueError, in one sentence with the line, for anything else: YAML that has more than one reading here.
    """
    lines = [line for line in _lines(text, what) if line.text]
    if not lines:
        raise ValueError(f"{what} has no keys: lines such as n_layer: 12 would work")
    found, rest = _block(lines, what, 0)
    if rest:
        raise unreadable_line(what, rest[0].number, "is indented less than the lines before it")
    if not isinstance(found, dict):
        raise ValueError(f"{what} is {shown(found)}: a config has keys, such as n_layer: 12")
    return found


def _lines(text: str, what: str) -> list[_Line]:
    found = []
    for number, raw in enumerate(text.split("\n"), start=1):
        line = _without_comment(raw.rstrip())
        body = line.lstrip(" ")
        if body.startswith("\t"):
            raise unreadable_line(what, number, "is indented by a tab: spaces would work")
        if body not in ("---", "..."):
            found.append(_Line(number, len(line) - len(body), body))
    return found


def _without_comment(line: str) -> str:
    quoted = '"' in line or "'" in line
    return line if quoted and not line.lstrip().startswith("#") else _COMMENT.sub("", line).rstrip()


def _block(lines: Sequence[_Line], what: str, depth: int) -> tuple[Any, Sequence[_Line]]:
    """Return the value of the lines of one indentation, and the lines after them."""
    if depth > DEEPEST:
        raise too_deep(what)
    indent, pairs, items, listed = lines[0].indent, [], [], lines[0].text.startswith("- ")
    while lines and lines[0].indent == indent and lines[0].text.startswith("- ") == listed:
        line, lines = lines[0], lines[1:]
        if listed:
            items.append(bare_value(line.text[2:].strip(), what, line.number))
            continue
        key, value = _pair(line, what)
        if value is None and lines and _is_inside(lines[0], indent):
            value, lines = _block(lines, what, depth + 1)
        else:
            value = bare_value(value or "", what, line.number)
        pairs.append((key, value))
    if lines and lines[0].indent > indent:
        raise unreadable_line(what, lines[0].number, "is indented more than the line before it")
    return (items if listed else unique(pairs, what)), lines


def _is_inside(line: _Line, indent: int) -> bool:
    return line.indent > indent or (line.indent == indent and line.text.startswith("- "))


def _pair(line: _Line, what: str) -> tuple[str, str | None]:
    found = _PAIR.match(line.text)
    if not found:
        raise unreadable_line(what, line.number, f"is {shown(line.text)}, which is no key: value")
    value = (found["value"] or "").strip()
    return found["key"].strip("\"'"), value or None


def read_assignments(text: str, what: str) -> dict[str, Any]:
    """Return the names and values of a Python text whose statements all give a name a plain value.

    A single name that holds a dict is that dict. Imports, docstring, and the head of a dataclass are passed over.

    Raises ValueError, in one sentence with the line, for any other statement.
    """
    reader = LooseReader(_FRAME.sub("", _DOCSTRING.sub(_only_line_ends, text)), what)
    pairs: list[tuple[str, Any]] = []
    while reader.token.kind != "end":
        pairs.append(_assignment(reader))
    if len(pairs) == 1 and isinstance(pairs[0][1], dict):
        return pairs[0][1]
    return dict(pairs)  # a name that is given twice has its last value, as in Python


def _only_line_ends(docstring: re.Match[str]) -> str:
    return "\n" * docstring.group().count("\n")


def _assignment(reader: LooseReader) -> tuple[str, Any]:
    name = reader.take()
    if reader.is_mark(":"):
        _skip_annotation(reader)
    if name.kind != "word" or not reader.is_mark("="):
        raise reader.wrong(f"does not give a name a plain value: {shown(name.text)} … is no line such as n_layer = 12")
    reader.take()
    return name.text, reader.value()


def _skip_annotation(reader: LooseReader) -> None:
    for _ in range(20):  # Optional[dict[str, int]] has 9 tokens
        if reader.is_mark("=") or reader.token.kind == "end":
            return
        reader.take()
