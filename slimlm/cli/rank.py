"""The command `slimlm rank`: train a grid of allocations, and say which may be best."""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from slimlm.cli.exit_codes import INTERRUPTED, TERMINATED
from slimlm.cli.progress import shown_progress
from slimlm.cli.rank_request import add_study, place_data, study_of, study_request
from slimlm.cli.rank_text import format_ranking, format_study_plan
from slimlm.cli.run_pictures import check_pictures, write_picture
from slimlm.cli.training_data import DEVICE_HELP
from slimlm.core.describe import counted
from slimlm.runs.lock import LOCK_S, sole_writer
from slimlm.study.plan import USUAL_SD, StudyPlan, plan_study
from slimlm.study.study import Study, open_study, read_outcomes, write_study
from slimlm.utils.formatting import parse_number, parse_size
from slimlm.utils.optional import ALTAIR, NUMPY, PackageError, need
from slimlm.utils.priority import LEAST_PRIORITY, lower_priority
from slimlm.utils.validation import check_option, check_positive, check_whole

if TYPE_CHECKING:
    from slimlm.engines.engine import Engine
    from slimlm.ranking.result import Ranking

ENGINES = ("local", "torchrun", "ray")

_CALIBRATION_STEPS = 6

_VERDICT_S = 5.0
"""Seconds of the deadline that are left for the verdict and its picture."""


