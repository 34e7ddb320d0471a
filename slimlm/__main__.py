"""The command line: `python -m slimlm design 10M --vocab-size 16k`."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, asdict, fields
from typing import Any

from slimlm.config import ModelConfig
from slimlm.design import Design
from slimlm.fields import field_docs
from slimlm.record import to_record
from slimlm.solver import solve
from slimlm.table import format_param_table
from slimlm.units import format_bytes, format_seconds, parse_number, parse_size

_OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "vocab_size": ("--vocab-size", parse_size),
    "embedding_ratio": ("--embedding-ratio", parse_number),
    "glu_expansion": ("--glu-expansion", parse_number),
    "n_heads": ("--heads", parse_size),
    "n_layers": ("--layers", parse_size),
    "max_seq_length": ("--max-seq-length", parse_size),
    "multiple_of": ("--multiple-of", parse_size),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code: 0, or 2 after one sentence about a request that cannot be met."""
    options = _parser().parse_args(arguments)
    try:
        _design(options)
        sys.stdout.flush()
    except (ValueError, MemoryError) as error:
        print(f"slimlm: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slimlm", description="Design small transformer language models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    design = commands.add_parser("design", help="find the architecture nearest to a request and print its parameters")
    docs = field_docs(ModelConfig)
    design.add_argument("total_params", metavar="TOTAL", help=_help(docs, "total_params", "10M, 1.5B, 12345678"))
    defaults = {field.name: field.default for field in fields(ModelConfig)}
    for name, (flag, _) in _OPTIONS.items():
        default = "" if defaults[name] in (None, MISSING) else f"default {defaults[name]}"
        design.add_argument(flag, dest=name, metavar="N", help=_help(docs, name, default))
    design.add_argument("--untied", action="store_true", help="give the LM head a table of its own")
    design.add_argument("--json", action="store_true", help="print JSON instead of the table")
    design.add_argument("--probe", action="store_true", help="build the real model too, and run it")
    return parser


def _help(docs: dict[str, str], name: str, more: str) -> str:
    text = " ".join(docs[name].split())
    return f"{text} ({more})".replace("%", "%%") if more else text.replace("%", "%%")


def _design(options: argparse.Namespace) -> None:
    given = {name: read(text) for name, (_, read) in _OPTIONS.items() if (text := getattr(options, name)) is not None}
    config = ModelConfig(total_params=parse_size(options.total_params), tied_lm_head=not options.untied, **given)
    design = solve(config)
    report = _probe(design) if options.probe else None
    if options.json:
        record = to_record(design) | ({"probe": asdict(report) | {"passed": report.passed}} if report else {})
        print(json.dumps(record, indent=2))
        return
    print(format_param_table(design))
    if report:
        print()
        print(_format_report(report))


def _probe(design: Design) -> Any:
    from slimlm.probing import probe

    def show(fraction: float, message: str) -> None:
        if sys.stderr.isatty():
            end = "\n" if fraction >= 1 else ""
            print(f"\r{message:<28} {100 * fraction:3.0f} %", end=end, file=sys.stderr, flush=True)

    return probe(design, progress=show)


def _format_report(report: Any) -> str:
    loss = "no next token to score" if report.loss is None else f"{report.loss:.3f} nats"
    return "\n".join(
        [
            "Real model",
            *(f"  {'yes' if holds else 'NO '}  {claim}" for claim, holds in report.checks.items()),
            f"  logits {report.logits_shape}, {report.dtype} on {report.device}",
            f"  loss on random tokens {loss} (ln vocab_size = {report.uniform_loss:.3f})",
            f"  built in {format_seconds(report.build_seconds)}, forward {format_seconds(report.forward_seconds)} "
            f"({report.tokens_per_second:,.0f} tokens/s), peak memory {format_bytes(report.peak_bytes)}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
