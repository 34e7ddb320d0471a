"""Files that a page offers for a design or a named model."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.charts.tradeoff import tradeoff_chart, tradeoff_points
from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel, Subject
from slimlm.export.card import design_card
from slimlm.export.notebooks import mimebundle, notebook
from slimlm.export.pictures import picture
from slimlm.export.report_html import html_report
from slimlm.export.report_markdown import markdown
from slimlm.serialization.code import command_line, python_code
from slimlm.serialization.design_json import named_model_record, to_record
from slimlm.solver.alternatives import alternatives
from slimlm.utils.formatting import format_count

__all__ = [
    "DOWNLOADS",
    "NAMED_MODEL_DOWNLOADS",
    "Download",
    "command_line",
    "components_csv",
    "design_card",
    "design_json",
    "file_name",
    "html_report",
    "markdown",
    "mimebundle",
    "notebook",
    "picture",
    "python_code",
]

_CSV_HEAD = ("key", "name", "formula", "shapes", "copies", "params_per_copy", "params", "share")


def file_name(subject: Subject, suffix: str) -> str:
    """Name a file after a design or a named model, in characters that every file system takes.

    >>> from slimlm import ModelConfig, solve
    >>> file_name(solve(ModelConfig()), "-card.png")
    'slimlm-10.05M-12x216-card.png'
    """
    d_model, _, n_layers = subject.dims
    size = f"{format_count(subject.total_params)}-{n_layers}x{d_model}"
    name = subject.name if isinstance(subject, NamedModel) else size
    tidy = re.sub(r"\.(?!\w)|(?<!\w)\.", "-", name)  # dots at the ends of a name mean something to file systems
    return re.sub(r"[^A-Za-z0-9.-]+", "-", f"slimlm-{tidy}{suffix}")


def components_csv(subject: Subject) -> str:
    """Return the account as CSV (RFC 4180), one component a line, without a sum: columns can be added as they stand."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_CSV_HEAD)
    for part in subject.account.components:
        shapes = "; ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in part.shapes.items())
        # ASCII alone: some spreadsheets read a file that says nothing of its encoding as something else than UTF-8.
        formula = part.formula.replace("·", "*").replace("²", "^2")
        writer.writerow(
            (part.key, part.name, formula, shapes, part.copies, part.copy_params, part.params, repr(part.share))
        )
    return text.getvalue()


def design_json(subject: Subject) -> str:
    """Return a design as JSON; `slimlm.serialization.design_json.request_from_record` reads its request back.

    A named model comes with its name, its origin, and the request that would bring it about.
    """
    record = named_model_record(subject) if isinstance(subject, NamedModel) else to_record(subject)
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


T_contra = TypeVar("T_contra", bound=Subject, contravariant=True)


@dataclass(frozen=True)
class Download(Generic[T_contra]):
    """One file that a page offers for a design, or for a named model too."""

    label: str
    suffix: str
    """End of the file's name (see `file_name`)."""
    mime: str
    build: Callable[[T_contra], bytes | str]
    help: str
    """What is in it, and what for."""


def _allocation(subject: Subject, **options: Any) -> bytes:
    return picture(allocation_chart(subject), **options)


def _profile(subject: Subject, **options: Any) -> bytes:
    return picture(layer_profile_chart(subject), **options)


def _tradeoff(design: Design, **options: Any) -> bytes:
    return picture(tradeoff_chart(tradeoff_points(design, alternatives(design))), **options)


_CHARTS: tuple[Download[Subject], ...] = (
    Download(
        "Allocation (PNG)",
        "-allocation.png",
        "image/png",
        lambda subject: _allocation(subject, format="png"),
        "The allocation chart for slides, at twice the pixels.",
    ),
    Download(
        "Allocation (SVG)",
        "-allocation.svg",
        "image/svg+xml",
        lambda subject: _allocation(subject, format="svg"),
        "The allocation chart for documents, sharp at every size.",
    ),
    Download(
        "Layer profile (PNG)",
        "-profile.png",
        "image/png",
        lambda subject: _profile(subject, format="png"),
        "The layer profile for slides, at twice the pixels.",
    ),
    Download(
        "Layer profile (SVG)",
        "-profile.svg",
        "image/svg+xml",
        lambda subject: _profile(subject, format="svg"),
        "The layer profile for documents, sharp at every size.",
    ),
)
_TABLES: tuple[Download[Subject], ...] = (
    Download(
        "Report (Markdown)",
        ".md",
        "text/markdown",
        markdown,
        "The tables and notes as text, for a pull request or a design document.",
    ),
    Download(
        "Components (CSV)",
        ".csv",
        "text/csv",
        components_csv,
        "The parameter table for a spreadsheet.",
    ),
    Download(
        "Design (JSON)",
        ".json",
        "application/json",
        design_json,
        "Request, architecture and account for programs; slimlm loads it back.",
    ),
)
NAMED_MODEL_DOWNLOADS = (*_CHARTS, *_TABLES)
"""What a page offers for a model that nobody asked for, in this order."""

DOWNLOADS: tuple[Download[Design], ...] = (
    Download(
        "Design card (PNG)",
        "-card.png",
        "image/png",
        design_card,
        "Request, key figures and both charts on one picture of 1600 × 900 pixels: a slide of its own.",
    ),
    *_CHARTS,
    Download(
        "Trade-off (PNG)",
        "-tradeoff.png",
        "image/png",
        lambda design: _tradeoff(design, format="png"),
        "The trade-off chart for slides, at twice the pixels.",
    ),
    Download(
        "Trade-off (SVG)",
        "-tradeoff.svg",
        "image/svg+xml",
        lambda design: _tradeoff(design, format="svg"),
        "The trade-off chart for documents, sharp at every size.",
    ),
    Download(
        "Report (HTML)",
        ".html",
        "text/html",
        html_report,
        "Everything about the design on one page that needs no network: figures, charts, tables, notes, sources.",
    ),
    *_TABLES,
    Download(
        "Notebook",
        ".ipynb",
        "application/x-ipynb+json",
        notebook,
        "Python that makes the design again, shows it and runs the real model.",
    ),
)
"""What a page offers for a design, in this order."""
