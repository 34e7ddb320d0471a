"""The command line: `slimlm design`, `sweep`, `train`, `export` and the other commands."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from slimlm.cli.exit_codes import INTERRUPTED
from slimlm.cli.progress import is_first_process
from slimlm.utils.files import UnwritableError, reason
from slimlm.utils.optional import PackageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 after a one-line error, or 130 after Ctrl-C."""
    options = _read(arguments)
    try:
        options.run(options)
        if sys.stdout:  # None when the caller has closed it
            sys.stdout.flush()
    except (ValueError, MemoryError, PackageError, UnwritableError) as error:
        print(f"slimlm: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if is_first_process():
            print("\nslimlm: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has closed the pipe
        _drop_output()
    except OSError as error:
        _drop_output()
        name = _visible(str(error.filename or "the output"), 80)
        print(f"slimlm: {name} cannot be used: {reason(error)}", file=sys.stderr)
        return 2
    return 0


def _drop_output() -> None:
    """Discard buffered output: Python would try to write it again at exit and report an error."""
    with suppress(io.UnsupportedOperation):  # stdout is a text in memory, without a file descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _visible(text: str, most: int) -> str:
    """Return the start of a text as one line of printable characters."""
    line = "".join(letter if letter.isprintable() else " " for letter in text[:most])
    return line if len(text) <= most else f"{line}..."


class _Parser(argparse.ArgumentParser):
    """A parser whose error message is one line of limited length."""

    def error(self, message: str) -> NoReturn:
        """Exit with the usage, the error and code 2."""
        super().error(_visible(message, 300))


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    given = sys.argv[1:] if arguments is None else arguments
    parser = _parser(given)
    options, unknown = parser.parse_known_args(given)
    if "streamlit_options" in options:
        options.streamlit_options = unknown
    elif unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return options


_COMMANDS = {
    "design": ("find the architecture nearest to a request and print its parameters", "design.add_design"),
    "sweep": ("vary two knobs of a request and print every design as CSV", "sweep.add_sweep"),
    "inspect": ("print the parameters of a published model or of a config.json", "design.add_inspect"),
    "train": ("train a model, with its plan before and its curve after", "train.add_train"),
    "lr-find": ("search for a learning rate: range test, or sweep of whole runs", "lr_find.add_lr_find"),
    "rank": ("train a grid of allocations, with controls, and say which may be best", "rank.add_rank"),
    "eval": ("evaluate a run: bits per byte, minimal pairs, cloze tasks", "evaluate.add_eval"),
    "sample": ("print text that the model of a run writes", "sample.add_sample"),
    "export": ("write a model as files into a new folder", "export.add_export"),
    "published": ("list the published models that inspect knows by name", "design.add_published"),
    "app": ("open the page in the browser", "app.add_app"),
}
"""What each command does, and the function that adds its options: its module is loaded when the command is given."""


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(prog="slimlm", description="Design small transformer language models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (text, adder) in _COMMANDS.items():
        command = commands.add_parser(name, help=text)
        if name in given:
            module, _, function = adder.partition(".")
            getattr(import_module(f"slimlm.cli.{module}"), function)(command)
    return parser
