"""Command-line options of a request."""

import argparse
from typing import Any

from slimlm.core.budget_text import read_bytes
from slimlm.core.config import ModelConfig
from slimlm.core.families import MODEL_FAMILIES, family
from slimlm.serialization.flags import OPTIONS
from slimlm.utils.formatting import parse_size
from slimlm.utils.validation import field_docs

TOTAL_HELP = f"{field_docs(ModelConfig)['total_params']} (10M, 1.5B, 12345678)"


def add_request(
    parser: argparse.ArgumentParser,
    default_total: str | None = None,
    *,
    names_too: bool = False,
    runs_too: bool = False,
    optional: bool = False,
) -> None:
    """Add an argument for the total, optional when it has a default, and an option for every other field.

    names_too: the argument may also be the name of a published model or the path of a config.json.
    runs_too: or the folder of a run. optional: the total is None where it is not given.
    """
    total = TOTAL_HELP
    usual: dict[str, Any] = {"nargs": "?", "default": default_total} if default_total or optional else {}
    if names_too:
        total += "; or the name of a published model, or the path of a config.json"
    if runs_too:
        total += "; or the folder of a run"
    metavar = "TOTAL|NAME|FILE" + "|RUN" * runs_too if names_too else "TOTAL"
    parser.add_argument("total_params", metavar=metavar, help=escaped(total), **usual)
    add_knobs(parser)


def add_knobs(parser: argparse.ArgumentParser) -> None:
    """Add an option for every field of a request but the total."""
    names = "|".join(MODEL_FAMILIES)
    text = "Set norm, positions, activation, biases and tying to those of a family; other options override it."
    parser.add_argument("--family", metavar=names, help=text)
    for name, option in OPTIONS.items():
        switch = {"action": "store_const", "const": not option.knob.default}
        value: dict[str, Any] = switch if option.is_switch else {"metavar": option.metavar}
        parser.add_argument(option.flag, dest=name, help=escaped(option.help), **value)


def escaped(text: str) -> str:
    """Escape a text for argparse, which formats help texts with %."""
    return text.replace("%", "%%")


def request_of(options: argparse.Namespace) -> ModelConfig:
    """Return the request of parsed options; raises ValueError, in one sentence, for an invalid one."""
    given = {name: value for name in OPTIONS if (value := getattr(options, name)) is not None}
    values: dict[str, Any] = {
        name: OPTIONS[name].read(value) if isinstance(value, str) else value for name, value in given.items()
    }
    total = (read_bytes if values.get("budget") == "bytes" else parse_size)(options.total_params)
    return family(options.family, total, **values) if options.family else ModelConfig(total_params=total, **values)
