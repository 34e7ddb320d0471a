"""The command `slimlm lr-find`: the learning rate range test, or a sweep of whole runs, with its picture."""

import argparse
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimlm.cli.exit_codes import INTERRUPTED
from slimlm.cli.progress import is_first_process, shown_progress
from slimlm.cli.run_pictures import check_pictures, write_picture
from slimlm.cli.run_text import format_plan
from slimlm.cli.training_data import TrainingRequest, add_training, training_request
from slimlm.runs.lr_search import LearningRateSweep
from slimlm.runs.plan import plan_run
from slimlm.runs.record import write_record
from slimlm.utils.formatting import format_count, parse_number, parse_size

if TYPE_CHECKING:
    from slimlm.charts.theme import Figure
    from slimlm.train.lr_range import LearningRateRange

RANGE, SWEEP = "lr-range", "lr-sweep"


def add_lr_find(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_training(parser, "folder for the picture, the figures and, with --sweep, the runs")
    parser.add_argument("--sweep", action="store_true", help="train whole runs, and fit a parabola to their losses")
    parser.add_argument("--low", metavar="N", default="1e-5", help="first learning rate of the test (default 1e-5)")
    parser.add_argument("--high", metavar="N", default="1", help="last learning rate of the test (default 1)")
    parser.add_argument("--steps", metavar="N", default="100", help="steps of the test (default 100)")
    parser.add_argument("--seeds", metavar="N", help="seeds of the test (default 3) or of each rate (default 1)")
    parser.set_defaults(run=run_lr_find)


def run_lr_find(options: argparse.Namespace) -> None:
    """Search for a learning rate, print the answer and write its figures and picture.

    Raises ValueError, in one sentence, for a search that cannot be.
    """
    try:
        request = training_request(options)
        Path(options.out).mkdir(parents=True, exist_ok=True)
        (_sweep if options.sweep else _range)(request, options)
    except KeyboardInterrupt:
        if is_first_process():
            again = "the same command goes on with the runs that are not over" if options.sweep else "nothing is kept"
            print(f"\nslimlm: stopped; {again}", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None


def _range(request: TrainingRequest, options: argparse.Namespace) -> None:
    from slimlm.train import find_learning_rate

    found = find_learning_rate(
        request.source,
        request.recipe,
        request.data,
        low=parse_number(options.low),
        high=parse_number(options.high),
        steps=parse_size(options.steps),
        seeds=parse_size(options.seeds or "3"),
        device=options.device,
        progress=shown_progress(),
    )
    print(range_text(found))
    curves = [
        {"seed": one.seed, "learning_rates": one.learning_rates, "losses": one.losses, "smoothed": one.smoothed}
        for one in found.curves
    ]
    record = {"low": found.low, "high": found.high, "has_edge": found.has_edge, "curves": curves}
    _keep(options.out, RANGE, record, lambda: _range_chart(found, _words(request)))


def range_text(found: "LearningRateRange") -> str:
    """Return the answer of a range test in two sentences."""
    bound = (
        "its upper end is a third of the lowest rate at which a seed diverged"
        if found.has_edge
        else "no seed diverged, so its upper end is only a third of the highest rate tried"
    )
    return (
        f"Learning rates from {found.low:.3g} to {found.high:.3g} start well: {bound}.\n"
        "The best one for a whole run is not known from this: --sweep finds it."
    )


def _sweep(request: TrainingRequest, options: argparse.Namespace) -> None:
    from slimlm.train import sweep_learning_rates

    recipe, data = request.recipe, request.data
    plan = plan_run(request.subject.architecture, recipe, train_tokens=len(data.train), vocab_size=data.vocab_size)
    print(f"Three to eight runs, each as follows:\n{format_plan(request.subject, recipe, data, plan)}\n", flush=True)
    found = sweep_learning_rates(
        request.source,
        recipe,
        data,
        options.out,
        seeds=parse_size(options.seeds or "1"),
        device=options.device,
        progress=shown_progress(),
    )
    print(sweep_text(found))
    losses = [{"learning_rate": rate, "losses": by_seed} for rate, by_seed in found.by_seed.items()]
    record = {"best": found.best, "parabola": found.parabola, "verdict": found.verdict, "runs": losses}
    _keep(options.out, SWEEP, record, lambda: _sweep_chart(found, _words(request)))


def sweep_text(found: LearningRateSweep) -> str:
    """Return the losses by learning rate, and the outcome."""
    rows = [f"{rate:>10.3g}  {_loss(loss)}" for rate, loss in found.losses.items()]
    verdict = f"{found.verdict[:1].upper()}{found.verdict[1:]}."
    return "\n".join([f"{'rate':>10}  held-out loss (nats per token)", *rows, verdict])


def _loss(loss: float) -> str:
    return f"{loss:.4f}" if math.isfinite(loss) else "diverged"


def _words(request: TrainingRequest) -> str:
    return f"{format_count(request.subject.account.total_params)} parameters on {request.data.name}"


def _range_chart(found: "LearningRateRange", words: str) -> "Figure":
    from slimlm.charts.lr_range import RangeLine, lr_range_chart

    lines = [RangeLine(one.seed, one.learning_rates, one.smoothed) for one in found.curves]
    return lr_range_chart(lines, found.low, found.high, has_edge=found.has_edge, subject=words)


def _sweep_chart(found: LearningRateSweep, words: str) -> "Figure":
    from slimlm.charts.lr_range import lr_sweep_chart

    return lr_sweep_chart(found.by_seed, found.best, found.parabola, verdict=found.verdict, subject=words)


def _keep(folder: Path, name: str, record: Mapping[str, Any], chart: Any) -> None:
    """Write the figures as JSON, and the picture where one can be drawn."""
    write_record(folder / f"{name}.json", record)
    if reason := check_pictures():
        print(f"no picture: {reason}")
        return
    try:
        drawn = chart()
    except ValueError as error:  # nothing that is finite
        print(f"no picture: {error}")
        return
    print(write_picture(drawn, folder, name))
