"""Reader of JSON as people write and print it: comments, trailing commas, Python's words and quotes, named arguments.

Everything that it accepts has one meaning; anything else is refused with its line.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slimlm.utils.files import DEEPEST, bounded_integer, too_deep, unique
from slimlm.utils.text import shown

_SKIPPED = r"[\s\u200b\ufeff]++|\#[^\n]*+|//[^\n]*+"
_TOKENS = re.compile(
    rf"""(?P<skipped>{_SKIPPED})
    |(?P<text>"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')
    |(?P<number>[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?+)(?![\w.])
    |(?P<word>-?[^\W\d][\w.]*+)
    |(?P<mark>[{{}}\[\](),:=*])""",
    re.VERBOSE,
)
"""Possessive, so that no text takes more than one pass."""

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("true", "True"), True),
    **dict.fromkeys(("false", "False"), False),
    **dict.fromkeys(("null", "None"), None),
    **dict.fromkeys(("NaN", "nan"), float("nan")),
    **dict.fromkeys(("Infinity", "inf"), float("inf")),
    **dict.fromkeys(("-Infinity", "-inf"), float("-inf")),
}
_CLOSING = {"{": "}", "[": "]", "(": ")"}
_ESCAPE = re.compile(r'\\(x[0-9a-fA-F]{2}|.)|"')


@dataclass(frozen=True)
class Token:
    """A piece of a text: its kind (text, number, word, mark or end), its characters, and its line from 1."""

    kind: str
    text: str
    line: int


def unreadable_line(what: str, line: int, reason: str) -> ValueError:
    """Return the error for a text that cannot be read, with the number of a line and the reason."""
    return ValueError(f"{what} cannot be read: line {line:,} {reason}")


def bare_value(text: str, what: str, line: int) -> Any:
    """Return the value of a line's end: a value as in JSON or Python, or else the text itself.

    >>> bare_value("1e-5", "the file", 1), bare_value("LLaMAMLP", "the file", 1), bare_value("[1, 2]", "the file", 1)
    (1e-05, 'LLaMAMLP', [1, 2])

    Raises ValueError for an open quote or bracket, and for a number with too many digits.
    """
    if text[:1] in ("{", "[", '"', "'"):
        reader = LooseReader(text, what, first_line=line)
        return reader.whole()
    if text in ("~", "null", "Null", "NULL", ""):
        return None
    token = _TOKENS.fullmatch(text)
    if token and token.lastgroup == "number":
        return _number(text, what)
    lower = text.lower()
    return lower == "true" if lower in ("true", "false") else text


class LooseReader:
    """A cursor on the tokens of a text; `what` names the text in errors."""

    def __init__(self, text: str, what: str, *, first_line: int = 1) -> None:
        self._text, self._what = text, what
        self._at, self._line, self._depth = 0, first_line, 0
        self.token = self._next()

    def whole(self) -> Any:
        """Return the only value of the text.

        Raises ValueError, in one sentence, for a text that is no value or goes on after it.
        """
        value = self.value()
        self.check_end()
        return value

    def check_end(self) -> None:
        """Raise ValueError when the text goes on."""
        if self.token.kind != "end":
            raise self.wrong(f"goes on with {shown(self.token.text)} after the config: keep one config alone")

    def wrong(self, reason: str) -> ValueError:
        """Return the error for the line of the current token."""
        return unreadable_line(self._what, self.token.line, reason)

    def take(self) -> Token:
        """Return the current token and go to the next."""
        token, self.token = self.token, self._next()
        return token

    def is_mark(self, mark: str) -> bool:
        """Whether the current token is this mark."""
        return self.token.kind == "mark" and self.token.text == mark

    def _next(self) -> Token:
        while self._at < len(self._text):
            found = _TOKENS.match(self._text, self._at)
            if not found:
                raise unreadable_line(self._what, self._line, self._reason())
            start, self._at = self._line, found.end()
            self._line += found.group().count("\n")
            if found.lastgroup != "skipped":
                return Token(str(found.lastgroup), found.group(), start)
        return Token("end", "", self._line)

    def _reason(self) -> str:
        rest = self._text[self._at :].partition("\n")[0]
        if rest[0] in "\"'":
            return f"opens a quote that it does not close: {shown(rest)}"
        if rest[0] in "“”‘’„":
            return f"has the typographic quote {rest[0]}: straight quotes would work"
        return f"has {shown(rest)} where a key or a value was expected"

    def value(self) -> Any:
        """Return the value that starts at the current token, a product of numbers included."""
        value = self._single()
        while self.is_mark("*"):
            self.take()
            value = self._product(value, self._single())
        return value

    def _product(self, left: object, right: object) -> int | float:
        for factor in (left, right):
            if isinstance(factor, bool) or not isinstance(factor, int | float) or abs(factor) > 10**15:
                raise self.wrong(f"multiplies {shown(factor)}: a number would work")
        return left * right  # type: ignore[operator, no-any-return]  # both were checked

    def _single(self) -> Any:
        token = self.take()
        if token.kind == "text":
            return self._string(token)
        if token.kind == "number":
            return _number(token.text, self._what)
        if token.kind == "word":
            return self._word(token)
        if token.text in _CLOSING:
            return self._nested(token)
        raise self._missing(token)

    def _missing(self, token: Token) -> ValueError:
        if token.kind == "end":
            return unreadable_line(self._what, token.line, "ends where a value was expected")
        return unreadable_line(self._what, token.line, f"has {shown(token.text)} where a value was expected")

    def _word(self, token: Token) -> Any:
        if self.is_mark("("):
            return self._nested(self.take(), named=True)
        if token.text in _WORDS:
            return _WORDS[token.text]
        if token.text.startswith("torch."):  # a dtype that Python printed
            return token.text.removeprefix("torch.")
        reason = f"has the word {shown(token.text)} where a value was expected: a text stands in quotes"
        raise unreadable_line(self._what, token.line, reason)

    def _nested(self, opened: Token, *, named: bool = False) -> Any:
        self._depth += 1
        if self._depth > DEEPEST:
            raise too_deep(self._what)
        if named or opened.text == "{":
            pairs: list[tuple[str, Any]] = self._items(opened, lambda: self._pair("=" if named else ":"))
            found: Any = unique(pairs, self._what)
        else:
            found = self._items(opened, self.value)
        self._depth -= 1
        return found

    def _items(self, opened: Token, read: Callable[[], Any]) -> list[Any]:
        items, closing = [], _CLOSING[opened.text]
        while not self.is_mark(closing):
            items.append(read())
            if self.is_mark(","):
                self.take()
            elif self.token.kind == "end":
                raise self.wrong(f"ends before the {opened.text} of line {opened.line:,} is closed")
            elif not self.is_mark(closing):
                raise self.wrong(f"has {shown(self.token.text)} where a comma or {closing} was expected")
        self.take()
        return items

    def _pair(self, joint: str) -> tuple[str, Any]:
        key = self.take()
        if key.kind not in ("text", "number", "word"):
            found = "ends" if key.kind == "end" else f"has {shown(key.text)}"
            raise unreadable_line(self._what, key.line, f"{found} where a key was expected")
        if not self.is_mark(joint):
            raise self.wrong(f"has no {joint} after the key {shown(key.text.strip(chr(34)))}")
        self.take()
        return (self._string(key) if key.kind == "text" else key.text), self.value()

    def _string(self, token: Token) -> str:
        """Return the characters of a text in quotes, with the escapes of JSON and of Python."""

        def as_json(escape: re.Match[str]) -> str:
            code = escape.group(1)
            if code is None:
                return '\\"'
            return f"\\u00{code[1:]}" if len(code) == 3 else {"'": "'"}.get(code, f"\\{code}")

        try:
            return str(json.loads(f'"{_ESCAPE.sub(as_json, token.text[1:-1])}"', strict=False))
        except ValueError:
            reason = f"has a backslash that starts no known character in {shown(token.text)}"
            raise unreadable_line(self._what, token.line, reason) from None


def _number(digits: str, what: str) -> int | float:
    if set(digits) & set(".eE"):
        return float(digits)
    return bounded_integer(digits, what)
