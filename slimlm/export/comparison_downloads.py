"""A comparison in every form in which it leaves slimlm."""

from collections.abc import Callable
from html import escape
from typing import NamedTuple

from slimlm.charts.comparison_profiles import profiles_chart
from slimlm.charts.comparison_strips import Measure, comparison_chart
from slimlm.compare.comparison import Comparison
from slimlm.export.comparison_tables import (
    TABLE_STYLE,
    assumptions_table,
    comparison_csv,
    comparison_markdown,
    differences_table,
)
from slimlm.export.pictures import picture
from slimlm.export.report_html import html_figure, html_page


class ComparisonDownload(NamedTuple):
    """One file that a page offers for a comparison."""

    label: str
    file_name: str
    mime: str
    build: Callable[[Comparison, Measure], bytes | str]
    help: str
    """What is in it, and what for."""


def comparison_html(comparison: Comparison, measure: Measure = "share") -> str:
    """Return a comparison as an HTML page that needs no other file and no network, light or dark.

    Where no picture can be drawn, a sentence says why in its place.
    """
    return html_page(
        comparison.title,
        [
            *(html_figure(chart(comparison.pins, measure)) for chart in (comparison_chart, profiles_chart)),
            f"<h2>Differences</h2>\n<p>{escape(comparison.terms_line)}.</p>\n{differences_table(comparison)}",
            f"<h2>What the costs assume</h2>\n{assumptions_table(comparison)}",
        ],
        TABLE_STYLE,
    )


COMPARISON_DOWNLOADS = (
    ComparisonDownload(
        "Strips (PNG)",
        "slimlm-comparison.png",
        "image/png",
        lambda comparison, measure: picture(comparison_chart(comparison.pins, measure), format="png"),
        "The strips for slides, at twice the pixels.",
    ),
    ComparisonDownload(
        "Strips (SVG)",
        "slimlm-comparison.svg",
        "image/svg+xml",
        lambda comparison, measure: picture(comparison_chart(comparison.pins, measure), format="svg"),
        "The strips for documents, sharp at every size.",
    ),
    ComparisonDownload(
        "Layer profiles (PNG)",
        "slimlm-comparison-profiles.png",
        "image/png",
        lambda comparison, measure: picture(profiles_chart(comparison.pins, measure), format="png"),
        "The layer profiles for slides, at twice the pixels.",
    ),
    ComparisonDownload(
        "Layer profiles (SVG)",
        "slimlm-comparison-profiles.svg",
        "image/svg+xml",
        lambda comparison, measure: picture(profiles_chart(comparison.pins, measure), format="svg"),
        "The layer profiles for documents, sharp at every size.",
    ),
    ComparisonDownload(
        "Report (HTML)",
        "slimlm-comparison.html",
        "text/html",
        comparison_html,
        "Charts, differences and assumptions on one page that needs no network.",
    ),
    ComparisonDownload(
        "Report (Markdown)",
        "slimlm-comparison.md",
        "text/markdown",
        lambda comparison, _: comparison_markdown(comparison),
        "Differences and assumptions as text, for a pull request or a design document.",
    ),
    ComparisonDownload(
        "Figures (CSV)",
        "slimlm-comparison.csv",
        "text/csv",
        lambda comparison, _: comparison_csv(comparison),
        "Every figure of every model for a spreadsheet, one a line.",
    ),
)
"""What a page offers for a comparison, in this order."""
