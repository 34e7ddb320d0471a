"""Layers of the heat map: fills, hatching, labels and outlines, over rows that hold the index `i` of a cell.

Expressions derive the rest from `i` and the figure's named values, which keeps thousands of rows small.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from itertools import count
from typing import Any

import altair as alt

from slimlm.charts.palette import FAINT, INK, INK_SHADE, MUTED, PAGE, Shade
from slimlm.charts.theme import Row, layers, text_layer, text_width
from slimlm.charts.tooltips import object_expression, spoken_expression

LIGHT_RAMP = ("#F3E4EB", "#DFB6C9", "#C083A4", "#96527D", "#5C2752")
DARK_RAMP = ("#3A2037", "#693B60", "#9A6089", "#CA95B4", "#F3D3E1")
"""From small to large values: one hue that no component has, in even steps of lightness away from the page's.

Lightness alone carries the order, which therefore survives colour-vision deficiencies and grey print.
"""

NO_MODEL = "no model"
_LINES, _SHAPE_PX, _SMALLEST_PX = 3, 12, 9


_COLUMN, _ROW = "datum.i % columns", "floor(datum.i / columns)"


def _position(axis: str, field: str, name: str) -> Row:
    return {
        "shorthand": f"{field}:Q",
        "scale": alt.Scale(domain=alt.ExprRef(f"{axis}_ends"), nice=False, zero=False),
        "axis": alt.Axis(
            title=name,
            description=f"{axis}-axis: {name}",  # Vega's own would give the numbers of the cells
            values=alt.ExprRef(f"{axis}_ticks"),
            labelExpr=f"{axis}_tick_labels[indexof({axis}_ticks, datum.value)]",
            domain=False,
            ticks=False,
            labelPadding=6,
            titlePadding=8,
            labelOverlap=False,
        ),
    }


@lru_cache(maxsize=64)
def cell_layers(x_name: str, y_name: str, metric_name: str, legend: bool) -> Row:
    """Return the filled cells with tooltips, and the outline of the cell that the parameter "pick" selects."""
    pick = alt.selection_point(name="pick", fields=["i"])
    x, y = alt.X(**_position("x", "c", x_name)), alt.Y(**_position("y", "r", y_name))
    cells = (
        alt.Chart()
        .transform_calculate(c=_COLUMN, r=_ROW, c2=f"{_COLUMN} + cell", r2=f"{_ROW} + cell")
        .mark_rect(
            invalid="show",
            stroke=PAGE,
            strokeWidth=alt.ExprRef("gap"),
            cursor="pointer",
            tooltip=alt.ExprRef(_tooltip(x_name, y_name, metric_name, object_expression)),
            description=alt.ExprRef(_tooltip(x_name, y_name, metric_name, spoken_expression)),
        )
        .encode(
            x,
            y,
            x2="c2",
            y2="r2",
            color=alt.condition("isValid(datum.u)", _shade(metric_name, legend), alt.value(FAINT)),
            opacity=alt.condition("isValid(datum.u)", alt.value(1), alt.value(0.3)),
        )
        .add_params(pick)
    )
    return layers(cells, _outline(1.5, strokeDash=[4, 3]).transform_filter({"param": "pick", "empty": False}))


def _outline(width: float, **style: Any) -> alt.Chart:
    """Return outlines of cells, inside their edges."""
    rows = f"scale('y', {_ROW}), scale('y', {_ROW} + 1)"
    edges = {
        "x": f"scale('x', {_COLUMN}) + {width / 2}",
        "x2": f"scale('x', {_COLUMN} + 1) - {width / 2}",
        "y": f"min({rows}) + {width / 2}",
        "y2": f"max({rows}) - {width / 2}",
    }
    shape: Row = {edge: alt.ExprRef(place) for edge, place in edges.items()}
    chart: alt.Chart = alt.Chart().mark_rect(filled=False, stroke=INK, strokeWidth=width, **shape, **style)
    return chart


def _shade(metric_name: str, legend: bool) -> alt.Color:
    steps = [step / (len(LIGHT_RAMP) - 1) for step in range(len(LIGHT_RAMP))]
    colors = [Shade(light, dark).reference for light, dark in zip(LIGHT_RAMP, DARK_RAMP, strict=True)]
    key = alt.Legend(
        title=metric_name,
        orient="top",
        direction="horizontal",
        gradientLength=220,
        gradientThickness=10,
        values=[0, 1],
        labelExpr="shade_ends[datum.value]",
        labelColor=MUTED,
        titleColor=MUTED,
        titleFontWeight="normal",
        titleFontSize=12,
        labelFontSize=12,
        offset=6,
    )
    return alt.Color("u:Q", scale=alt.Scale(domain=steps, range=colors), legend=key if legend else None)


def text_background(left: str, right: str, middle: str, half: str = "8", **style: Any) -> alt.Chart:
    """Return a background for text, by default of the page's colour and one line high; places are expressions."""
    edges = {"x": left, "x2": right, "y": f"{middle} - ({half})", "y2": f"{middle} + ({half})"}
    shape: Row = {edge: alt.ExprRef(place) for edge, place in edges.items()}
    usual: Row = {"fill": PAGE, "opacity": 0.8, "cornerRadius": 3}
    chart: alt.Chart = alt.Chart().mark_rect(**usual | shape | style)
    return chart


