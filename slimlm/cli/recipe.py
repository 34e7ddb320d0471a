"""Command-line options of a training recipe: one for each field, from its documentation and limits."""

import argparse
import math
from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any

from slimlm.cli.request import escaped
from slimlm.runs.recipe import TrainRecipe
from slimlm.utils.formatting import format_size, parse_number, parse_size
from slimlm.utils.validation import check_option

_FLAGS = {"dropout": "--train-dropout"}
"""Flags that are not the field's name: --dropout is that of the design."""

_FIELDS = {field.name: field for field in fields(TrainRecipe)}


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Add an option for every field of a recipe."""
    group = parser.add_argument_group("training recipe")
    for name, field in _FIELDS.items():
        kind: dict[str, Any] = {"action": "store_true"} if field.type is bool else {"metavar": _metavar(field)}
        group.add_argument(recipe_flag(name), dest=_place(name), default=None, help=escaped(_help(field)), **kind)


def recipe_of(options: argparse.Namespace, defaults: Mapping[str, Any] | None = None) -> TrainRecipe:
    """Return the recipe of parsed options; `defaults` replace those of the fields that are not given.

    Raises ValueError, in one sentence, for an invalid one.
    """
    given = {name: text for name in _FIELDS if (text := recipe_option(options, name)) is not None}
    values = {name: _read(_FIELDS[name], text) if isinstance(text, str) else text for name, text in given.items()}
    return TrainRecipe(**dict(defaults or {}) | values)


def recipe_option(options: argparse.Namespace, name: str) -> Any:
    """Return a field as it was given on the command line; None when it was not."""
    return getattr(options, _place(name))


def recipe_flag(name: str) -> str:
    """Return the flag of a field.

    >>> recipe_flag("learning_rate"), recipe_flag("dropout")
    ('--learning-rate', '--train-dropout')
    """
    return _FLAGS.get(name, f"--{name.replace('_', '-')}")


def read_field(name: str, text: str) -> Any:
    """Read the value of a recipe's field from text; raises ValueError for an unknown name and text of another kind."""
    check_option("field", name, _FIELDS)
    field = _FIELDS[name]
    if field.type is bool:
        check_option(name, text, ("true", "false"))
        return text == "true"
    return _read(field, text)


def _place(name: str) -> str:
    return f"recipe_{name}"


def _metavar(field: Field[Any]) -> str:
    if options := field.metadata.get("options"):
        return "|".join(options)
    return "|".join([*field.metadata["limits"].words, "N"])


def _help(field: Field[Any]) -> str:
    doc: str = field.metadata["doc"]
    if field.default is None or field.type is bool:
        return doc
    default = format_size(field.default) if isinstance(field.default, int) else field.default
    return f"{doc} (default {default})"


def _read(field: Field[Any], text: str) -> Any:
    """Read a value; the recipe checks its limits. Raises ValueError for text of another kind."""
    limits = field.metadata.get("limits")
    if limits is None or text in limits.words:
        return text
    return _real(text) if limits.real_valued else parse_size(text)


def _real(text: str) -> float:
    """Read a number exactly, or a percentage or fraction."""
    try:
        value = float(text)
    except ValueError:
        return parse_number(text)
    return value if math.isfinite(value) else parse_number(text)
