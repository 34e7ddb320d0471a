"""The parameters of each layer, for models whose layers differ."""

from functools import cache

import altair as alt

from slimlm.charts.components import COMPONENT_ENCODING, component_facts
from slimlm.charts.palette import INK, INK_SHADE, MUTED, PAGE
from slimlm.charts.theme import NARROW, Figure, Row, figure, layers, text_layer, text_width
from slimlm.core.captions import source_line
from slimlm.core.describe import counted
from slimlm.core.layered import LayeredModel
from slimlm.utils.formatting import format_count

MOST_COLUMNS = 200
"""Most layers that are drawn one by one."""

_LEGEND_PX, _PLOT_PX, _DOTS_PX = 46, 190, 18
_NARROW_COLUMN_PX = 140


def layer_columns_chart(model: LayeredModel) -> Figure:
    """Show one column for each layer, from input to output: its height is the layer's parameters, colour the component.

    A dot under a column says that the layer keeps keys and values while decoding, a ring that it keeps those of a
    window. Of models with more layers than `MOST_COLUMNS`, the first ones are drawn.
    """
    drawn = model.layers[:MOST_COLUMNS]
    rows = _rows(model, len(drawn))
    top = max(layer.params for layer in drawn)
    dots = [
        {"x": number + 0.5, "windowed": layer.window is not None}
        for number, layer in enumerate(drawn)
        if layer.cache_per_token
    ]
    first = f", of which the first {MOST_COLUMNS:,} are drawn" if model.n_layers > len(drawn) else ""
    reading = f"One column a layer{first} · height is parameters · a dot marks a layer with a KV cache"
    reading += ", a ring one of a window" if model.windows else ""
    return figure(
        ({"values": _legend(rows)}, _legend_layers()),
        ({"values": rows}, _column_layers()),
        ({"values": dots}, _dot_layers()),
        ({"values": [{"text": f"{format_count(top)} in the largest layer"}]}, _scale_layers()),
        title=model.title,
        subtitle=[source_line(model), reading],
        description=f"{counted(model.n_layers, 'layer')}: {model.order}; {model.cached_layers:,} with a KV cache.",
        height=_LEGEND_PX + _PLOT_PX + _DOTS_PX,
        values={"columns": len(drawn), "top": top},
    )


def _rows(model: LayeredModel, drawn: int) -> list[Row]:
    facts = {part.key: component_facts(part) for part in model.account.components}
    found = []
    for number, layer in enumerate(model.layers[:drawn]):
        start = 0
        for key in model.names:
            params = layer.params_of(key)
            if not params:
                continue
            row = {"x": number, "x2": number + 1, "start": start, "end": start + params}
            start += params
            exact = {"exact": f"{params:,}", "percent": f"layer {number + 1}: {layer.kind}"}
            found.append(facts[key] | exact | row)
    return found


def _legend(rows: list[Row]) -> list[Row]:
    """Return a square and a name for each component: side by side, or two in a line on a phone."""
    found: list[Row] = []
    x = 0.0
    for name, fill in {row["name"]: row["fill"] for row in rows}.items():
        row, column = divmod(len(found), 2)
        narrow = {"narrow_left": column * _NARROW_COLUMN_PX, "narrow_top": 8 + 20 * row}
        found.append({"name": name, "fill": fill, "left": x} | narrow)
        x += text_width(name, 13) + 36
    return found


@cache
def _legend_layers() -> Row:
    left, top = f"({NARROW} ? datum.narrow_left : datum.left)", f"{NARROW} ? datum.narrow_top : 8"
    place: Row = {"x": alt.ExprRef(f"{left} + 6"), "y": alt.ExprRef(top)}
    square = alt.Chart().mark_square(size=110, opacity=1, fill=alt.ExprRef("datum.fill"), **place)
    return layers(square, text_layer("datum.name", x=f"{left} + 18", y=top, fill=INK))


@cache
def _column_layers() -> Row:
    horizontal = alt.X(
        "x:Q",
        scale=alt.Scale(domain=alt.ExprRef("[0, columns]"), nice=False),
        axis=alt.Axis(title="layer", labels=False, ticks=False, domain=False, titlePadding=2),
    )
    vertical = alt.Y(
        "start:Q",
        scale=alt.Scale(
            domain=alt.ExprRef("[0, top]"), range=[_LEGEND_PX + _PLOT_PX, _LEGEND_PX], nice=False, zero=False
        ),
        axis=None,
    )
    tooltip = [
        alt.Tooltip("percent:N", title="Layer"),
        alt.Tooltip("name:N", title="Component"),
        alt.Tooltip("exact:N", title="Parameters"),
    ]
    columns = (
        alt.Chart()
        .mark_rect(stroke=PAGE, strokeWidth=1)
        .encode(horizontal, vertical, x2="x2", y2="end", **(COMPONENT_ENCODING | {"tooltip": tooltip}))
    )
    return layers(columns)


_DOT = f"datum.windowed ? background : ({INK_SHADE.expression})"


@cache
def _dot_layers() -> Row:
    place: Row = {"x": alt.ExprRef("scale('x', datum.x)"), "y": alt.ExprRef(f"{_LEGEND_PX + _PLOT_PX + 8}")}
    dot = alt.Chart().mark_point(
        filled=True, size=26, opacity=1, fill=alt.ExprRef(_DOT), stroke=INK, strokeWidth=1, **place
    )
    return layers(dot)


@cache
def _scale_layers() -> Row:
    return layers(text_layer(f"{NARROW} ? '' : datum.text", x="0", y="32", fill=MUTED))
