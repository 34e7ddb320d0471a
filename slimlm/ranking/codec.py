"""Frozen dataclasses as data for JSON, and back with a check of every field."""

import dataclasses
import math
import types
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from slimlm.utils.text import is_unicode, shown

_T = TypeVar("_T")

_LARGEST = 1e30


def to_data(value: Any) -> Any:
    """Return dataclasses as objects, tuples as lists and infinite numbers as None; keys become text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_data(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else repr(key): to_data(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_data(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_data(kind: type[_T], value: object, place: str) -> _T:
    """Return the dataclass that `to_data` wrote; `place` names the value in errors.

    Raises ValueError, with the place and the value, for a field that is missing, unknown or of another type. None is
    infinite where the field is a float, and None where it may be None.
    """
    return cast(_T, _read(kind, value, place))


def _read(kind: Any, value: Any, place: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _one_of(get_args(kind), value, place)
    if origin is tuple:
        return _tuple(get_args(kind), value, place)
    if origin is Mapping:
        return _mapping(get_args(kind), value, place)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, place)
    return _plain(kind, value, place)


def _plain(kind: Any, value: Any, place: str) -> Any:
    if kind is float:
        return math.inf if value is None else _number(value, place)
    options = get_args(kind)  # of a Literal
    fits = isinstance(value, str) and value in options if options else type(value) is kind and _is_sane(value)
    return value if fits else _refuse(kind, value, place)


def _one_of(kinds: tuple[Any, ...], value: Any, place: str) -> Any:
    """Read a value of several types: None, an exact match (so that a whole number stays one), or the first other."""
    if (value is None and type(None) in kinds) or (isinstance(value, bool | int | str) and type(value) in kinds):
        return value if _is_sane(value) else _refuse(type(value), value, place)
    if isinstance(value, int | float) and float in kinds:
        return _number(value, place)
    return _read(next(kind for kind in kinds if kind is not type(None)), value, place)


def _tuple(kinds: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        _refuse(tuple, value, place)
    inner = [kinds[0]] * len(value) if kinds[-1] is Ellipsis else list(kinds)
    if len(inner) != len(value):
        _refuse(tuple, value, place)
    return tuple(_read(kind, one, f"{place}[{n}]") for n, (kind, one) in enumerate(zip(inner, value, strict=True)))


def _mapping(kinds: tuple[Any, Any], value: Any, place: str) -> dict[Any, Any]:
    key_kind, kind = kinds
    if not isinstance(value, dict):
        _refuse(dict, value, place)
    try:
        keys = [key_kind(key) for key in value]
    except ValueError:
        _refuse(dict, value, place)
    return {key: _read(kind, inner, f"{place}.{shown(key)}") for key, inner in zip(keys, value.values(), strict=True)}


def _dataclass(kind: Any, value: Any, place: str) -> Any:
    hints = _hints(kind)
    if not isinstance(value, dict) or value.keys() != hints.keys():
        _refuse(kind, value, place)
    return kind(**{name: _read(hint, value[name], f"{place}.{name}") for name, hint in hints.items()})


@lru_cache(maxsize=16)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(float, value, place)
    try:
        found = float(value)
    except OverflowError:
        _refuse(float, value, place)
    return found if abs(found) <= _LARGEST else _refuse(float, value, place)


def _is_sane(value: object) -> bool:
    """Whether a text can be written in UTF-8, and a number is one that sums and charts can be made of."""
    if isinstance(value, str):
        return is_unicode(value)
    return not isinstance(value, int) or abs(value) <= _LARGEST


def _refuse(kind: Any, value: Any, place: str) -> NoReturn:
    name = str(kind) if get_origin(kind) else getattr(kind, "__name__", str(kind))
    raise ValueError(f"{place}={shown(value)} is no {name}: what slimlm wrote would work")
