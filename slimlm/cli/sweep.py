"""The command `slimlm sweep`: a grid of designs as CSV."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slimlm.cli.exit_codes import INTERRUPTED
from slimlm.cli.progress import shown_progress
from slimlm.cli.request import add_request, escaped, request_of
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.serialization.fields import Value
from slimlm.serialization.flags import OPTIONS
from slimlm.sweep.axis_values import default_values, parse_values
from slimlm.sweep.best import best_line
from slimlm.sweep.csv import sweep_csv
from slimlm.sweep.evaluation import Progress
from slimlm.sweep.grid import Sweep, sweep
from slimlm.sweep.metrics import METRICS, Reports, metric_of
from slimlm.utils.files import reason, replacing
from slimlm.utils.optional import PSUTIL, TORCH, need
from slimlm.utils.progress import Reporter

_WORTH_A_BAR = 1_000
_BEST_BY_DEFAULT = "forward_flops_per_token"


def add_sweep(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_axes(parser)
    add_request(parser, default_total="10M")
    keys = f"figure to write; may be repeated (default: all of {', '.join(METRICS)})"
    parser.add_argument("--figure", metavar="KEY", action="append", help=escaped(keys))
    parser.add_argument("--measure", action="store_true", help="also build every model in PyTorch and measure it")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write to a file instead of printing")
    parser.set_defaults(run=run_sweep)


def add_axes(parser: argparse.ArgumentParser) -> None:
    """Add the options of the two fields that vary."""
    for side, name, what in (("x", "embedding_ratio", "first"), ("y", "glu_expansion", "second")):
        text = (
            f"{what} field to vary, and its values: 0.25,0.35 or '0.2..0.5 in 7 steps' or '10M..1B x 9 (log)' "
            f"or words (default: {name}={default_values(name)})"
        )
        default = f"{name}={default_values(name)}"
        parser.add_argument(f"--{side}", metavar="KNOB=VALUES", default=default, help=escaped(text))


def run_sweep(options: argparse.Namespace) -> None:
    """Solve a grid, measure its models with --measure, write it as CSV, and say on stderr which cell is best.

    Ctrl-C ends it with exit code 130 and without a file, except while models are measured: then what is measured is
    written. Raises ValueError, in one sentence, for invalid options and an unwritable file.
    """
    figures = [metric_of(key).key for key in options.figure or METRICS]
    output: Path | None = options.output
    if output and not output.parent.is_dir():
        raise ValueError(f"{output} cannot be written: there is no folder {output.parent}")
    x, y = axis_of("x", options.x), axis_of("y", options.y)
    try:
        found = sweep(_base_of(options, x, y), x, y, _told("solved"))
        reports = _measure(found) if options.measure else {}
        text = sweep_csv(found, reports, figures, _told("evaluated"))
        if output:
            _write(output, text)
        else:
            print(text, end="", flush=True)
    except KeyboardInterrupt:
        end = "\n" if sys.stderr.isatty() else ""
        print(f"{end}slimlm: stopped before the sweep was written", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    _show_best(found, reports, options.figure or [_BEST_BY_DEFAULT])


def _base_of(options: argparse.Namespace, *axes: tuple[str, Sequence[Value]]) -> ModelConfig:
    """Return the request whose fields vary; one that is invalid alone has the first values of the axes."""
    try:
        return request_of(options)
    except ValueError:
        first = {name: values[0] for name, values in axes if name in OPTIONS and getattr(options, name) is None}
        try:
            return request_of(argparse.Namespace(**vars(options) | first))
        except ValueError:
            pass
        raise


def _write(output: Path, text: str) -> None:
    try:
        with replacing(output) as part:
            part.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise ValueError(f"{output} cannot be written: {reason(error)}") from error


def _show_best(found: Sweep, reports: Reports, figures: Sequence[str]) -> None:
    """Say on stderr, beside the CSV, which cell is best by each figure that has a better direction."""
    for metric in map(metric_of, figures):
        if line := best_line(found, metric, reports):
            print(f"{metric.name}: {line[0].lower()}{line[1:]}", file=sys.stderr)


def axis_of(side: str, text: str) -> tuple[str, Sequence[Value]]:
    """Return the knob and the values of an axis; raises ValueError, in one sentence, for text without values."""
    written, equals, values = text.partition("=")
    if not equals:
        raise ValueError(f"--{side} {text[:40]!r} has no values; write KNOB=VALUES, such as embedding_ratio=0.25,0.35")
    name = written.strip().replace("-", "_")
    return name, parse_values(name, values)


def _measure(found: Sweep) -> dict[Architecture, Any]:
    """Measure each model once; failures and an interruption are reported, and the other results are kept."""
    need("--measure", TORCH, PSUTIL)
    from slimlm.probing.probe import probe

    models, reports = list(dict.fromkeys(design.architecture for design in found.designs)), {}
    report = Reporter(shown_progress())
    for number, model in enumerate(models):
        shape = f"{model.n_layers} × {model.d_model}"
        report(number / len(models), "measuring", f" model {number + 1:,} of {len(models):,}, {shape}")
        try:
            reports[model] = probe(model, timed=True)
        except (MemoryError, RuntimeError) as error:
            print(f"slimlm: {shape} is not measured: {error}", file=sys.stderr)
        except KeyboardInterrupt:
            print(f"slimlm: stopped after {number} of {len(models)} models", file=sys.stderr)
            break
    else:
        report(1.0, "measured", f" {len(models):,} of {len(models):,}")
    if any(report.is_noisy for report in reports.values()):
        print("slimlm: the machine was busy while measuring: compare the times with care", file=sys.stderr)
    return reports


def _told(done_word: str) -> Progress:
    """Return what shows, for many cells, how many are done and how much time is left."""
    report = Reporter(shown_progress())

    def told(done: int, count: int) -> None:
        if count >= _WORTH_A_BAR:
            report(done / count, "", f"{done:,} of {count:,} {done_word}")

    return told
