"""Remedies for values that an architecture refuses: those with which it is one."""

from collections.abc import Mapping
from typing import Any

from slimlm.core.architecture import Architecture
from slimlm.utils.validation import FieldError

_MOST_STEPS = 4


def with_working_remedies(error: FieldError, fields: Mapping[str, Any], defaults: Mapping[str, Any]) -> FieldError:
    """Return an error with the remedies that give an architecture, all other fields being as they are.

    A remedy that breaks another rule is taken to the next value that the rule allows. If none is left, the default of
    the field may work; else there is another fault, and nothing is promised.
    """
    followed = ((name, _followed(name, value, fields)) for name, value in error.remedies)
    working = tuple(dict.fromkeys((name, value) for name, value in followed if value is not None))
    usual = defaults.get(error.field)
    if not working and usual is not None and _refusal({**fields, error.field: usual}) is None:
        working = ((error.field, usual),)
    return FieldError(error.field, error.value, error.rule, working, error.given)


def _followed(name: str, value: Any, fields: Mapping[str, Any]) -> Any:
    """Return the first value of a field with which the fields are an architecture; None when there is none near."""
    for _ in range(_MOST_STEPS):
        error = _refusal({**fields, name: value})
        if error is None:
            return value
        nearest = [remedy for field, remedy in error.remedies if field == name] if isinstance(error, FieldError) else []
        if not nearest:
            return None
        value = nearest[0]
    return None


def _refusal(fields: Mapping[str, Any]) -> ValueError | None:
    try:
        Architecture(**fields)
    except ValueError as error:
        return error
    return None
