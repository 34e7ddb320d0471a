"""The command `slimlm eval`: figures of a run with their noise and chance levels."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimlm.cli.run_folder import add_run, load_heldout, load_model, load_run_tokenizer, run_record
from slimlm.utils.formatting import parse_number

if TYPE_CHECKING:
    from slimlm.evaluation.suites import SuiteData


def add_eval(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_run(parser)
    parser.add_argument("--suite", metavar="NAMES", default="bpb", help=f"{suite_help()} (default bpb)")
    parser.add_argument("--data", metavar="DIR", type=Path, help="folder of test sets: blimp/*.jsonl, cloze/*.jsonl")
    parser.add_argument("--corpus", metavar="DIR", type=Path, help="tokenised text of the run (default: RUN/data)")
    parser.add_argument("--share", metavar="N", default="1", help="share of the items to score (default 1)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.set_defaults(run=run_eval)


def suite_help() -> str:
    """Return what the names of suites mean."""
    return (
        "comma-separated: bpb (bits per byte of the held-out text), blimp, lambada, arc_easy, piqa, copa, boolq, "
        "winogrande, or smallbench for all that --data holds"
    )


def run_eval(options: argparse.Namespace) -> None:
    """Evaluate a run and print a table or JSON.

    Raises ValueError, in one sentence, for a run, a suite or test sets that cannot be used.
    """
    model = load_model(options, "eval")
    from slimlm.evaluation.score import format_scores
    from slimlm.evaluation.suites import SMALLBENCH, SMALLBENCH_NOTE, evaluate_suites

    names = suite_names(options.suite)
    scores = evaluate_suites(model, names, _suite_data(options))
    if options.json:
        print(json.dumps({name: asdict(score) for name, score in scores.items()}, indent=2))
        return
    print(format_scores(scores), end="")
    if SMALLBENCH in names:
        print(f"\n{SMALLBENCH_NOTE}")


def suite_names(text: str) -> list[str]:
    """Return the names in a comma-separated list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _suite_data(options: argparse.Namespace) -> "SuiteData":
    from slimlm.evaluation.suites import SuiteData

    # The windows of the run's own evaluations: a recipe without a length means the model's max_seq_length.
    plan: dict[str, Any] = run_record(options.folder).get("plan", {})
    length = plan.get("length")
    return SuiteData(
        load_run_tokenizer(options.folder),
        options.data,
        load_heldout(options.folder, options.corpus),
        share=parse_number(options.share),
        **({"length": length} if length else {}),
    )
