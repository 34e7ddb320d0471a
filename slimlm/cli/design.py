"""The commands `slimlm design`, `inspect` and `published`: one model, and the list of those that are known."""

import argparse
import json

from slimlm.cli.probe import add_probe, format_report, probed, report_record
from slimlm.cli.request import add_request, request_of
from slimlm.core.table import format_param_table
from slimlm.notes import design_notes
from slimlm.notes.verdict import verdict
from slimlm.serialization.design_json import named_model_record, to_record
from slimlm.solver.solver import solve
from slimlm.utils.formatting import format_share


def add_design(design: argparse.ArgumentParser) -> None:
    """Add the options of `slimlm design`."""
    add_request(design)
    design.add_argument("--json", action="store_true", help="print JSON instead of the table")
    add_probe(design)
    design.set_defaults(run=_design)


def add_inspect(inspect: argparse.ArgumentParser) -> None:
    """Add the options of `slimlm inspect`."""
    inspect.add_argument("model", metavar="NAME|FILE", help="name of a published model, or path of a config.json")
    inspect.add_argument("--json", action="store_true", help="print JSON instead of the table")
    add_probe(inspect)
    inspect.set_defaults(run=_inspect)


def add_published(published: argparse.ArgumentParser) -> None:
    """Let `slimlm published` run; it has no options."""
    published.set_defaults(run=_published)


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
    from slimlm.cli.layered_text import layered_json, layered_text
    from slimlm.cli.sources import inspected_model
    from slimlm.core.layered import LayeredModel

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
