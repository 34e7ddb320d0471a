"""Layers of the map of a study: tiles, their texts, the star of cells that may be best, and names of models.

Rows hold the edges of a tile in units of tiles: `c` and `c2` across, `r` and `r2` upwards.
"""

from functools import cache, lru_cache

import altair as alt

from slimlm.charts.heatmap_layers import DARK_RAMP, LIGHT_RAMP, STAR
from slimlm.charts.palette import FAINT, INK, INK_SHADE, MUTED, PAGE, Shade
from slimlm.charts.theme import Row, layers, text_layer

_LEFT, _RIGHT = "scale('x', datum.c)", "scale('x', datum.c2)"
_TOP, _BOTTOM = "scale('y', datum.r2)", "scale('y', datum.r)"
_CENTRE, _MIDDLE, _ROOM = f"({_LEFT} + {_RIGHT}) / 2", f"({_TOP} + {_BOTTOM}) / 2", f"({_RIGHT} - {_LEFT})"
_RANKED = "isValid(datum.u)"
_ON_TILE = alt.ExprRef(
    f"{_RANKED} ? (luminance(scale('color', datum.u)) > 0.179 ? '#000000' : '#FFFFFF') : ({INK_SHADE.expression})"
)


def _position(axis: str, name: str, bounds: str) -> Row:
    return {
        "shorthand": f"{bounds}:Q",
        "scale": alt.Scale(domain=alt.ExprRef(f"{axis}_ends"), nice=False, zero=False),
        "axis": alt.Axis(
            title=name,
            description=f"{axis}-axis: {name}",
            orient="top" if axis == "x" else "left",
            values=alt.ExprRef(f"{axis}_ticks"),
            labelExpr=f"{axis}_tick_labels[indexof({axis}_ticks, datum.value)]",
            domain=False,
            ticks=False,
            labelPadding=6,
            titlePadding=8,
            labelOverlap="greedy",
        ),
    }


def tile_axes(x_name: str, y_name: str) -> tuple[alt.X, alt.Y]:
    """Return the axes of tiles, with the values of the study's axes as labels."""
    return alt.X(**_position("x", x_name, "c")), alt.Y(**_position("y", y_name, "r"))


@lru_cache(maxsize=64)
def tile_layers(x_name: str, y_name: str) -> Row:
    """Return the tiles with tooltips, and the outline of the tile that the parameter "pick" selects."""
    pick = alt.selection_point(name="pick", fields=["i"])
    x, y = tile_axes(x_name, y_name)
    tiles = (
        alt.Chart()
        .mark_rect(
            invalid="show",
            stroke=PAGE,
            strokeWidth=2,
            cursor="pointer",
            tooltip=alt.ExprRef("datum.tip"),
            description=alt.ExprRef("datum.spoken"),
        )
        .encode(
            x,
            y,
            x2="c2",
            y2="r2",
            color=alt.condition(_RANKED, _shade(), alt.value(FAINT)),
            opacity=alt.condition(_RANKED, alt.value(1), alt.value(0.3)),
        )
        .add_params(pick)
    )
    edges = {"x": f"{_LEFT} + 2", "x2": f"{_RIGHT} - 2", "y": f"{_TOP} + 2", "y2": f"{_BOTTOM} - 2"}
    shape: Row = {edge: alt.ExprRef(place) for edge, place in edges.items()}
    outline = alt.Chart().mark_rect(filled=False, stroke=INK, strokeWidth=2, strokeDash=[4, 3], **shape)
    return layers(tiles, outline.transform_filter({"param": "pick", "empty": False}))


def _shade() -> alt.Color:
    steps = [step / (len(LIGHT_RAMP) - 1) for step in range(len(LIGHT_RAMP))]
    colors = [Shade(light, dark).reference for light, dark in zip(LIGHT_RAMP, DARK_RAMP, strict=True)]
    return alt.Color("u:Q", scale=alt.Scale(domain=steps, range=colors), legend=None)


def _fitting(words: str, largest: int) -> str:
    """Return the expression of a font size at which words fit their tile."""
    return f"min({largest}, ({_ROOM} - (datum.best ? 46 : 12)) / (0.56 * max(1, length({words}))))"


@cache
def tile_text_layers() -> Row:
    """Return the texts of the tiles: mean ± half-width, the difference from the lowest and the shape, or the reason."""
    long_enough = f"{_fitting('datum.value', 16)} >= 11"
    written = f"({long_enough} ? datum.value : datum.short)"
    value = text_layer(
        f"{_RANKED} && {_fitting('datum.short', 16)} >= 9 ? {written} : ''",
        x=_CENTRE,
        y=f"{_MIDDLE} - (lines == 3 ? 22 : lines == 2 ? 9 : 0)",
        align="center",
        fontSize=alt.ExprRef(_fitting(written, 16)),
        fontWeight=600,
        fill=_ON_TILE,
    )
    apart = text_layer(
        f"{_RANKED} && lines > 1 && {_fitting('datum.apart', 13)} >= 9 ? datum.apart : ''",
        x=_CENTRE,
        y=f"{_MIDDLE} + (lines == 3 ? 1 : 11)",
        align="center",
        fontSize=alt.ExprRef(_fitting("datum.apart", 13)),
        fill=_ON_TILE,
    )
    shape = text_layer(
        f"lines == 3 && {_fitting('datum.shape', 12)} >= 9 ? datum.shape : ''",
        x=_CENTRE,
        y=f"{_MIDDLE} + 23",
        align="center",
        fontSize=alt.ExprRef(_fitting("datum.shape", 12)),
        fill=_ON_TILE,
        opacity=0.85,
    )
    why = text_layer(
        f"{_RANKED} || {_ROOM} < 70 ? '' : datum.why",
        x=_CENTRE,
        y=f"{_MIDDLE} - (lines == 3 ? 10 : 0) - 8 * (length(datum.why) - 1)",
        align="center",
        fontSize=12,
        lineHeight=16,
        fontWeight=600,
        fill=INK,
    )
    behind = alt.Chart().mark_rect(
        fill=PAGE,
        opacity=0.92,
        cornerRadius=3,
        x=alt.ExprRef(f"max({_LEFT} + 4, {_CENTRE} - datum.half)"),
        x2=alt.ExprRef(f"min({_RIGHT} - 4, {_CENTRE} + datum.half)"),
        y=alt.ExprRef(f"max({_TOP} + 6, {_MIDDLE} - (lines == 3 ? 36 : 14))"),
        y2=alt.ExprRef(f"min({_BOTTOM} - 6, {_MIDDLE} + (lines == 3 ? 36 : 14))"),
    )
    return layers(behind.transform_filter(f"!{_RANKED}"), value, apart, shape, why)


@cache
def star_layers() -> Row:
    """Return the star of each cell that may be best, in its upper right corner."""
    star = alt.Chart().mark_point(
        filled=True,
        shape=STAR,
        size=190,
        fill=_ON_TILE,
        stroke=None,
        opacity=1,
        x=alt.ExprRef(f"{_RIGHT} - 16"),
        y=alt.ExprRef(f"{_TOP} + 15"),
    )
    return layers(star)


@cache
def model_name_layers() -> Row:
    """Return the name above each model beside the grid, cut at the width of its tile."""
    room = alt.ExprRef(f"0.9 * {_ROOM} - 6")
    name = text_layer(
        "datum.name",
        x=f"{_LEFT} + 2",
        y=f"{_TOP} - 11",
        fontSize=12,
        fill=MUTED,
        limit=room,
    )
    return layers(name)
