"""Downloads of a comparison: pictures, reports and CSV."""

from collections.abc import Callable
from typing import NamedTuple

from slimlm.charts.comparison_profiles import profiles_chart
from slimlm.charts.comparison_strips import Measure, comparison_chart
from slimlm.compare.comparison import Comparison
from slimlm.export.comparison_tables import comparison_csv, comparison_html, comparison_markdown
from slimlm.export.pictures import picture


class ComparisonDownload(NamedTuple):
    """A file to download."""

    label: str
    file_name: str
    mime: str
    build: Callable[[Comparison, Measure], bytes | str]
    help: str
    """Tooltip: contents and purpose."""


COMPARISON_DOWNLOADS = (
    ComparisonDownload(
        "Strips (PNG)",
        "slimlm-comparison.png",
        "image/png",
        lambda comparison, measure: picture(comparison_chart(comparison.pins, measure), format="png"),
        "Component shares for slides, at double resolution.",
    ),
    ComparisonDownload(
        "Strips (SVG)",
        "slimlm-comparison.svg",
        "image/svg+xml",
        lambda comparison, measure: picture(comparison_chart(comparison.pins, measure), format="svg"),
        "Component shares for documents, as vector graphics.",
    ),
    ComparisonDownload(
        "Layer profiles (PNG)",
        "slimlm-comparison-profiles.png",
        "image/png",
        lambda comparison, measure: picture(profiles_chart(comparison.pins, measure), format="png"),
        "Layer profiles for slides, at double resolution.",
    ),
    ComparisonDownload(
        "Layer profiles (SVG)",
        "slimlm-comparison-profiles.svg",
        "image/svg+xml",
        lambda comparison, measure: picture(profiles_chart(comparison.pins, measure), format="svg"),
        "Layer profiles for documents, as vector graphics.",
    ),
    ComparisonDownload(
        "Report (HTML)",
        "slimlm-comparison.html",
        "text/html",
        comparison_html,
        "Charts, differences and assumptions on one self-contained page.",
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
        "Every value of every model for a spreadsheet, one per line.",
    ),
)
"""All downloads, in the order of the menu."""
