"""The command `slimlm train`: one design, trained into a folder, with its plan, progress, summary and picture."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from slimlm.cli.evaluate import suite_help, suite_names
from slimlm.cli.exit_codes import INTERRUPTED
from slimlm.cli.progress import is_first_process, process_count, shown_progress
from slimlm.cli.run_pictures import check_pictures, write_picture
from slimlm.cli.run_text import format_plan, format_summary, model_words
from slimlm.cli.training_data import BUILT_IN, TrainingRequest, add_training, keep_tokenizer, training_request
from slimlm.runs.plan import plan_run
from slimlm.runs.record import CHECKPOINTS, RUN, read_run
from slimlm.utils.formatting import parse_number

if TYPE_CHECKING:
    from slimlm.evaluation.hooks import Hook


def add_train(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_training(parser, "folder of the run: records, checkpoints, weights, tokenizer and the picture of its curve")
    group = parser.add_argument_group("evaluation along the run, beside the held-out loss")
    group.add_argument("--suite", metavar="NAMES", default="", help=suite_help())
    group.add_argument("--suite-data", metavar="DIR", type=Path, help="folder of test sets: blimp/, cloze/")
    group.add_argument("--suite-share", metavar="N", default="0.1", help="share of the items to score (default 0.1)")
    parser.add_argument("--resume", action="store_true", help="go on with the run that the folder holds, exactly")
    parser.set_defaults(run=run_train)


def run_train(options: argparse.Namespace) -> None:
    """Train; Ctrl-C ends it with the way to go on. A run that diverges is a result.

    Raises ValueError, in one sentence, for a run that cannot be, before any work.
    """
    out: Path = options.out
    _check_out(out, resume=options.resume)
    try:
        request = training_request(options)
        _say_plan(request, options)
        hooks = _hooks(request, options)
        keep_tokenizer(request, out)
        from slimlm.train import train

        train(
            request.source,
            request.recipe,
            request.data,
            out,
            resume=options.resume,
            hooks=hooks,
            device=options.device,
            progress=shown_progress(),
        )
    except KeyboardInterrupt:
        if is_first_process():
            print(f"\nslimlm: {_interrupted(out)}", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    if is_first_process():
        _say_result(request, out)


def _check_out(out: Path, *, resume: bool) -> None:
    """Refuse folders before text is tokenised into them; the training itself compares the runs."""
    if not resume and (out / RUN).exists() and is_first_process():
        raise ValueError(
            f"{out} holds a run already: --resume goes on with it, and another --out would start a new one"
        )
    for name in ("slimlm.json", "model.safetensors"):
        if (out / name).exists() and not (out / RUN).exists():
            raise ValueError(f"{out} holds {name} of another model: a new or empty folder would work")


def _hooks(request: TrainingRequest, options: argparse.Namespace) -> "Mapping[str, Hook]":
    """Return the evaluations along the run; their files are read now, so that what is missing shows before training."""
    if not (names := suite_names(options.suite)):
        return {}
    from slimlm.data.tokenizer import load_tokenizer
    from slimlm.evaluation.suites import SuiteData, suite_hooks

    tokenizer = load_tokenizer(request.tokenizer) if request.tokenizer else None
    share, length = parse_number(options.suite_share), request.recipe.length_in(request.subject.architecture)
    return suite_hooks(names, SuiteData(tokenizer, options.suite_data, request.data, length=length, share=share))


def _say_plan(request: TrainingRequest, options: argparse.Namespace) -> None:
    architecture, recipe, data = request.subject.architecture, request.recipe, request.data
    plan = plan_run(
        architecture,
        recipe,
        train_tokens=len(data.train),
        vocab_size=data.vocab_size,
        processes=process_count(),
    )
    if is_first_process():
        if not options.data:
            print(f"No --data: {BUILT_IN[options.source].what} is used; its defaults end in about a minute.\n")
        print(format_plan(request.subject, recipe, data, plan), flush=True)


def _say_result(request: TrainingRequest, out: Path) -> None:
    record = read_run(out)
    print(f"\n{format_summary(record)}")
    if reason := check_pictures():
        print(f"no picture: {reason}")
        return
    from slimlm.charts.run_curve import run_curve
    from slimlm.charts.training_curve import training_curve_chart

    curve = run_curve(record, model_words(record, request.subject.account.total_params))
    print(write_picture(training_curve_chart([curve]), out, "curve") if curve.points else "no picture: no finite loss")


def _interrupted(out: Path) -> str:
    if any((out / CHECKPOINTS).glob("step-*")):
        return "stopped; the same command with --resume goes on from the last checkpoint"
    return "stopped before the first checkpoint; the same command with --resume starts it again"
