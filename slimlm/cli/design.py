"""The commands `slimlm design`, `inspect` and `published`: one model, and the list of those that are known."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from slimlm.cli.progress import show_progress
from slimlm.cli.request import add_request, request_of
from slimlm.core.design import Design
from slimlm.core.table import format_param_table
from slimlm.notes import design_notes
from slimlm.notes.verdict import verdict
from slimlm.serialization.design_json import named_model_record, to_record
from slimlm.solver.solver import solve
from slimlm.utils.formatting import format_bytes, format_seconds, format_share
from slimlm.utils.optional import PSUTIL, TORCH, need


def add_design(design: argparse.ArgumentParser) -> None:
    """Add the options of `slimlm design`."""
    add_request(design)
    design.add_argument("--json", action="store_true", help="print JSON instead of the table")
    design.add_argument("--probe", action="store_true", help="also build the model in PyTorch and run it")
    design.add_argument("--dtype", default="float32", help="weight type of --probe: float32 (default) or bfloat16")
    design.add_argument("--device", help="device of --probe: cpu, cuda or mps (default: the fastest available)")
    design.set_defaults(run=_design)


def add_inspect(inspect: argparse.ArgumentParser) -> None:
    """Add the options of `slimlm inspect`."""
    inspect.add_argument("model", metavar="NAME|FILE", help="name of a published model, or path of a config.json")
    inspect.add_argument("--json", action="store_true", help="print JSON instead of the table")
    inspect.set_defaults(run=_inspect)


def add_published(published: argparse.ArgumentParser) -> None:
    """Let `slimlm published` run; it has no options."""
    published.set_defaults(run=_published)


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
    from slimlm.cli.layered_text import layered_json, layered_text
    from slimlm.cli.sources import inspected_model
    from slimlm.core.layered import LayeredModel

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
    from slimlm.core.published import all_published

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
