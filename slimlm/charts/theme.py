"""Chart theme: font, text measurement, and the frame and configuration of a figure."""

from functools import cache
from typing import Any, Literal

import altair as alt
import pandas  # noqa: F401 (import it first: Altair fails on a pandas that another thread has half imported)
from altair.utils.schemapi import SchemaBase

from slimlm.charts.palette import DARK, FAINT, INK, LIGHT, MUTED

Row = dict[str, Any]


FONT = "Arial, sans-serif"
"""Arial first: browsers and the picture converter draw it, or its metric twin, alike, and the converter measures text
rightly only for a family that it has. A list without sans-serif at its end can lose all text of a picture, silently.
"""


_WIDTH, _PADDING, _LARGE, _SMALL, _FINE = 960, 6, 17, 13, 12
_NARROWEST = 650
"""Width, as `text_width` estimates it, at which headings fit a narrow page.

Vega-Lite cuts longer lines off, and the server does not know the page's width.
"""

_NARROW, _WIDE = frozenset(" iljtfrI.,:;'|!()/·<"), frozenset("mwMW%@—→×")


def text_width(text: str, font_size: float) -> float:
    """Estimate how many pixels a line of text takes, rather too many than too few.

    >>> round(text_width("SwiGLU", 12))
    50
    """
    widths = (0.34 if c in _NARROW else 0.95 if c in _WIDE else 0.72 if c.isupper() else 0.58 for c in text)
    return font_size * sum(widths)


class Figure(alt.LayerChart):
    """A layered chart whose parts are written out already: Altair would check every part again at every key press.

    The parts are checked against Vega-Lite's schema where they are made, once, and whole figures in the tests.
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
        """Return the Vega-Lite specification, unchecked; the arguments are Altair's and change nothing."""
        parts = ((key, part) for key, part in self._kwds.items() if part is not alt.Undefined)
        return {"$schema": alt.SCHEMA_URL} | {
            key: part.to_dict() if isinstance(part, SchemaBase) else part for key, part in parts
        }


def layers(*parts: alt.Chart) -> Row:
    """Write layers out, checked against the schema: a template that `figure` fills with data."""
    written = alt.layer(*parts, data=alt.NamedData("rows")).to_dict()
    return {key: written[key] for key in ("layer", "params") if key in written}


def text_layer(text: str, *, x: str, y: str, **style: Any) -> alt.Chart:
    """Return a layer of text; all three are Vega expressions, which know the datum and the width as shown."""
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
) -> Figure:
    """Set groups of layers, each over its own data, as a figure: the same on a page and when exported.

    The width is the outer width and belongs to whoever shows the figure; the height is that of the picture alone.
    `values` are named numbers and lists that expressions in the layers use.
    """
    named = [{"name": name, "value": value} for name, value in (values or {}).items()]
    return Figure(
        title={
            "text": _wrapped([title], _NARROWEST, _LARGE),
            "subtitle": _wrapped(subtitle, _NARROWEST, _FINE),
            "limit": {"expr": "width"},  # the default is not computed anew when the page's width changes
        },
        description=description,
        width=_WIDTH,
        height=height,
        # Rows inside a layer travel with the specification; at the top, Streamlit would send them as a table.
        layer=[{"data": data, "layer": template["layer"]} for data, template in groups],
        params=named + [param for _, template in groups for param in template.get("params", [])],
        **_frame(),
    )


def _wrapped(lines: list[str], width: float, font_size: int) -> list[str]:
    return [part for line in lines for part in wrap(line, width, font_size)]


def wrap(line: str, width: float, font_size: int) -> list[str]:
    """Break a line so that each part fits the width: into as few as it takes, about equally long.

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
    """Break a line at its middle dots, or else between words, as late as the width allows."""
    separator = " · " if " · " in line else " "
    broken: list[str] = []
    current, *parts = line.split(separator)
    for part in parts:
        longer = f"{current}{separator}{part}"
        if text_width(longer, font_size) > width:
            broken.append(current)
            longer = part
        current = longer
    return [*broken, current]


@cache
def _frame() -> Row:
    return {
        "padding": dict.fromkeys(("left", "right", "top", "bottom"), _PADDING),
        "autosize": {"type": "fit-x", "contains": "padding"},
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
            font=FONT,
            subtitleFont=FONT,
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
            labelFont=FONT,
            titleFont=FONT,
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


def for_export(chart: Figure, *, dark: bool = False, width: int = _WIDTH) -> Figure:
    """Return the figure on a page of its own, white or dark, at a fixed outer width in pixels."""
    written = chart.to_dict()
    heading, room = written["title"], width - 2 * _PADDING
    if room < _NARROWEST:
        sizes = {"text": _LARGE, "subtitle": _FINE}
        written["title"] = heading | {part: _wrapped(heading[part], room, size) for part, size in sizes.items()}
    return Figure(**written | {"background": DARK if dark else LIGHT, "width": width})
