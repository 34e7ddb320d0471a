"""Jupyter notebook of a design, and the display of a design in a notebook."""

import json
from collections.abc import Sequence
from typing import Any

from slimlm.charts.allocation import allocation_chart
from slimlm.core.design import Design
from slimlm.core.table import format_param_table
from slimlm.export.pictures import inline_svg
from slimlm.export.report_html import component_table
from slimlm.serialization.code import python_code

SETUP = """\
Made with slimlm. To run this notebook, install slimlm in the environment of its kernel:
`pip install PATH`, where PATH is a checkout of slimlm or a wheel built from it."""
_LARGEST_RUN = 500_000_000
"""Most parameters of a model that a notebook runs on the CPU; a larger one runs on the meta device, without memory."""


def notebook(design: Design) -> str:
    """Return a notebook that solves the design again, shows its table and chart, and runs the PyTorch model."""
    small = design.total_params <= _LARGEST_RUN
    why = "" if small else "  # shapes only: the weights would take gigabytes"
    cells = [
        text_cell("about", f"# {design.title}\n\n{SETUP}"),
        code_cell(
            "design",
            f"{python_code(design)}\nassert design.dims == {tuple(design.dims)}, "
            '"this version of slimlm returns another design"',
        ),
        code_cell("table", "from slimlm import print_param_table\n\nprint_param_table(design)"),
        code_cell("chart", _CHART_CELL),
        code_cell("model", _MODEL_CELL.format(device="cpu" if small else "meta", why=why)),
    ]
    return notebook_of(cells)


def notebook_of(cells: Sequence[dict[str, Any]]) -> str:
    """Return the file of a notebook of `text_cell` and `code_cell`."""
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    written = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)}
    return json.dumps(written, indent=1, ensure_ascii=False) + "\n"


_CHART_CELL = """\
from IPython.display import SVG
from slimlm.charts import allocation_chart
from slimlm.export import picture

SVG(picture(allocation_chart(design), format="svg"))"""

_MODEL_CELL = """\
import torch
from slimlm import LanguageModel, count_parameters

model = LanguageModel(design, device="{device}").eval(){why}
assert count_parameters(model) == design.total_params
tokens = min(32, design.architecture.max_seq_length)
input_ids = torch.randint(design.architecture.vocab_size, (1, tokens), device="{device}")
with torch.no_grad():
    logits, loss = model(input_ids)
logits.shape"""


def text_cell(name: str, source: str) -> dict[str, Any]:
    """Return a cell of Markdown."""
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def code_cell(name: str, source: str) -> dict[str, Any]:
    """Return a cell of Python that has not been run."""
    ran: dict[str, Any] = {"execution_count": None, "outputs": []}
    return {"cell_type": "code", "id": name, "metadata": {}, "source": source} | ran


def mimebundle(design: Design) -> dict[str, str]:
    """Return the MIME bundle of a design: the parameter table as text; as HTML, the allocation chart and the table."""
    try:
        chart = f'<div style="max-width:960px">{inline_svg(allocation_chart(design))}</div>'
    except RuntimeError:  # no picture converter
        chart = ""
    return {"text/plain": format_param_table(design), "text/html": f"{chart}{component_table(design)}"}
