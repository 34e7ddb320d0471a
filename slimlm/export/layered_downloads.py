"""Downloads of a model whose layers differ."""

import csv
import io
import re
from functools import partial

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_columns import layer_columns_chart
from slimlm.charts.theme import Figure
from slimlm.core.accounting import EMBEDDING_RATIO_DEFINITION
from slimlm.core.layered import LayeredModel
from slimlm.costs.layered import layered_costs
from slimlm.export.downloads import Download
from slimlm.export.pictures import Format, picture
from slimlm.export.report_markdown import markdown_table
from slimlm.export.report_rows import TABLE_HEAD, table_rows
from slimlm.utils.text import lightly


def layered_downloads(model: LayeredModel) -> tuple[Download, ...]:
    """Return the files of a model: both charts, the layers as CSV, and a report."""
    stem = re.sub(r"[^A-Za-z0-9-]+", "-", f"slimlm-{model.name}").strip("-")
    charts = {"allocation": allocation_chart(model), "layers": layer_columns_chart(model)}
    formats: dict[Format, str] = {"png": "for slides, at double resolution", "svg": "for documents, as vector graphics"}
    pictures = [
        Download(
            f"{name.capitalize()} ({format.upper()})",
            f"{stem}-{name}.{format}",
            partial(_drawn, chart, format),
            f"The chart of the {name}, {use}",
        )
        for format, use in formats.items()
        for name, chart in charts.items()
    ]
    return (
        *pictures,
        Download("Layers (CSV)", f"{stem}-layers.csv", lambda: layers_csv(model), "Parameters and cache of each layer"),
        Download(
            "Report (Markdown)", f"{stem}.md", lambda: layered_markdown(model), "Parameters, memory and layers as text"
        ),
    )


def _drawn(chart: Figure, format: Format) -> bytes:
    return picture(chart, format=format)


def layers_csv(model: LayeredModel) -> str:
    """Return one line for each layer as CSV (RFC 4180): kind, parameters by component, and what it keeps."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    window = ("window",) if model.windows else ()
    writer.writerow(("layer", "kind", *model.names, "params", "kv_numbers_per_token", *window, "state_numbers"))
    for number, layer in enumerate(model.layers, start=1):
        counts = (layer.params_of(key) for key in model.names)
        kept = (layer.cache_per_token, *((layer.window or "",) if model.windows else ()), layer.state)
        writer.writerow((number, layer.kind, *counts, layer.params, *kept))
    return text.getvalue()


def layered_table(model: LayeredModel) -> str:
    """Return the parameter table as Markdown, with the definition of the embedding ratio."""
    table = markdown_table(TABLE_HEAD, table_rows(model), left=3, bold_last=True)
    return f"{table}\n\nEmbedding ratio: {EMBEDDING_RATIO_DEFINITION}."


def costs_table(model: LayeredModel) -> str:
    """Return the memory of a model as a Markdown table."""
    return markdown_table(("", "Memory", "Counted"), layered_costs(model), left=1)


def layered_markdown(model: LayeredModel) -> str:
    """Return a model as Markdown, for a pull request or a design document."""
    sections = [
        f"# {lightly(model.title)}",
        f"{lightly(model.origin)}. Layers: {lightly(model.order)}.",
        "\n".join(f"* {lightly(remark)}" for remark in model.remarks),
        "## Parameters",
        layered_table(model),
        "## Memory",
        costs_table(model),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"
