"""Downloads of a design or a named model."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.charts.theme import Figure
from slimlm.charts.tradeoff import tradeoff_chart, tradeoff_points
from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel, Subject
from slimlm.core.table import component_rows
from slimlm.export.card import design_card
from slimlm.export.notebooks import mimebundle, notebook
from slimlm.export.pictures import Format, picture
from slimlm.export.report_html import html_report
from slimlm.export.report_markdown import markdown
from slimlm.export.report_rows import neighbours
from slimlm.serialization.code import command_line, python_code
from slimlm.serialization.design_json import named_model_record, to_record
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
    """Return the name of a file, in characters that every file system allows.

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
    """Return the parameter table as CSV (RFC 4180), one component per line, without a row of totals."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_CSV_HEAD)
    for row in component_rows(subject.account):
        part = row.component
        shapes = "; ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in part.shapes.items())
        # ASCII only: some spreadsheets do not read CSV files as UTF-8.
        formula = part.formula.replace("·", "*").replace("²", "^2")
        writer.writerow(
            (part.key, part.name, formula, shapes, part.copies, part.copy_params, row.params, repr(part.share))
        )
    return text.getvalue()


def design_json(subject: Subject) -> str:
    """Return a design as JSON; `slimlm.serialization.design_json.request_from_record` reads its request back.

    The record of a named model holds its name, its origin and a request that solves to the same shape.
    """
    record = named_model_record(subject) if isinstance(subject, NamedModel) else to_record(subject)
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


T_contra = TypeVar("T_contra", bound=Subject, contravariant=True)


@dataclass(frozen=True)
class Download(Generic[T_contra]):
    """A file to download."""

    label: str
    suffix: str
    """End of the file's name (see `file_name`)."""
    mime: str
    build: Callable[[T_contra], bytes | str]
    help: str
    """Tooltip: contents and purpose."""


_PICTURES = {
    "png": ("image/png", "for slides, at double resolution"),
    "svg": ("image/svg+xml", "for documents, as vector graphics"),
}


def _pictures(label: str, stem: str, draw: Callable[[T_contra], Figure], name: str) -> tuple[Download[T_contra], ...]:
    """Return the downloads of a chart, one in each format of pictures."""

    def build(format: Format, subject: T_contra) -> bytes:
        return picture(draw(subject), format=format)

    formats: tuple[Format, ...] = ("png", "svg")
    return tuple(
        Download(f"{label} ({format.upper()})", f"{stem}.{format}", mime, partial(build, format), f"{name} {purpose}.")
        for format in formats
        for mime, purpose in (_PICTURES[format],)
    )


def _tradeoff(design: Design) -> Figure:
    return tradeoff_chart(tradeoff_points(design, neighbours(design)))


_CHARTS: tuple[Download[Subject], ...] = (
    *_pictures("Allocation", "-allocation", allocation_chart, "The allocation chart"),
    *_pictures("Layer profile", "-profile", layer_profile_chart, "The layer profile"),
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
"""Downloads of a named model, in the order of the menu."""

DOWNLOADS: tuple[Download[Design], ...] = (
    Download(
        "Design card (PNG)",
        "-card.png",
        "image/png",
        design_card,
        "Request, key figures and both charts on one picture of 1600 × 900 pixels: a slide of its own.",
    ),
    *_CHARTS,
    *_pictures("Trade-off", "-tradeoff", _tradeoff, "The trade-off chart"),
    Download(
        "Report (HTML)",
        ".html",
        "text/html",
        html_report,
        "The whole design on one self-contained page: targets, charts, tables, notes, sources.",
    ),
    *_TABLES,
    Download(
        "Notebook",
        ".ipynb",
        "application/x-ipynb+json",
        notebook,
        "Python that solves, shows and runs the design.",
    ),
)
"""Downloads of a design, in the order of the menu."""
