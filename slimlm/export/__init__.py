"""Exports: pictures, design cards, reports, CSV, JSON and notebooks.

Each name loads its module on first use, so that tables need no chart packages.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slimlm.export.card import design_card
    from slimlm.export.downloads import comparison_downloads, components_csv, design_json, file_name, model_downloads
    from slimlm.export.generic_downloads import DOWNLOADS, NAMED_MODEL_DOWNLOADS
    from slimlm.export.notebooks import mimebundle, notebook
    from slimlm.export.pictures import picture
    from slimlm.export.report_html import html_report
    from slimlm.export.report_markdown import markdown

_HOMES = {
    "card": ("design_card",),
    "downloads": ("comparison_downloads", "components_csv", "design_json", "file_name", "model_downloads"),
    "generic_downloads": ("DOWNLOADS", "NAMED_MODEL_DOWNLOADS"),
    "notebooks": ("mimebundle", "notebook"),
    "pictures": ("picture",),
    "report_html": ("html_report",),
    "report_markdown": ("markdown",),
}

__all__ = [
    "DOWNLOADS",
    "NAMED_MODEL_DOWNLOADS",
    "comparison_downloads",
    "components_csv",
    "design_card",
    "design_json",
    "file_name",
    "html_report",
    "markdown",
    "mimebundle",
    "model_downloads",
    "notebook",
    "picture",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"slimlm.export.{module}"), name)
    raise AttributeError(f"module 'slimlm.export' has no attribute {name!r}")
