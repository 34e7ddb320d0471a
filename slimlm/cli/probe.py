"""The option --probe of `slimlm design` and `slimlm inspect`: build the model in PyTorch, check it, and say so."""

import argparse
from dataclasses import asdict
from typing import Any

from slimlm.cli.progress import shown_progress
from slimlm.core.architecture import Architecture
from slimlm.utils.formatting import format_bytes, format_seconds, parse_bytes
from slimlm.utils.optional import PSUTIL, TORCH, need


def add_probe(parser: argparse.ArgumentParser) -> None:
    """Add the options of a probe."""
    parser.add_argument("--probe", action="store_true", help="also build the model in PyTorch and run it")
    parser.add_argument("--dtype", default="float32", help="weight type of --probe: float32 (default) or bfloat16")
    parser.add_argument("--device", help="device of --probe: cpu, cuda or mps (default: the fastest available)")
    help_text = "memory of --probe, such as 4GB (default: what is free); a larger model is streamed"
    parser.add_argument("--max-memory", metavar="SIZE", help=help_text)


def probed(architecture: Architecture, options: argparse.Namespace) -> Any:
    """Return the report of --probe; None without it.

    Raises ValueError and MemoryError, in one sentence, before anything is built.
    """
    if not options.probe:
        return None
    need("--probe", TORCH, PSUTIL)
    from slimlm.probing.probe import probe

    most = parse_bytes(options.max_memory) if options.max_memory else None
    return probe(architecture, progress=shown_progress(), dtype=options.dtype, device=options.device, max_memory=most)


def report_record(report: Any) -> dict[str, Any]:
    """Return the report for JSON, as one field; nothing without a report."""
    return {"probe": asdict(report) | {"way": report.way, "passed": report.passed}} if report else {}


def format_report(report: Any) -> str:
    """Return the checks, losses, times and memory of a report."""
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
