"""Jinja2 templates of the HTML exports, and charts as values for them."""

from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from slimlm.charts.theme import Figure
from slimlm.costs.quantity import joined
from slimlm.export.pictures import inline_svg
from slimlm.export.report_rows import OffTarget
from slimlm.utils.text import paper_links

_ENVIRONMENT = Environment(
    loader=PackageLoader("slimlm.export"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    auto_reload=False,
)
_ENVIRONMENT.filters["joined"] = joined
_ENVIRONMENT.filters["paper_links"] = paper_links
_ENVIRONMENT.tests["off_target"] = lambda cell: isinstance(cell, OffTarget)


def render(template: str, **values: object) -> str:
    """Render a template; every value is escaped."""
    return _ENVIRONMENT.get_template(template).render(values)


def render_part(macro: str, *values: object) -> str:
    """Render one macro of the parts; every value is escaped."""
    return str(getattr(_ENVIRONMENT.get_template("parts.html.jinja").module, macro)(*values))


class Drawing(NamedTuple):
    """A chart as SVG for light and dark pages, or the reason why it cannot be drawn."""

    light: str = ""
    dark: str = ""
    problem: str = ""


def drawing(chart: Figure) -> Drawing:
    """Draw a chart for a template."""
    try:
        return Drawing(inline_svg(chart), inline_svg(chart, dark=True))
    except RuntimeError as error:
        return Drawing(problem=str(error))
