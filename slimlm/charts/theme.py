"""Chart theme: font, text measurement, and the frame and configuration of a figure."""

import json
from functools import cache
from typing import Any, Literal

import altair as alt
import pandas  # noqa: F401 (import it first: Altair fails on a pandas that another thread has half imported)
from altair.utils.schemapi import SchemaBase

from slimlm.charts.palette import DARK, FAINT, INK, LIGHT, MUTED
from slimlm.charts.tooltips import with_description

Row = dict[str, Any]


FONT = "Arial, sans-serif"
"""Arial first: browsers and the picture converter both have it, or a font of equal metrics, and the converter measures
text correctly only in a font that it has. Without sans-serif at the end, a picture can lose all its text silently.
"""


_WIDTH, _PADDING, _LARGE, _SMALL, _FINE = 960, 6, 17, 13, 12
_HEADING_SIZES = {"text": _LARGE, "subtitle": _FINE}
_PHONE_PX = 370
"""Largest width of a line of a heading on a phone, as `text_width` overestimates it: about 340 pixels."""

NARROWEST_PX = 650
"""Largest width of a heading, as `text_width` estimates it, that fits a narrow page.

Vega-Lite truncates longer lines, and the server does not know the page's width.
"""

_NARROW, _WIDE = frozenset(" iljtfrI.,:;'|!()/·<"), frozenset("mwMW%@—→×")


def text_width(text: str, font_size: float) -> float:
    """Estimate the width of a line of text in pixels, and rather overestimate it.

    >>> round(text_width("SwiGLU", 12))
    50
    """
    widths = (0.34 if c in _NARROW else 0.95 if c in _WIDE else 0.72 if c.isupper() else 0.58 for c in text)
    return font_size * sum(widths)


