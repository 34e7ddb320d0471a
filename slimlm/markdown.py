"""Text for pages and documents that may come from a link, a file or a field."""

import re

_MARKS = re.compile(r"([\\`*_{}\[\]()#+!<>|~$:&-])")
_NUMBERS = re.compile(r"^(\s*\d+)(?=[.)])", re.MULTILINE)
_FEW_MARKS = re.compile(r"([\\`*|<\[~$#]|&(?=[#\w])|(?<!\w)_|_(?!\w))")

_ALIVE = re.compile(r"(?<=:)(?=//|[\w+-]+[:/])|(?<=www)(?=\.)|(?<=@)|(?<=#)(?=\d)|(?<=[<>~-])(?=[->=])", re.IGNORECASE)
"""Where addresses, icons, emoji, mentions and arrows are cut in two.

What shows Markdown looks for them in the text that it is about to show, where escapes are no more.
"""

JOINER = "\u2060"
"""A character without width, at which no line is broken."""


def plain(text: str) -> str:
    """Escape foreign text, so that a page's Markdown shows it as it is."""
    return _NUMBERS.sub(r"\1\\", _MARKS.sub(r"\\\1", _inert(text)))


def lightly(text: str) -> str:
    """Escape foreign text within a line or a table of a Markdown document, which stays easy to read as it stands."""
    return _FEW_MARKS.sub(r"\\\1", _inert(text))


def _inert(text: str) -> str:
    return _ALIVE.sub(JOINER, text)