SHAPE_IN_TOOLTIP = {
    "Layers × width": "format(datum.n, ',') + ' × ' + format(datum.d, ',')",
    "Feed-forward width": "format(datum.f, ',')",
}
"""Tooltip rows for the shape of a design, over data rows with layers `n`, d_model `d` and d_ff `f`."""


def _tooltip(x_name: str, y_name: str, metric_name: str, joined: Callable[[dict[str, str]], str]) -> str:
    """Return the expression of a cell's tooltip; as data it would make the rows ten times as long."""
    targets = {x_name: f"x_labels[{_COLUMN}]", y_name: f"y_labels[{_ROW}]"}
    figures = targets | {metric_name: "datum.t || 'not measured'"} | SHAPE_IN_TOOLTIP
    odd = {"Odd shape": "oddities[datum.odd - 1]"}
    spread = {"Quartiles": "datum.q + (isValid(datum.u) ? '' : ', measured in an earlier run')"}
    cases = {
        "datum.why": targets | {"No model": "datum.why"},
        "datum.q && datum.odd": figures | spread | odd,
        "datum.q": figures | spread,
        "datum.odd": figures | odd,
    }
    return f"{''.join(f'{case} ? {joined(rows)} : ' for case, rows in cases.items())}{joined(figures)}"


@cache
def hatch_layers(odd: bool) -> Row:
    """Return the lines of the rows of `hatching`, or of `odd_hatching` in ink."""
    ends = {
        "x": "scale('x', datum.a)",
        "x2": "scale('x', datum.a2)",
        "y": "scale('y', datum.b)",
        "y2": "scale('y', datum.b2)",
    }
    line = {end: alt.value(alt.ExprRef(place)) for end, place in ends.items()}
    style: Row = {"stroke": INK, "opacity": 0.45} if odd else {"stroke": MUTED, "opacity": 0.55}
    return layers(alt.Chart().mark_rule(strokeWidth=0.7, **style).encode(**line))


def hatching(cells: Iterable[tuple[int, int]]) -> list[Row]:
    """Return the ends of the hatching's lines, in units of cells; lines continue across neighbouring cells."""
    parts = [step / _LINES for step in range(1, _LINES + 1)]
    ends = [(0.0, part, part, 0.0) for part in parts] + [(part, 1.0, 1.0, part) for part in parts[:-1]]
    return [
        {"a": column + a, "b": row + b, "a2": column + a2, "b2": row + b2}
        for column, row in cells
        for a, b, a2, b2 in ends
    ]


