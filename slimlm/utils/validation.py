"""Dataclass fields with limits and documentation, and the error for a value that breaks its rule.

The text of `documented` is the help text of the command line and of the sliders as well.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from slimlm.utils.formatting import shown

Changes = tuple[tuple[str, Any], ...]
"""Fields with values."""


class FieldError(ValueError):
    """A field has a value that its rule forbids. The attributes determine the message."""

    field: str
    value: object
    rule: str
    """What is allowed: "it must be even". Other fields are in braces: "it must divide {n_heads}=8"."""
    remedies: Changes
    """Changes of one field each; any one of them makes the value valid."""
    given: Changes
    """Other fields because of which the rule applies."""

    def __init__(self, field: str, value: object, rule: str, remedies: Changes = (), given: Changes = ()) -> None:
        super().__init__(field, value, rule, remedies, given)
        self.field, self.value, self.rule, self.remedies, self.given = field, value, rule, remedies, given

    def __str__(self) -> str:
        """Write the message.

        >>> str(FieldError("n_kv_heads", 3, "it must be a divisor", (("n_kv_heads", 2), ("n_kv_heads", 4))))
        'n_kv_heads=3 is not allowed: it must be a divisor; n_kv_heads=2 or n_kv_heads=4 would work'
        """
        return self.problem + (f"; {_assignments(self.remedies, ' or ')} would work" if self.remedies else "")

    @property
    def problem(self) -> str:
        """The message without remedies."""
        given = f" with {_assignments(self.given, ' and ')}" if self.given else ""
        return f"{self.field}={shown(self.value)} is not allowed{given}: {self.rule.format_map(_Names())}"

    def renamed(self, names: Mapping[str, str]) -> "FieldError":
        """Return the error with other field names; remedies and conditions on fields without a new name are dropped."""
        remedies, given = (
            tuple((names[name], value) for name, value in changes if name in names)
            for changes in (self.remedies, self.given)
        )
        rule = self.rule.format_map(_Names(names))
        return FieldError(names.get(self.field, self.field), self.value, rule, remedies, given)


class _Names(dict[str, str]):
    """New names of fields; a field that is not listed keeps its name."""

    def __missing__(self, field: str) -> str:
        return field


def _assignments(changes: Changes, joint: str) -> str:
    return joint.join(f"{name}={value!r}" for name, value in changes)


@dataclasses.dataclass(frozen=True)
class Limits:
    """Allowed values of a numeric field, both ends included."""

    low: float
    high: float
    optional: bool = False
    words: tuple[str, ...] = ()
    """Words allowed instead of a number: "auto"."""
    real_valued: bool = False

    def admits(self, value: float) -> bool:
        """Return whether a value is within the limits; NaN never is."""
        return self.low <= value <= self.high

    def in_words(self, kind: str) -> str:
        """Write the rule for an error message or a help text."""
        others = [*map(repr, self.words), *(["None"] if self.optional else [])]
        return (
            f"{kind} between {_plain(self.low)} and {_plain(self.high)}{''.join(f', or {other}' for other in others)}"
        )


def whole(default: Any, low: int, high: int, *words: str) -> Any:
    """Declare an integer field; a default of None makes it optional, and `words` are allowed instead of a number."""
    return _limited(default, Limits(low, high, default is None, words))


def real(default: float | None, low: float, high: float, *words: str) -> Any:
    """Declare a real-valued field; a default of None makes it optional, and `words` are allowed instead of a number."""
    return _limited(default, Limits(low, high, default is None, words, real_valued=True))


def choice(default: str, *others: str) -> Any:
    """Declare a field whose value is one of a few words."""
    return dataclasses.field(default=default, metadata={"options": (default, *others)})


def letters(default: str, allowed: str, longest: int) -> Any:
    """Declare a field of text that consists of some letters alone."""
    return dataclasses.field(default=default, metadata={"letters": allowed, "longest": longest})


def required_whole(low: int, high: int) -> Any:
    """Declare an integer field without a default."""
    return dataclasses.field(metadata={"limits": Limits(low, high)})


def _limited(default: Any, limits: Limits) -> Any:
    return dataclasses.field(default=default, metadata={"limits": limits})


def documented(doc: str, declared: Any) -> Any:
    """Add documentation to a field that one of the functions above declares, or to a plain default."""
    if not isinstance(declared, dataclasses.Field):
        return dataclasses.field(default=declared, metadata={"doc": doc})
    return dataclasses.field(default=declared.default, metadata={**declared.metadata, "doc": doc})


def check_fields(instance: Any) -> None:
    """Raise FieldError for the first field that breaks its rule."""
    cls: type = type(instance)
    values = vars(instance)
    for name, default, usual, field in _usual_values(cls):
        value = values[name]
        if value is not default and not usual(value):
            _check(field, value)


@lru_cache(maxsize=16)
def _usual_values(cls: type) -> tuple[tuple[str, object, Callable[[Any], bool], dataclasses.Field[Any]], ...]:
    """Return the default of each field, and a fast pre-check: True means valid, False means run the full check.

    The solver makes a dozen instances per request: full checks of them would take most of its time.
    """
    return tuple((field.name, field.default, _usual(field), field) for field in dataclasses.fields(cls))


def _usual(field: dataclasses.Field[Any]) -> Callable[[Any], bool]:
    if options := field.metadata.get("options"):
        return lambda value: type(value) is str and value in options
    if field.type is bool:
        return lambda value: value is True or value is False
    if "letters" in field.metadata:
        return lambda value: type(value) is str and value == field.default
    limits: Limits = field.metadata["limits"]
    kind = float if limits.real_valued else int
    low, high = limits.low, limits.high
    if limits.optional:
        return lambda value: value is None or (type(value) is kind and low <= value <= high)
    return lambda value: type(value) is kind and low <= value <= high


def check_field(cls: type, name: str, value: object) -> None:
    """Raise FieldError for a value that breaks the rule of its field; other fields are ignored."""
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
    if allowed := field.metadata.get("letters"):
        longest = field.metadata["longest"]
        if not (isinstance(value, str) and 1 <= len(value) <= longest and set(value) <= set(allowed)):
            _refuse(field, value, f"1 to {longest:,} letters of {', '.join(map(repr, allowed))}", field.default)
        return
    limits: Limits = field.metadata["limits"]
    if (value is None and limits.optional) or (isinstance(value, str) and value in limits.words):
        return
    number = (int, float) if limits.real_valued else int
    if not isinstance(value, bool) and isinstance(value, number) and limits.admits(value):
        return
    kind = "a number" if limits.real_valued else "a whole number"
    _refuse(field, value, limits.in_words(kind), _nearest(field, value))


def _refuse(field: dataclasses.Field[Any], value: object, rule: str, working: object) -> None:
    remedies = () if working is dataclasses.MISSING else ((field.name, working),)
    raise FieldError(field.name, value, f"it must be {rule}", remedies)


def _nearest(field: dataclasses.Field[Any], value: object) -> object:
    """Return the allowed number nearest to a value, of the field's type; the default for anything else."""
    limits: Limits | None = field.metadata.get("limits")
    if limits is None or not isinstance(value, (int, float)) or isinstance(value, bool):
        return field.default
    if isinstance(value, float) and math.isnan(value):
        return field.default
    nearest = min(max(value, limits.low), limits.high)
    return nearest if limits.real_valued else int(nearest)


