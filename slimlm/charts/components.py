"""Components in charts: rows, encodings, rectangles, and labels that fit them."""

from typing import Any, NamedTuple

import altair as alt

from slimlm.charts.palette import COLOR_SCALE, COMPONENT_COLORS, PAGE, ink_on
from slimlm.charts.theme import Row, text_layer
from slimlm.core.accounting import Component
from slimlm.utils.formatting import format_share


def component_facts(part: Component) -> Row:
    """Return the tooltip texts and colours of a component."""
    color_key = _COLOR_KEYS.get(part.key, part.key)
    return {
        "key": color_key,
        "name": part.name,
        "share": part.share,
        "exact": f"{part.params:,}",
        "percent": format_share(part.share),
        "formula": part.formula,
        "copies": f"{part.copies:,} × {part.copy_params:,}" if part.per_layer else "once",
        "fill": COMPONENT_COLORS[color_key],
        "ink": ink_on(COMPONENT_COLORS[color_key]),
    }


_COLOR_KEYS = {"recurrence": "position_embedding"}
"""Component → the component whose colour it has: no recurrence has a table of positions beside it."""

COMPONENT_ENCODING: Row = {
    "color": alt.Color("key:N", scale=COLOR_SCALE, legend=None),
    "tooltip": [
        alt.Tooltip("name:N", title="Component"),
        alt.Tooltip("exact:N", title="Parameters"),
        alt.Tooltip("percent:N", title="Share"),
        alt.Tooltip("formula:N", title="Formula"),
        alt.Tooltip("copies:N", title="Copies"),
    ],
}
"""Encoding of the rows of `component_facts`, the same in every chart."""

MODEL_ENCODING: Row = COMPONENT_ENCODING | {
    "tooltip": [alt.Tooltip("model:N", title="Model"), *COMPONENT_ENCODING["tooltip"]]
}
"""Encoding of the components of several models, whose tooltips name the model."""


def component_boxes(x: alt.X, encoding: Row) -> alt.Chart:
    """Return rectangles from `start` to `end` and from `top` to `bottom`, separated by lines of the page's colour."""
    y = alt.Y("top:Q", scale=None, axis=None)
    boxes: alt.Chart = alt.Chart().mark_rect(stroke=PAGE, strokeWidth=1).encode(x, y, x2="end", y2="bottom", **encoding)
    return boxes


_WIDE, _HIGH = "(scale('x', datum.end) - scale('x', datum.start))", "(datum.bottom - datum.top)"
_CENTRE, _MIDDLE = "scale('x', (datum.start + datum.end) / 2)", "(datum.top + datum.bottom) / 2"


class Label(NamedTuple):
    """One form of a label. A row holds its text under `key` and the pixels that the text takes under `key`_px."""

    key: str
    room: float
    """Pixels that it needs at right angles to its lines."""
    half: float
    """Half the thickness of the background behind it."""
    lift: float = 0
    """Pixels between the first line and the middle of all lines."""
    turned: bool = False
    """Whether it reads from bottom to top."""

    @property
    def fits(self) -> str:
        """The expression that is true where it fits its rectangle."""
        along, across = (_HIGH, _WIDE) if self.turned else (_WIDE, _HIGH)
        return f"{along} > datum.{self.key}_px && {across} > {self.room:g}"


def _first_fitting(labels: tuple[Label, ...], values: list[str], otherwise: str) -> str:
    choices = (f"{label.fits} ? {value} : " for label, value in zip(labels, values, strict=True))
    return f"({''.join(choices)}{otherwise})"


def fitting_label(*labels: Label) -> alt.Chart:
    """Return the layer that writes the first of the labels that fits each rectangle, or nothing."""
    style: dict[str, Any] = {"align": "center", "lineBreak": "\n", "lineHeight": 17, "fill": alt.ExprRef("datum.ink")}
    if any(label.turned for label in labels):
        style["angle"] = alt.ExprRef(_first_fitting(labels, ["270" if label.turned else "0" for label in labels], "0"))
    text = _first_fitting(labels, [f"datum.{label.key}" for label in labels], "''")
    lift = _first_fitting(labels, [f"{label.lift:g}" for label in labels], "0")
    return text_layer(text, x=_CENTRE, y=f"{_MIDDLE} - {lift}", **style)


def label_background(*labels: Label) -> alt.Chart:
    """Return backgrounds of the labels in the rectangle's colour, which hide the lines between blocks."""
    lengths = [f"datum.{label.key}_px / 2" for label in labels]
    halves = [f"{label.half:g}" for label in labels]
    sizes = list(zip(labels, lengths, halves, strict=True))
    across = _first_fitting(labels, [half if label.turned else length for label, length, half in sizes], "0")
    along = _first_fitting(labels, [length if label.turned else half for label, length, half in sizes], "0")
    edges = {
        "x": f"{_CENTRE} - {across}",
        "x2": f"{_CENTRE} + {across}",
        "y": f"{_MIDDLE} - {along}",
        "y2": f"{_MIDDLE} + {along}",
    }
    shape: Row = {edge: alt.ExprRef(place) for edge, place in edges.items()}
    background: alt.Chart = alt.Chart().mark_rect(fill=alt.ExprRef("datum.fill"), **shape)
    return background