class Figure(alt.LayerChart):
    """A layered chart of parts that are already plain dicts.

    Altair's own constructor would validate every part on every redraw. `layers` validates each part against Vega-Lite's
    schema once, and the tests validate whole figures.
    """

    def __init__(self, **properties: Any) -> None:
        SchemaBase.__init__(self, **properties)

    def to_dict(
        self,
        validate: bool = True,
        *,
        format: Literal["vega-lite", "vega"] = "vega-lite",
        ignore: list[str] | None = None,
        context: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the Vega-Lite specification without validation; Altair's arguments are ignored."""
        parts = ((key, part) for key, part in self._kwds.items() if part is not alt.Undefined)
        return {"$schema": alt.SCHEMA_URL} | {
            key: part.to_dict() if isinstance(part, SchemaBase) else part for key, part in parts
        }


def layers(*parts: alt.Chart) -> Row:
    """Convert layers to a dict, validated against the schema; `figure` adds the data.

    Screen readers get the text of tooltips. Marks without one are silent, except text, which is read as it is.
    """
    specification = alt.layer(*parts, data=alt.NamedData("rows")).to_dict()
    spoken = [part if _is_text(part) else with_description(part) for part in specification["layer"]]
    return {key: specification[key] for key in ("params",) if key in specification} | {"layer": spoken}


def _is_text(layer: Row) -> bool:
    return bool(layer["mark"]["type"] == "text")


def text_layer(text: str, *, x: str, y: str, **style: Any) -> alt.Chart:
    """Return a layer of text; `text`, `x` and `y` are Vega expressions over the datum and the width on screen."""
    at = {"text": alt.ExprRef(text), "x": alt.ExprRef(x), "y": alt.ExprRef(y)}
    layer: alt.Chart = alt.Chart().mark_text(**({"align": "left"} | at | style))
    return layer


def figure(
    *groups: tuple[Row, Row],
    title: str,
    subtitle: list[str],
    description: str,
    height: int,
    values: Row | None = None,
    reflows: bool = False,
    axis_px: int = 0,
) -> Figure:
    """Return a figure of groups of layers, each with its own data; pages and exports show the same figure.

    The page or the export sets the outer width. `height` is that of the plot, without title and axes. `values` are
    named numbers and lists for the expressions in the layers. `reflows`: the height depends on the width. `axis_px`:
    width of the vertical axis, over which the heading extends too.
    """
    named = [{"name": name, "value": value} for name, value in (values or {}).items()]
    return Figure(
        title={
            "text": _wrapped([title], NARROWEST_PX, _LARGE),
            "subtitle": _wrapped(subtitle, NARROWEST_PX, _FINE),
            "limit": {"expr": f"width + {axis_px}"},  # Vega does not update its default limit when the width changes
        },
        description=description,
        width=_WIDTH,
        height=height,
        # Inside layers, because Streamlit would send rows at the top level as a separate table.
        layer=[
            {"data": data} | {key: template[key] for key in ("transform", "layer") if key in template}
            for data, template in groups
        ],
        params=named + [param for _, template in groups for param in template.get("params", [])],
        **_frame(reflows),
    )


def _wrapped(lines: list[str], width: float, font_size: int) -> list[str]:
    return [part for line in lines for part in wrap(line, width, font_size)]


def wrap(line: str, width: float, font_size: int) -> list[str]:
    """Break a line into the fewest parts that fit the width, of about equal length.

    >>> wrap("268M parameters · d_model 640 · d_ff 2,048 · 4 heads", 300, 13)
    ['268M parameters · d_model 640', 'd_ff 2,048 · 4 heads']
    """
    fewest = _broken(line, width, font_size)
    narrower = text_width(line, font_size) / len(fewest)
    while narrower < width:
        if len(parts := _broken(line, narrower, font_size)) == len(fewest):
            return parts
        narrower *= 1.03
    return fewest


def _broken(line: str, width: float, font_size: int) -> list[str]:
    """Break a line at its middle dots, or else between words, as late as the width allows.

    A part between two dots that is too long for a line of its own is broken between words.
    """
    separator = " · " if " · " in line else " "
    broken: list[str] = []
    current, *parts = line.split(separator)
    for part in parts:
        longer = f"{current}{separator}{part}"
        if text_width(longer, font_size) > width:
            broken.append(current)
            longer = part
        current = longer
    lines = [*broken, current]
    if separator == " ":
        return lines
    return [piece for part in lines for piece in _fitted(part, width, font_size)]


def _fitted(part: str, width: float, font_size: int) -> list[str]:
    """Return a part as it is if it fits or holds several, else broken between words."""
    fits = " · " in part or text_width(part, font_size) <= width
    return [part] if fits else _broken(part, width, font_size)


@cache
def _frame(reflows: bool) -> Row:
    return {
        "padding": dict.fromkeys(("left", "right", "top", "bottom"), _PADDING),
        # Fitting changes the width itself: where the height follows the width, Vega has to measure once more.
        "autosize": {"type": "fit-x", "contains": "padding"} | ({"resize": True} if reflows else {}),
        # An SVG is sharp at any zoom, and a browser test can read its text.
        "usermeta": {"embedOptions": {"renderer": "svg"}},
        "config": _config().to_dict(),
    }


def _config() -> alt.Config:
    return alt.Config(
        font=FONT,
        view=alt.ViewConfig(stroke=None),
        text=alt.MarkConfig(fontSize=_SMALL, baseline="middle"),
        title=alt.TitleConfig(
            anchor="start",
            align="left",
            frame="bounds",
            fontSize=_LARGE,
            fontWeight=600,
            subtitleFontSize=_FINE,
            subtitleLineHeight=17,
            subtitlePadding=6,
            color=INK,
            subtitleColor=MUTED,
            offset=16,
        ),
        axis=alt.AxisConfig(
            labelFontSize=12,
            titleFontSize=_SMALL,
            titleFontWeight="normal",
            labelColor=MUTED,
            titleColor=MUTED,
            domainColor=FAINT,
            tickColor=FAINT,
            grid=False,
        ),
    )


NARROW = "width < 600"
"""Vega expression: whether a chart is too narrow for the lines of its heading."""


def narrow_heading(title: Row) -> Row:
    """Return the lines of a heading, broken for a phone."""
    return {part: _wrapped(title[part], _PHONE_PX, size) for part, size in _HEADING_SIZES.items()}


@cache
def page_config() -> Row:
    """Return the configuration of a figure on a page: in the page's font, whose letters are narrower than Arial's."""
    config: Row = _config().to_dict()
    return config | {"font": f"'Source Sans', {FONT}"}


def for_page(chart: Figure) -> Figure:
    """Return the figure for a page, whose width only the browser knows: on a phone its heading has shorter lines."""
    specification = chart.to_dict()
    title, narrow = specification["title"], narrow_heading(specification["title"])
    chosen = {
        part: {"expr": f"{NARROW} ? {json.dumps(lines)} : {json.dumps(title[part])}"} for part, lines in narrow.items()
    }
    return Figure(**specification | {"title": title | chosen, "config": page_config()})


def for_export(chart: Figure, *, dark: bool = False, width: int = _WIDTH) -> Figure:
    """Return the figure for export: on a white or dark background, at a fixed outer width in pixels."""
    specification = chart.to_dict()
    heading, room = specification["title"], width - 2 * _PADDING
    if room < NARROWEST_PX:
        lines = {part: _wrapped(heading[part], room, size) for part, size in _HEADING_SIZES.items()}
        specification["title"] = heading | lines
    return Figure(**specification | {"background": DARK if dark else LIGHT, "width": width})
