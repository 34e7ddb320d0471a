"""The command line: `slimlm design`, `sweep`, `train`, `export` and the other commands."""

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any, NoReturn

from slimlm.cli.app import open_app
from slimlm.cli.evaluate import add_eval
from slimlm.cli.export import add_export
from slimlm.cli.layered_text import layered_json, layered_text
from slimlm.cli.lr_find import add_lr_find
from slimlm.cli.progress import show_progress
from slimlm.cli.rank import add_rank
from slimlm.cli.request import add_request, request_of
from slimlm.cli.sample import add_sample
from slimlm.cli.sources import inspected_model
from slimlm.cli.sweep import add_sweep
from slimlm.cli.train import INTERRUPTED, add_train
from slimlm.core.design import Design
from slimlm.core.layered import LayeredModel
from slimlm.core.published import all_published
from slimlm.core.table import format_param_table
from slimlm.notes import design_notes
from slimlm.notes.verdict import verdict
from slimlm.serialization.design_json import named_model_record, to_record
from slimlm.solver.solver import solve
from slimlm.utils.files import UnwritableError, reason
from slimlm.utils.formatting import format_bytes, format_seconds, format_share
from slimlm.utils.optional import PSUTIL, TORCH, PackageError, need


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
    design.add_argument("--probe", action="store_true", help="also build the model in PyTorch and run it")
    design.add_argument("--dtype", default="float32", help="weight type of --probe: float32 (default) or bfloat16")
    design.add_argument("--device", help="device of --probe: cpu, cuda or mps (default: the fastest available)")
    design.set_defaults(run=_design)


def _design(options: argparse.Namespace) -> None:
    design = solve(request_of(options))
    report = _probe(design, options.dtype, options.device) if options.probe else None
    if options.json:
        record = to_record(design) | (
            {"probe": asdict(report) | {"way": report.way, "passed": report.passed}} if report else {}
        )
        print(json.dumps(record, indent=2))
        return
    print(f"{verdict(design)}\n")
    print(format_param_table(design))
    print("\nDesign notes")
    print("\n".join(f"  {note.severity}: {note.text} [{note.source}]" for note in design_notes(design)))
    if report:
        print()
        print(_format_report(report))


def _inspect(options: argparse.Namespace) -> None:
    found = inspected_model(options.model)
    if isinstance(found, LayeredModel):
        print(layered_json(found) if options.json else layered_text(found))
        return
    if options.json:
        print(json.dumps(named_model_record(found), indent=2))
        return
    head = [found.title, f"{found.origin}.", *(f"Note: {remark}." for remark in found.remarks)]
    print("\n".join([*head, str(verdict(found)), "", format_param_table(found.architecture)]))


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


def _probe(design: Design, dtype: Any, device: str | None) -> Any:
    need("--probe", TORCH, PSUTIL)
    from slimlm.probing.probe import probe

    return probe(design, progress=show_progress, dtype=dtype, device=device)


def _format_report(report: Any) -> str:
    loss = "no next token to score" if report.loss is None else f"{report.loss:.3f} nats"
    return "\n".join(
        [
            "PyTorch model",
            *(f"  {'yes' if holds else 'NO '}  {claim}" for claim, holds in report.checks.items()),
            f"  logits {report.logits_shape}, {report.dtype} on {report.device}; weights {_way(report)}",
            f"  loss on random tokens {loss} (ln vocab_size = {report.uniform_loss:.3f})",
            f"  built in {format_seconds(report.build_seconds)}, forward {format_seconds(report.forward_seconds)} "
            f"({report.tokens_per_second:,.0f} tokens/s), peak memory {format_bytes(report.peak_bytes)}",
        ]
    )


def _way(report: Any) -> str:
    return "loaded whole" if report.strategy == "whole" else str(report.strategy)