def field_limits(cls: type, name: str) -> Limits:
    """Return the limits of a numeric field."""
    limits: Limits = _field(cls, name).metadata["limits"]
    return limits


def is_real(cls: type, name: str) -> bool:
    """Return whether a field holds real numbers."""
    limits: Limits | None = _field(cls, name).metadata.get("limits")
    return limits is not None and limits.real_valued


def nearest_allowed(cls: type, name: str, value: object) -> object:
    """Return the allowed value nearest to a value; the default when the value is not a number."""
    return _nearest(_field(cls, name), value)


def _field(cls: type, name: str) -> dataclasses.Field[Any]:
    return next(field for field in dataclasses.fields(cls) if field.name == name)


def _plain(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def field_docs(cls: type) -> dict[str, str]:
    """Return the documentation of the fields of a dataclass, inherited fields included."""
    return {field.name: field.metadata["doc"] for field in dataclasses.fields(cls) if "doc" in field.metadata}


def check_whole(**counts: int) -> None:
    """Raise FieldError for the first argument that is not a whole number of at least 1."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise FieldError(name, value, "it must be a whole number of at least 1", ((name, 1),))


def check_positive(**amounts: float) -> None:
    """Raise FieldError for the first argument that is not a finite number above 0."""
    for name, value in amounts.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise FieldError(name, value, "it must be a finite number above 0", ((name, 1),))


def check_option(name: str, value: str, options: Iterable[str]) -> None:
    """Raise FieldError for a word that is not one of the options."""
    words = list(options)
    if not isinstance(value, str) or value not in words:
        raise FieldError(name, value, f"it must be one of {', '.join(map(repr, words))}", ((name, words[0]),))
