"""Layers of the chart of learning rates: panels, guide lines, parabolas, chosen rates, points and labels.

Rows hold places in units of tiles: `a` across and `b` upwards.
"""

from functools import cache, lru_cache

import altair as alt

from slimlm.charts.palette import BEST_SHADE, FAINT, INK, LINE_SHADE, MUTED, OFF_TARGET_TEXT, PAGE
from slimlm.charts.study_map_layers import tile_axes
from slimlm.charts.theme import Row, layers, text_layer


@lru_cache(maxsize=64)
def panel_layers(x_name: str, y_name: str) -> Row:
    """Return the panels of cells with their words."""
    x, y = tile_axes(x_name, y_name)
    panel = alt.Chart().mark_rect(
        fill=FAINT, fillOpacity=0.16, stroke=PAGE, strokeWidth=4, description=alt.ExprRef("datum.spoken")
    )
    words = text_layer(
        "datum.words",
        x="scale('x', datum.c) + 9",
        y="scale('y', datum.r2) + 15",
        fontSize=12,
        fontWeight=600,
        fill=alt.ExprRef(f"datum.warning ? ({OFF_TARGET_TEXT.expression}) : ({BEST_SHADE.expression})"),
        limit=alt.ExprRef("scale('x', datum.c2) - scale('x', datum.c) - 14"),
    )
    return layers(panel.encode(x, y, x2="c2", y2="r2"), words)


def _at(x: str = "a", y: str = "b") -> Row:
    """Return marks' places on the scales of the panels."""
    return {"x": alt.ExprRef(f"scale('x', datum.{x})"), "y": alt.ExprRef(f"scale('y', datum.{y})")}


@cache
def level_layers() -> Row:
    """Return the guide lines of losses with their labels."""
    ends = {"x": "datum.a", "x2": "datum.a2"}
    places: Row = {key: alt.value(alt.ExprRef(f"scale('x', {place})")) for key, place in ends.items()}
    line = alt.Chart().mark_rule(stroke=FAINT, opacity=0.6, strokeWidth=1)
    label = text_layer("datum.label", x="scale('x', datum.a2) + 6", y="scale('y', datum.b)", fontSize=11, fill=MUTED)
    return layers(line.encode(**places, y=alt.value(alt.ExprRef("scale('y', datum.b)"))), label)


@cache
def curve_layers() -> Row:
    """Return the parabolas."""
    line = alt.Chart().mark_line(stroke=LINE_SHADE.reference, strokeWidth=2, description="parabola")
    places: Row = {side: alt.value(place) for side, place in _at().items()}
    return layers(line.encode(**places, detail="key:N"))


@cache
def chosen_layers() -> Row:
    """Return the dashed lines of the rates that are trained with."""
    line = alt.Chart().mark_rule(
        stroke=BEST_SHADE.reference, strokeDash=[5, 4], strokeWidth=1.5, description=alt.ExprRef("datum.spoken")
    )
    ends = {"x": "scale('x', datum.a)", "y": "scale('y', datum.b)", "y2": "scale('y', datum.b2)"}
    places: Row = {side: alt.value(alt.ExprRef(place)) for side, place in ends.items()}
    return layers(line.encode(**places))


@lru_cache(maxsize=8)
def point_layers(unit: str) -> Row:
    """Return the losses of runs: circles, triangles above the plot, crosses of diverged runs."""
    titles = {"name": "Cell", "rate": "Learning rate", "shown": f"Loss, {unit}"}
    tooltip = [alt.Tooltip(f"{key}:N", title=title) for key, title in titles.items()]
    kind = "datum.kind == '{}' ? {} : {}"
    shape = kind.format("loss", "'circle'", kind.format("above", "'triangle-up'", "'cross'"))
    point = alt.Chart().mark_point(
        filled=True,
        size=alt.ExprRef("datum.kind == 'loss' ? 46 : 90"),
        opacity=1,
        shape=alt.ExprRef(shape),
        angle=alt.ExprRef("datum.kind == 'diverged' ? 45 : 0"),
        fill=alt.ExprRef(f"datum.kind == 'loss' ? background : ({LINE_SHADE.expression})"),
        stroke=alt.ExprRef(f"datum.kind == 'loss' ? ({LINE_SHADE.expression}) : background"),
        strokeWidth=alt.ExprRef("datum.kind == 'loss' ? 1.8 : 0.5"),
        **_at(),
    )
    return layers(point.encode(tooltip=tooltip))


@cache
def tick_layers() -> Row:
    """Return the labels of learning rates."""
    label = text_layer(
        "datum.label", x="scale('x', datum.a)", y="scale('y', datum.b) + 14", align="center", fontSize=11, fill=INK
    )
    return layers(label)
