"""Downloads of a design, a named model or a comparison."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.comparison_profiles import profiles_chart
from slimlm.charts.comparison_strips import Measure, comparison_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.charts.published_map import published_map_chart
from slimlm.charts.theme import Figure
from slimlm.charts.tradeoff import tradeoff_chart, tradeoff_points
from slimlm.compare.comparison import Comparison
from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel, Subject
from slimlm.core.table import component_rows
from slimlm.export.card import Ratio, design_card
from slimlm.export.checkpoints import checkpoint_bytes, checkpoint_zip, config_json, too_large
from slimlm.export.comparison_tables import comparison_csv, comparison_html, comparison_markdown
from slimlm.export.notebooks import notebook
from slimlm.export.pictures import Format, picture
from slimlm.export.report_html import html_report
from slimlm.export.report_markdown import markdown
from slimlm.interop.hf import no_class_sentence
from slimlm.serialization.code import export_command
from slimlm.serialization.design_json import named_model_record, to_record
from slimlm.solver.alternatives import alternatives
from slimlm.utils.formatting import format_bytes, format_count

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
    tidy = re.sub(r"\.(?!\w)|(?<!\w)\.", "-", name)  # file systems treat dots at the ends of a name specially
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


@dataclass(frozen=True)
class Download:
    """A file to download, built on demand."""

    label: str
    file_name: str
    build: Callable[[], bytes | str]
    help: str
    """Tooltip: contents and purpose."""
    refusal: str = ""
    """Why there is no such file of this model, and what would work; empty when there is one."""

    @property
    def mime(self) -> str:
        """MIME type, by the end of the file's name."""
        return _MIME_TYPES[self.file_name.rpartition(".")[2]]


_MIME_TYPES = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "html": "text/html",
    "md": "text/markdown",
    "csv": "text/csv",
    "json": "application/json",
    "ipynb": "application/x-ipynb+json",
    "zip": "application/zip",
}
_FORMATS: dict[Format, str] = {
    "png": "for slides, at double resolution",
    "svg": "for documents, as vector graphics",
}


def picture_downloads(label: str, stem: str, chart: Callable[[], Figure], name: str) -> Iterator[Download]:
    """Yield the downloads of a chart, one per format; `name` starts their tooltips."""

    def build(format: Format) -> bytes:
        return picture(chart(), format=format)

    for format, purpose in _FORMATS.items():
        yield Download(f"{label} ({format.upper()})", f"{stem}.{format}", partial(build, format), f"{name} {purpose}.")


def model_downloads(subject: Subject) -> list[Download]:
    """Return the downloads of a design or a named model, in the order of the menu."""
    return [*transformers_downloads(subject), *common_downloads(subject)]


def transformers_downloads(subject: Subject) -> list[Download]:
    """Return config.json and the checkpoint for Hugging Face transformers, or why there is none."""
    arch, size = subject.architecture, format_bytes(checkpoint_bytes(subject))
    refusal = no_class_sentence(arch)
    config = Download(
        "Config (config.json)",
        "config.json",
        partial(config_json, arch),
        "The configuration of the class of Hugging Face transformers that is exactly this architecture.",
        refusal,
    )
    if refusal:
        return [config]
    checkpoint = Download(
        f"Checkpoint, {size} (ZIP)",
        file_name(subject, "-checkpoint.zip"),
        partial(checkpoint_zip, subject),
        "config.json and untrained weights, initialised with seed 0, for AutoModelForCausalLM.from_pretrained.",
        too_large(subject, export_command(subject)),
    )
    return [config, checkpoint]


def common_downloads(subject: Subject) -> list[Download]:
    """Return the downloads that every design, or every named model, has."""
    name = partial(file_name, subject)
    charts = [
        *picture_downloads(
            "Allocation", name("-allocation"), partial(allocation_chart, subject), "The allocation chart"
        ),
        *picture_downloads(
            "Layer profile", name("-profile"), partial(layer_profile_chart, subject), "The layer profile"
        ),
    ]
    charts += picture_downloads(
        "Map of published models", name("-map"), partial(published_map_chart, [subject]), "The map of published models"
    )
    tables = [
        Download(
            "Report (Markdown)",
            name(".md"),
            partial(markdown, subject),
            "The tables and notes as text, for a pull request or a design document.",
        ),
        Download(
            "Components (CSV)",
            name(".csv"),
            partial(components_csv, subject),
            "The parameter table for a spreadsheet.",
        ),
        Download(
            "Design (JSON)",
            name(".json"),
            partial(design_json, subject),
            "Request, architecture and account for programs; slimlm loads it back.",
        ),
    ]
    if isinstance(subject, NamedModel):
        return [*charts, *tables]
    return [
        *_card_downloads(subject),
        *charts,
        *picture_downloads("Trade-off", name("-tradeoff"), partial(_tradeoff, subject), "The trade-off chart"),
        Download(
            "Report (HTML)",
            name(".html"),
            partial(html_report, subject),
            "The whole design on one self-contained page: targets, charts, tables, notes, sources.",
        ),
        *tables,
        Download(
            "Notebook",
            name(".ipynb"),
            partial(notebook, subject),
            "Python that solves, shows and runs the design.",
        ),
    ]


def _card_downloads(design: Design) -> Iterator[Download]:
    """Yield the design card in each ratio, light and dark."""
    kinds: tuple[tuple[str, str, Ratio, bool], ...] = (
        ("", "", "16:9", False),
        (", dark", "-dark", "16:9", True),
        (", square", "-square", "1:1", False),
        (", square and dark", "-square-dark", "1:1", True),
    )
    for words, suffix, ratio, dark in kinds:
        yield Download(
            f"Design card{words} (PNG)",
            file_name(design, f"-card{suffix}.png"),
            partial(design_card, design, dark=dark, ratio=ratio),
            f"Reason, verdict, key figures, charts{' and the map' if ratio == '1:1' else ''} on one slide, {ratio}.",
        )


def _tradeoff(design: Design) -> Figure:
    return tradeoff_chart(tradeoff_points(design, alternatives(design)))


def comparison_downloads(comparison: Comparison, measure: Measure = "share") -> list[Download]:
    """Return the downloads of a comparison, in the order of the menu."""
    stem = "slimlm-comparison"
    strips, profiles = (partial(chart, comparison.pins, measure) for chart in (comparison_chart, profiles_chart))
    return [
        *picture_downloads("Strips", stem, strips, "The components of every model"),
        *picture_downloads("Layer profiles", f"{stem}-profiles", profiles, "The layer profiles"),
        Download(
            "Report (HTML)",
            f"{stem}.html",
            partial(comparison_html, comparison, measure),
            "Charts, differences and assumptions on one self-contained page.",
        ),
        Download(
            "Report (Markdown)",
            f"{stem}.md",
            partial(comparison_markdown, comparison),
            "Differences and assumptions as text, for a pull request or a design document.",
        ),
        Download(
            "Figures (CSV)",
            f"{stem}.csv",
            partial(comparison_csv, comparison),
            "Every value of every model for a spreadsheet, one per line.",
        ),
    ]