def odd_hatching(cells: Sequence[tuple[int, int]], most: int) -> list[Row]:
    """Return the ends of lines that cross those of `hatching`; beyond `most` cells, lines several cells apart."""
    if len(cells) <= most:
        parts = [step / _LINES for step in range(_LINES)]
        ends = [(0.0, part, 1 - part, 1.0) for part in parts] + [(part, 0.0, 1.0, 1 - part) for part in parts[1:]]
        return [
            {"a": column + a, "b": row + b, "a2": column + a2, "b2": row + b2}
            for column, row in cells
            for a, b, a2, b2 in ends
        ]
    apart = math.ceil(math.sqrt(len(cells) / most)) + 1
    crossed = {cell for cell in cells if (cell[0] - cell[1]) % apart == 0}
    starts = sorted(cell for cell in crossed if (cell[0] - 1, cell[1] - 1) not in crossed)
    lengths = [next(n for n in count(1) if (column + n, row + n) not in crossed) for column, row in starts]
    return [
        {"a": column, "b": row, "a2": column + length, "b2": row + length}
        for (column, row), length in zip(starts, lengths, strict=True)
    ]


_MIDDLE = {"x": f"scale('x', {_COLUMN} + 0.5)", "align": "center"}
_ROOM = "(range('x')[1] - range('x')[0]) / x_ends[1]"
_ON_CELL = alt.ExprRef(
    "isValid(datum.u) ? (luminance(scale('color', datum.u)) > 0.179 ? '#000000' : '#FFFFFF') : "
    f"({INK_SHADE.expression})"
)


@cache
def label_layers() -> Row:
    """Return the labels of cells: the value and below it layers × d_model, or "no model"."""
    middle = f"scale('y', {_ROW} + 0.5)"
    half = text_width(NO_MODEL, 13) / 2 + 3
    nothing = text_layer(
        f"datum.why && {_ROOM} > {2 * half} ? '{NO_MODEL}' : ''",
        y=middle,
        fill=MUTED,
        fontSize=alt.ExprRef("min(13, value_size)"),
        **_MIDDLE,
    )
    background = text_background(f"{_MIDDLE['x']} - {half}", f"{_MIDDLE['x']} + {half}", middle).transform_filter(
        "datum.why"
    )
    size = f"min(value_size, ({_ROOM} - 6) / (0.6 * max(1, length(datum.t || ''))))"
    value_px = f"(3 + 0.3 * {size} * length(datum.t))"
    solid = text_background(
        f"{_MIDDLE['x']} - {value_px}",
        f"{_MIDDLE['x']} + {value_px}",
        f"{middle}",
        fill=alt.ExprRef("scale('color', datum.u)"),
        half="two_lines ? 20 : 9",
    ).transform_filter("datum.odd && isValid(datum.u)")
    value = text_layer(
        f"datum.why || {size} < {_SMALLEST_PX} ? '' : datum.t || ''",
        y=f"{middle} - (two_lines ? 9 : 0)",
        fill=_ON_CELL,
        fontSize=alt.ExprRef(size),
        fontWeight=600,
        **_MIDDLE,
    )
    shape = text_layer(
        f"{_ROOM} < 84 || datum.why || !two_lines ? '' : {SHAPE_IN_TOOLTIP['Layers × width']}",
        y=f"{middle} + 11",
        fill=_ON_CELL,
        fontSize=_SHAPE_PX,
        opacity=0.85,
        **_MIDDLE,
    )
    return layers(background, nothing, solid, value, shape)


STAR = "M0,-1L0.24,-0.32L0.95,-0.31L0.38,0.12L0.59,0.81L0,0.4L-0.59,0.81L-0.38,0.12L-0.95,-0.31L-0.24,-0.32Z"
"""Path of a star, as the shape of a point."""


@cache
def best_layers() -> Row:
    """Return the star of the best cell: in its upper corner, or in the middle of a cell that is too small for that."""
    rows = f"scale('y', {_ROW}), scale('y', {_ROW} + 1)"
    inside = f"min({_ROOM}, abs(scale('y', 1) - scale('y', 0))) >= 40"
    star = alt.Chart().mark_point(
        filled=True,
        shape=STAR,
        size=260,
        fill=INK,
        stroke=PAGE,
        strokeWidth=1.5,
        opacity=1,
        x=alt.ExprRef(f"{inside} ? scale('x', {_COLUMN} + 1) - 15 : {_MIDDLE['x']}"),
        y=alt.ExprRef(f"{inside} ? min({rows}) + 15 : scale('y', {_ROW} + 0.5)"),
    )
    return layers(star)


@cache
def mark_layers() -> Row:
    """Return the outline of the current design."""
    return layers(_outline(2.5))