def add_rank(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("folder", metavar="STUDY", nargs="?", type=Path, help="folder of a study to go on with")
    parser.add_argument("--out", metavar="DIR", type=Path, help="folder of a new study, with its records and verdict")
    parser.add_argument("--dry-run", action="store_true", help="print the plan, and train nothing")
    parser.add_argument("--quick", action="store_true", help="rehearse a tiny study on a built-in source: two minutes")
    add_study(parser)
    group = parser.add_argument_group("where it is trained")
    group.add_argument("--engine", metavar="|".join(ENGINES), default="local", help="what runs it (default local)")
    text = "runs at once (default: one a core, or three a GPU); with torchrun, processes of a run"
    group.add_argument("--workers", metavar="N", help=text)
    group.add_argument("--address", metavar="HOST", help="address of a Ray cluster (default: start one here)")
    group.add_argument("--deadline", metavar="SECONDS", help="end within this time; the same command goes on later")
    group.add_argument("--keep-weights", action="store_true", help="keep the weights of every run")
    group.add_argument("--device", help=DEVICE_HELP)
    text = f"how far it goes behind other work on this machine: 1 to {LEAST_PRIORITY} (default: not at all)"
    group.add_argument("--nice", metavar="N", help=text)
    parser.set_defaults(run=run_rank)


def run_rank(options: argparse.Namespace) -> None:
    """Print the plan, train what is missing, and print the verdict; Ctrl-C and SIGTERM end it with the way to go on.

    Raises ValueError, in one sentence, for a study that cannot be.
    """
    started = time.monotonic()
    check_option("engine", options.engine, ENGINES)
    _check_numbers(options)
    lower_priority(_nice(options))
    with _folder(options) as folder:
        if options.dry_run:
            study = _study(options, folder)
            plan = plan_study(study)
            print(format_study_plan(study, plan, _expected_seconds(options, folder, study, plan), _least(study)))
            return
        study, plan = _prepared(options, folder)
        print(f"{format_study_plan(study, plan, None, _least(study))}\n", flush=True)
        try:
            with _stopped_by_signals():
                _train(options, folder, started)
        except KeyboardInterrupt as stop:
            print(f"\nslimlm: stopped; `slimlm rank {folder}` goes on", file=sys.stderr)
            raise SystemExit(TERMINATED if isinstance(stop, _TerminatedError) else INTERRUPTED) from None
        _say_verdict(folder, study)


def _check_numbers(options: argparse.Namespace) -> None:
    if options.workers is not None:
        check_whole(workers=parse_size(options.workers))
    if options.deadline is not None:
        check_positive(deadline=parse_number(options.deadline))
    if (nice := _nice(options)) > LEAST_PRIORITY:
        raise ValueError(f"nice={nice:,} must be 1 to {LEAST_PRIORITY}; nice={LEAST_PRIORITY} would work")
    if nice and options.engine == "ray":
        raise ValueError("--nice does not apply to --engine ray: --engine local would work")


def _nice(options: argparse.Namespace) -> int:
    """Return how far the study goes behind other work; 0 for not at all."""
    if options.nice is None:
        return 0
    nice = parse_size(options.nice)
    check_whole(nice=nice)
    return nice


@contextmanager
def _folder(options: argparse.Namespace) -> Iterator[Path]:
    """Yield the folder of the study; of a dry run without one, a folder that is deleted afterwards."""
    if options.folder and options.out:
        raise ValueError(f"--out {options.out} does not apply beside {options.folder}: one of the two would work")
    if folder := options.folder or options.out:
        yield folder
    elif options.dry_run:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
    else:
        raise ValueError("a study needs a folder: --out DIR would work")


def _prepared(options: argparse.Namespace, folder: Path) -> tuple[Study, StudyPlan]:
    """Write the study and its data; meanwhile no other process prepares or trains it, and others see that one does."""
    folder.mkdir(parents=True, exist_ok=True)
    with sole_writer(folder, LOCK_S):
        study = _study(options, folder)
        plan = plan_study(study)
        write_study(folder, study)
    return study, plan


def _study(options: argparse.Namespace, folder: Path) -> Study:
    if options.folder is None:
        return study_of(options, study_request(options), folder)
    for name, (flag, default) in options.defaults.items():
        if getattr(options, name) != default:
            raise ValueError(f"{flag} does not apply to {folder}, whose study is fixed: --out DIR would start another")
    study = open_study(folder)
    if options.data:
        place_data(options, study, folder)
    return study


# Plan.


def _expected_seconds(options: argparse.Namespace, folder: Path, study: Study, plan: StudyPlan) -> float:
    """Return the time of all runs, from a few measured steps of the cell in the middle."""
    from slimlm.engines.data import open_tokens
    from slimlm.study.cells import middle_cell
    from slimlm.train import train

    cell, recipe = middle_cell(study.cells), study.request.recipe
    tokens = open_tokens(folder, study, cell.architecture.vocab_size)
    few = replace(recipe, tokens=_CALIBRATION_STEPS * recipe.batch_tokens, evaluate_tokens=2, log_every=1)
    workers = _workers(options)
    with _one_thread():
        speed = train(cell.architecture, few, tokens, device=options.device).speed[1:]
    rate = sum(row["tokens_per_second"] for row in speed) / len(speed) * cell.flops_per_token
    return float(plan.flops / (rate * workers))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one thread inside, as each worker does."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _workers(options: argparse.Namespace) -> int:
    return parse_size(options.workers) if options.workers else os.cpu_count() or 1


def _least(study: Study) -> str:
    from slimlm.ranking.statistics import least_difference

    sd = USUAL_SD[study.unit]
    seeds, cells = study.request.seeds, len(study.cells)
    return (
        f"differences of {least_difference(sd, seeds, cells):.2g} bits per {study.unit} or more between any two cells, "
        f"if runs of one cell scatter by {sd:g} (standard deviation between seeds)"
    )


# Training.


class _TerminatedError(KeyboardInterrupt):
    """The system, or who runs it, asks this process to end."""


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM end the work inside as Ctrl-C does: workers end, and the state says so."""

    def stop(*_: object) -> NoReturn:
        raise _TerminatedError

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _train(options: argparse.Namespace, folder: Path, started: float) -> None:
    from slimlm.engines.run_study import run_study

    deadline = None
    if options.deadline:
        deadline = max(0.0, parse_number(options.deadline) - _VERDICT_S - (time.monotonic() - started))
    with _engine(options, folder) as engine:
        if sentence := _other_devices(options, folder):
            print(f"slimlm: {sentence}", file=sys.stderr)
        run_study(folder, engine, deadline_s=deadline, progress=shown_progress())


def _other_devices(options: argparse.Namespace, folder: Path) -> str:
    """Return a sentence when runs that are over were trained on another device than this call uses; else nothing."""
    earlier = Counter(outcome.device for outcome in read_outcomes(folder)[0].values())
    if not earlier or options.engine == "ray":
        return ""
    here = "cpu"
    if options.device != here:
        from slimlm.model.device import device_name, pick_device

        here = device_name(pick_device(options.device))
    found = ", ".join(
        f"{counted(number, 'finished run')} on {name}" for name, number in earlier.items() if name != here
    )
    return found and (
        f"missing runs are trained on {here}, from their start, beside {found}: the verdict will say that it compares "
        "across devices, which the same device would avoid"
    )


def _engine(options: argparse.Namespace, folder: Path) -> "Engine":
    if options.address and options.engine != "ray":
        raise ValueError(f"--address does not apply to --engine {options.engine}: --engine ray would work")
    workers = parse_size(options.workers) if options.workers else None
    keep, device, nice = options.keep_weights, options.device, _nice(options)
    if options.engine == "torchrun":
        from slimlm.engines.torchrun import TorchrunEngine

        return TorchrunEngine(folder, processes=workers or 1, device=device, keep_weights=keep, nice=nice)
    if options.engine == "ray":
        from slimlm.engines.ray_engine import RayEngine

        return RayEngine(folder, address=options.address, workers=workers, device=device, keep_weights=keep)
    from slimlm.engines.local import LocalEngine

    return LocalEngine(folder, workers=workers, device=device, keep_weights=keep, nice=nice)


# Verdict.


def _say_verdict(folder: Path, study: Study) -> None:
    from slimlm.ranking.record import write_ranking

    try:
        need("the verdict", NUMPY, "scipy")
    except PackageError as error:
        print(f"\nThe records are complete, but {error}: `slimlm rank {folder}` there says the verdict.")
        return
    ranking = write_ranking(folder)
    print(f"\n{format_ranking(ranking)}")
    _draw(folder, study, ranking)


def _draw(folder: Path, study: Study, ranking: "Ranking") -> None:
    if reason := check_pictures():
        print(f"no picture: {reason}")
        return
    need("a picture", ALTAIR)
    from slimlm.charts.study_map import study_map

    print(write_picture(study_map(study, ranking), folder, "ranking"))
