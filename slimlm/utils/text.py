"""Untrusted text made safe to display: Markdown escapes, control characters, long names."""

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches

_MOST_NAMED = 3
_LONGEST_SHOWN = 40


def shown(value: object, most: int = _LONGEST_SHOWN) -> str:
    r"""Return a value as JSON in printable characters, cut to `most` of them.

    >>> shown("a\u202eb"), shown([1, None]), shown("x" * 99, 10)
    ('"a\\u202eb"', '[1, null]', '"xxxxxx...')
    """
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):  # Python does not convert integers of thousands of digits
        text = "(a number of thousands of digits)" if isinstance(value, int) else f"({type(value).__name__})"
    text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[: most + 1])
    return cut(text, most)


def is_unicode(text: str) -> bool:
    """Return whether a text can be written in UTF-8: half of a surrogate pair, which JSON can hold, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def cut(text: str, most: int) -> str:
    """Return a text of at most `most` characters, "..." at the end of a longer one."""
    return text if len(text) <= most else text[: most - 3] + "..."


def named(names: Iterable[str]) -> str:
    """Return the first names of some fields, and the number of further ones.

    >>> named({"depth", "width", "heads", "vocabulary", "colour"})
    "'colour', 'depth', 'heads' and 2 more"
    """
    found = sorted(map(repr, names))
    more = f" and {len(found) - _MOST_NAMED:,} more" if len(found) > _MOST_NAMED else ""
    return ", ".join(cut(name, _LONGEST_SHOWN) for name in found[:_MOST_NAMED]) + more


def listed(parts: Iterable[str]) -> str:
    """Write parts as an enumeration.

    >>> listed(["depth", "width", "heads"]), listed(["depth"])
    ('depth, width and heads', 'depth')
    """
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def some_of(names: Iterable[str], like: str, most: int = 26) -> str:
    """List names; of more than `most`, those that are like a text, or the first three, and the number of the others.

    >>> some_of(("width", "depth"), "deep"), some_of(map(str, range(90)), "45")
    ('width, depth', '45, 5, 4 and 87 more')
    """
    known = list(names)
    if len(known) <= most:
        return ", ".join(known)
    near = get_close_matches(like[:_LONGEST_SHOWN], known, 3, 0.4) or known[:3]
    return f"{', '.join(near)} and {len(known) - len(near):,} more"


def one_line(text: str, most: int) -> str:
    r"""Return a name as one line of at most `most` printable characters.

    >>> one_line("small \n\u202e model", 40)
    'small model'
    """
    visible = "".join(c if c.isprintable() else " " for c in text[: 4 * most])
    return " ".join(visible.split())[:most].rstrip()


_MARKS = re.compile(r"([\\`*_{}\[\]()#+!<>|~$:&-])")
_NUMBERS = re.compile(r"^(\s*\d+)(?=[.)])", re.MULTILINE)
_FEW_MARKS = re.compile(r"([\\`*|<\[~$#]|&(?=[#\w])|(?<!\w)_|_(?!\w))")

_ALIVE = re.compile(r"(?<=:)(?=//|[\w+-]+[:/])|(?<=www)(?=\.)|(?<=@)|(?<=#)(?=\d)|(?<=[<>~-])(?=[->=])", re.IGNORECASE)
"""Positions at which addresses, icons, emoji, mentions and arrows are split.

Renderers detect them after unescaping the text, so that escapes do not help.
"""

JOINER = "\u2060"
"""Word joiner: it has no width and allows no line break."""


def plain(text: str) -> str:
    """Escape untrusted text, so that a page's Markdown shows it unchanged."""
    return _NUMBERS.sub(r"\1\\", _MARKS.sub(r"\\\1", _inert(text)))


def lightly(text: str) -> str:
    """Escape untrusted text in a Markdown document with few backslashes, so that its source stays readable."""
    return _FEW_MARKS.sub(r"\\\1", _inert(text))


_PAPER = re.compile(r"arXiv (\d{4}\.\d{4,5})")


def paper_links(source: str) -> list[tuple[str, str]]:
    """Split the source of a figure into texts, each with the address of its paper or with none.

    >>> paper_links("Shazeer 2020 (arXiv 2002.05202), sec. 2")
    [('Shazeer 2020 (', ''), ('arXiv 2002.05202', 'https://arxiv.org/abs/2002.05202'), ('), sec. 2', '')]
    """
    parts = _PAPER.split(source)  # texts and numbers take turns
    found = [
        (f"arXiv {part}", f"https://arxiv.org/abs/{part}") if n % 2 else (part, "") for n, part in enumerate(parts)
    ]
    return [(text, address) for text, address in found if text]


def _inert(text: str) -> str:
    return _ALIVE.sub(JOINER, text)
