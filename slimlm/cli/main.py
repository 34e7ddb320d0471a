"""The command line: `slimlm design`, `sweep`, `train`, `export` and the other commands."""

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from slimlm.cli.app import open_app
from slimlm.cli.evaluate import add_eval
from slimlm.cli.export import add_export
from slimlm.cli.layered_text import layered_json, layered_text
from slimlm.cli.lr_find import add_lr_find
from slimlm.cli.probe import add_probe, format_report, probed, report_record
from slimlm.cli.progress import is_first_process
from slimlm.cli.rank import add_rank
from slimlm.cli.request import add_request, request_of
from slimlm.cli.sample import add_sample
from slimlm.cli.sources import inspected_model
from slimlm.cli.sweep import add_sweep
from slimlm.cli.train import INTERRUPTED, add_train
from slimlm.core.layered import LayeredModel
from slimlm.core.published import all_published
from slimlm.core.table import format_param_table
from slimlm.notes import design_notes
from slimlm.notes.verdict import verdict
from slimlm.serialization.design_json import named_model_record, to_record
from slimlm.solver.solver import solve
from slimlm.utils.files import reason
from slimlm.utils.formatting import format_share
from slimlm.utils.optional import PackageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 after a one-line error, or 130 after Ctrl-C."""
    options = _read(arguments)
    try:
        options.run(options)
        if sys.stdout:  # None when the caller has closed it
            sys.stdout.flush()
    except (ValueError, MemoryError, PackageError) as error:
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
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if "streamlit_options" in options:
        options.streamlit_options = unknown
    elif unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="slimlm", description="Design small transformer language models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    design = commands.add_parser("design", help="find the architecture nearest to a request and print its parameters")
    _add_design(design)
    add_sweep(commands.add_parser("sweep", help="vary two knobs of a request and print every design as CSV"))
    inspect = commands.add_parser("inspect", help="print the parameters of a published model or of a config.json")
    inspect.add_argument("model", metavar="NAME|FILE", help="name of a published model, or path of a config.json")
    inspect.add_argument("--json", action="store_true", help="print JSON instead of the table")
    add_probe(inspect)
    inspect.set_defaults(run=_inspect)
    add_train(commands.add_parser("train", help="train a model, with its plan before and its curve after"))
    add_lr_find(commands.add_parser("lr-find", help="search for a learning rate: range test, or sweep of whole runs"))
    rank = "train a grid of allocations, with controls, and say which may be best"
    add_rank(commands.add_parser("rank", help=rank))
    add_eval(commands.add_parser("eval", help="evaluate a run: bits per byte, minimal pairs, cloze tasks"))
    add_sample(commands.add_parser("sample", help="print text that the model of a run writes"))
    add_export(commands.add_parser("export", help="write a model as files into a new folder"))
    published = commands.add_parser("published", help="list the published models that inspect knows by name")
    published.set_defaults(run=_published)
    _add_app(commands.add_parser("app", help="open the page in the browser", usage="slimlm app [OPTION ...]"))
    return parser


def _add_app(app: argparse.ArgumentParser) -> None:
    app.description = "Open the page in the browser. Options such as --server.port 8502 are passed to Streamlit."
    app.set_defaults(run=lambda options: open_app(options.streamlit_options), streamlit_options=())


def _add_design(design: argparse.ArgumentParser) -> None:
    add_request(design)
    design.add_argument("--json", action="store_true", help="print JSON instead of the table")
    add_probe(design)
    design.set_defaults(run=_design)


def _design(options: argparse.Namespace) -> None:
    design = solve(request_of(options))
    report = probed(design.architecture, options)
    if options.json:
        print(json.dumps(to_record(design) | report_record(report), indent=2))
        return
    print(f"{verdict(design)}\n")
    print(format_param_table(design))
    print("\nDesign notes")
    print("\n".join(f"  {note.severity}: {note.text} [{note.source}]" for note in design_notes(design)))
    if report:
        print(f"\n{format_report(report)}")


def _inspect(options: argparse.Namespace) -> None:
    found = inspected_model(options.model)
    if isinstance(found, LayeredModel):
        if options.probe:
            raise ValueError(f"--probe does not apply to {found.name}, whose layers differ: it is counted, not built")
        print(layered_json(found) if options.json else layered_text(found))
        return
    report = probed(found.architecture, options)
    if options.json:
        print(json.dumps(named_model_record(found) | report_record(report), indent=2))
        return
    head = [found.title, f"{found.origin}.", *(f"Note: {remark}." for remark in found.remarks)]
    print("\n".join([*head, str(verdict(found)), "", format_param_table(found.architecture)]))
    if report:
        print(f"\n{format_report(report)}")


def _published(_: argparse.Namespace) -> None:
    head = ("Name", "Family", "Year", "Parameters", "Non-embedding", "Active", "Embedding")
    rows = [
        (
            *(model.name, model.family, str(model.year), f"{model.total_params:,}"),
            f"{model.account.non_embedding_params:,}",
            f"{model.account.active_params:,}" if model.architecture.is_mixture else "",
            format_share(model.embedding_ratio),
        )
        for model in all_published()
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        left, right = zip(row[:3], widths[:3], strict=True), zip(row[3:], widths[3:], strict=True)
        cells = [*(f"{cell:<{width}}" for cell, width in left), *(f"{cell:>{width}}" for cell, width in right)]
        print("  ".join(cells))
