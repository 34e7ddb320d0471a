"""The text of a config, as it is found in files, logs, chats and source code.

Read are JSON, also with comments, trailing commas or Python's words; a printed config such as `LlamaConfig {…}`; a
Python dict or call; lines of `key: value` (YAML) or `key = value`. Whatever has more than one reading is refused.
"""

import json
import re
from typing import Any

from slimlm.interop.config_lines import read_assignments, read_key_lines
from slimlm.interop.loose_values import LooseReader, unreadable_line
from slimlm.utils.files import check_size, read_json
from slimlm.utils.text import shown

MAX_BYTES = 1_000_000
"""A config.json has about 1 kB; long lists of labels make it 100 kB."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
_MERGE_MARK = re.compile(r"^(?:<{7}|>{7}|\|{7})(?:[ \t].*)?$", re.M)
_FENCE = re.compile(r"\A\s*```\w*[ \t]*\n(?P<body>.*)\n[ \t]*```\s*\Z", re.S)
_COMMENTS = r"(?:\s|#[^\n]*\n|//[^\n]*\n)*+"
_BRACE = re.compile(
    rf"\A{_COMMENTS}(?:(?:[^\n{{(]*[\s.=])?(?:\w+Config\s*(?=\{{)|(?=\w+Config\())|(?:\w+\s*=\s*)?(?=(?:dict|Namespace)?[{{(\[]))"
)
_STATEMENTS = re.compile(
    rf"\A{_COMMENTS}(?:[^\W\d]\w*[ \t]*(?::[^\n=]*)?=(?!=)|import |from |@dataclass|class |\"\"\"|''')"
)
_KEY_LINES = re.compile(rf"\A{_COMMENTS}(?:---[^\n]*\n{_COMMENTS})?[\w.\-/\"']+:(?:\s|\Z)")


def read_config_text(text: str | bytes, what: str = "the config") -> dict[str, Any]:
    """Return the keys and values of the text of a config; `what` names the text in errors.

    >>> read_config_text("LlamaConfig {'hidden_size': 512,}  # printed")
    {'hidden_size': 512}

    Raises ValueError, in one sentence that says which line and why, for a text that is longer than `MAX_BYTES`, not
    UTF-8, nested too deeply, without keys, or in none of the forms above.
    """
    check_size(len(text), what, MAX_BYTES, "characters" if isinstance(text, str) else "bytes")
    plain = _decoded(text, what)
    config = _value(plain, what)
    if not isinstance(config, dict):
        raise ValueError(f"{what} is {shown(config)}: a config.json holds an object such as {{...}}")
    return config


def _decoded(text: str | bytes, what: str) -> str:
    try:
        plain = text if isinstance(text, str) else text.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{what} is not UTF-8 text: byte {error.start} cannot be read") from None
    return plain.removeprefix("\ufeff")


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=lambda digits: 0)
    except RecursionError:
        return True  # read_json says it
    except ValueError:
        return False
    return True


def _value(text: str, what: str) -> Any:
    if _is_json(text):
        return read_json(text, what, MAX_BYTES)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    _check_characters(text, what)
    if fenced := _FENCE.match(text):  # the lines keep their numbers
        text = "\n" + fenced["body"]
    if not text.strip():
        raise ValueError(f"{what} is empty: the text of a config.json would work")
    if start := _BRACE.match(text):
        return LooseReader(text[start.end() :], what, first_line=1 + start.group().count("\n")).whole()
    if _STATEMENTS.match(text):
        return read_assignments(text, what)
    if _KEY_LINES.match(text):
        return read_key_lines(text, what)
    raise _unknown_form(text, what)


def _check_characters(text: str, what: str) -> None:
    if mark := _MERGE_MARK.search(text):
        reason = (
            f"is the mark of a merge conflict ({shown(mark.group()).strip(chr(34))}): keep one side without the marks"
        )
        raise unreadable_line(what, _line_of(text, mark.start()), reason)
    if control := _CONTROL.search(text):
        reason = f"holds the control character U+{ord(control.group()):04X}: the text without it would work"
        raise unreadable_line(what, _line_of(text, control.start()), reason)


def _line_of(text: str, place: int) -> int:
    return 1 + text.count("\n", 0, place)


def _unknown_form(text: str, what: str) -> ValueError:
    line = next(n for n, line in enumerate(text.split("\n"), start=1) if line.strip())
    said = shown(text.split("\n")[line - 1].strip())
    return unreadable_line(what, line, f"is {said}, which starts no JSON, no Python dict and no key: value lines")
