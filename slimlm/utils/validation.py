"""Dataclass fields that know their limits and their documentation.

A field's docstring (the string literal below it) is what the documentation, the command line's help and the sliders'
help text show, so that a knob is explained in one place.
"""

import ast
import dataclasses
import inspect
import math
import textwrap
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from slimlm.utils.formatting import shown


@dataclasses.dataclass(frozen=True)
class Limits:
    """The values that a numeric field takes, both ends included."""

    low: float
    high: float
    optional: bool = False
    words: tuple[str, ...] = ()
    """Words that stand for a value: "auto"."""

    def admits(self, value: float) -> bool:
        """Say whether the value lies within the limits (NaN lies nowhere)."""
        return self.low <= value <= self.high

    def in_words(self, kind: str) -> str:
        """Name the rule, for an error message or a help text."""
        others = [*map(repr, self.words), *(["None"] if self.optional else [])]
        return (
            f"{kind} between {_plain(self.low)} and {_plain(self.high)}{''.join(f', or {other}' for other in others)}"
        )


def whole(default: Any, low: int, high: int, *words: str) -> Any:
    """Declare an integer field; a default of None makes it optional, and words may stand for values."""
    return _limited(default, Limits(low, high, default is None, words))


def real(default: float, low: float, high: float) -> Any:
    """Declare a real-valued field."""
    return _limited(default, Limits(low, high))


def choice(default: str, *others: str) -> Any:
    """Declare a field that takes one of a few words."""
    return dataclasses.field(default=default, metadata={"options": (default, *others)})


def required_whole(low: int, high: int) -> Any:
    """Declare an integer field without a default."""
    return dataclasses.field(metadata={"limits": Limits(low, high)})


def _limited(default: Any, limits: Limits) -> Any:
    return dataclasses.field(default=default, metadata={"limits": limits})


def check_fields(instance: Any) -> None:
    """Raise ValueError with name, value, rule and what would work for the first field that breaks its rule."""
    cls: type = type(instance)
    for name, usual, field in _usual_values(cls):
        value = getattr(instance, name)
        if not usual(value):
            _check(field, value)


@lru_cache(maxsize=16)
def _usual_values(cls: type) -> tuple[tuple[str, Callable[[Any], bool], dataclasses.Field[Any]], ...]:
    """Return a quick test for each field: what it passes is allowed, what it does not pass may be.

    The solver makes a dozen instances for one answer, so that checking them in full would take most of its time.
    """
    return tuple((field.name, _usual(field), field) for field in dataclasses.fields(cls))


def _usual(field: dataclasses.Field[Any]) -> Callable[[Any], bool]:
    if options := field.metadata.get("options"):
        return lambda value: type(value) is str and value in options
    if field.type is bool:
        return lambda value: value is True or value is False
    kind, limits = float if field.type is float else int, field.metadata["limits"]
    low, high = limits.low, limits.high
    return lambda value: type(value) is kind and low <= value <= high


def check_field(cls: type, name: str, value: object) -> None:
    """Raise ValueError as `check_fields` does for one value, whatever the other fields are."""
    _check(_field(cls, name), value)


def _check(field: dataclasses.Field[Any], value: object) -> None:
    if field.type is bool:
        if not isinstance(value, bool):
            _refuse(field, value, "True or False", field.default)
        return
    if options := field.metadata.get("options"):
        if not (isinstance(value, str) and value in options):
            _refuse(field, value, f"one of {', '.join(map(repr, options))}", field.default)
        return
    limits: Limits = field.metadata["limits"]
    if (value is None and limits.optional) or (isinstance(value, str) and value in limits.words):
        return
    real_valued = field.type is float
    if not isinstance(value, bool) and isinstance(value, (int, float) if real_valued else int) and limits.admits(value):
        return
    kind = "a number" if real_valued else "a whole number"
    _refuse(field, value, limits.in_words(kind), _nearest(field, value))


def _refuse(field: dataclasses.Field[Any], value: object, rule: str, working: object) -> None:
    remedy = "" if working is dataclasses.MISSING else f"; {field.name}={working!r} would work"
    raise ValueError(f"{field.name}={shown(value)} is not allowed: it must be {rule}{remedy}")


def _nearest(field: dataclasses.Field[Any], value: object) -> object:
    """Return the same number as the field's type, the limit that it oversteps, or else the default."""
    limits: Limits | None = field.metadata.get("limits")
    if limits is None or not isinstance(value, (int, float)) or isinstance(value, bool):
        return field.default
    if isinstance(value, float) and math.isnan(value):
        return field.default
    nearest = min(max(value, limits.low), limits.high)
    return nearest if field.type is float else int(nearest)


def field_limits(cls: type, name: str) -> Limits:
    """Return the limits of a numeric field."""
    limits: Limits = _field(cls, name).metadata["limits"]
    return limits


def field_options(cls: type, name: str) -> tuple[str, ...]:
    """Return the words that a field takes; none when it takes numbers or a switch."""
    options: tuple[str, ...] = _field(cls, name).metadata.get("options", ())
    return options


def nearest_allowed(cls: type, name: str, value: object) -> object:
    """Return the allowed value of a field that is nearest to a value: the default for what is no number."""
    return _nearest(_field(cls, name), value)


def _field(cls: type, name: str) -> dataclasses.Field[Any]:
    return next(field for field in dataclasses.fields(cls) if field.name == name)


def _plain(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


@lru_cache(maxsize=16)
def field_docs(cls: type) -> dict[str, str]:
    """Return the docstring of every field of a dataclass, inherited fields included."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for declared, text in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(declared, ast.AnnAssign)
                and isinstance(declared.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                docs[declared.target.id] = inspect.cleandoc(str(text.value.value))
    return docs


def check_whole(**counts: int) -> None:
    """Raise ValueError for the first argument that is no whole number of at least 1."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r} is not allowed: it must be a whole number of at least 1; 1 would work")


def check_positive(**amounts: float) -> None:
    """Raise ValueError for the first argument that is no finite number above 0."""
    for name, value in amounts.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise ValueError(f"{name}={value!r} is not allowed: it must be a finite number above 0; 1 would work")


def check_option(name: str, value: str, options: Iterable[str]) -> None:
    """Raise ValueError for a word that is not one of a few."""
    words = [repr(option) for option in options]
    if repr(value) not in words:
        raise ValueError(
            f"{name}={value!r} is not allowed: it must be one of {', '.join(words)}; {name}={words[0]} would work"
        )
