"""The trade-off chart: the designs that meet a total, by what each misses."""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import altair as alt

from slimlm.charts.layout import free_sides
from slimlm.charts.palette import FAINT, INK
from slimlm.charts.theme import Figure, Row, figure, layers, text_layer, text_width
from slimlm.core.captions import RATIO_LINE, request_line
from slimlm.core.describe import expansion_name
from slimlm.core.design import OFF_TARGET, Design
from slimlm.solver.alternatives import Alternative
from slimlm.utils.formatting import format_miss

_TRADEOFF_PX, _PLOT_PX, _LINEAR = 320, 600, 0.02
_TICKS = [0.0, *(sign * tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100) for sign in (-1, 1))]


class TradeoffPoint(NamedTuple):
    """One way to meet a request: what to call it, the design, and whether it is the one in use."""

    label: str
    design: Design
    chosen: bool = False


def tradeoff_points(design: Design, others: Iterable[Alternative]) -> list[TradeoffPoint]:
    """Return a design and its alternatives as points, the design first and chosen."""
    return [
        TradeoffPoint("as requested", design, True),
        *(TradeoffPoint(other.change, other.design) for other in others),
    ]


def tradeoff_chart(points: Sequence[TradeoffPoint]) -> Figure:
    """Show what other designs miss: a point in the middle meets ratio and expansion exactly.

    The horizontal position encodes the miss of the embedding ratio, the vertical one that of the expansion; inside the
    shaded field neither knob is off target; the chosen design is filled. The parameter "pick" selects a point and
    reports its `index` among the points and its `label`. Raises ValueError when there is no point.
    """
    if not points:
        raise ValueError(f"points={points!r} is empty: there is nothing to draw; give at least the chosen design")
    chosen = next((point for point in points if point.chosen), points[0])
    expansion = expansion_name(chosen.design.config)
    rows = [_point_row(index, point) for index, point in enumerate(points)]
    reach = {knob: 1.3 * max(0.04, *(abs(row[knob]) for row in rows)) for knob in ("ratio", "expansion")}
    _label_where_free(rows, reach)
    ticks = {
        f"{knob}_ticks": [tick for tick in _TICKS if not tick or end / 25 <= abs(tick) <= end]
        for knob, end in reach.items()
    }
    return figure(
        ({"values": [{}]}, _field_layers()),
        ({"values": rows}, _point_layers(expansion)),
        title=f"{len(points):,} design{'s' if len(points) > 1 else ''} for one request, by what each misses",
        subtitle=[request_line(chosen.design.config), f"Chosen: {chosen.label} · {chosen.design.title}", RATIO_LINE],
        description=_describe_tradeoff(points, chosen),
        height=_TRADEOFF_PX,
        values=ticks | {f"{knob}_reach": end for knob, end in reach.items()},
    )


def _describe_tradeoff(points: Sequence[TradeoffPoint], chosen: TradeoffPoint) -> str:
    _, ratio, expansion = chosen.design.targets
    return (
        f"{len(points):,} designs by their misses; the chosen one, {chosen.label}, misses the embedding ratio by "
        f"{format_miss(ratio.miss)} and the {expansion_name(chosen.design.config)} by {format_miss(expansion.miss)}."
    )


def _point_row(index: int, point: TradeoffPoint) -> Row:
    arch, (total, ratio, expansion) = point.design.architecture, point.design.targets
    return {
        "index": index,
        "label": point.label,
        "chosen": point.chosen,
        "ratio": ratio.miss,
        "expansion": expansion.miss,
        "total": f"{point.design.total_params:,} ({format_miss(total.miss)})",
        "ratio_got": f"{ratio.actual:.4f} ({format_miss(ratio.miss)})",
        "expansion_got": f"{expansion.actual:.3f} ({format_miss(expansion.miss)})",
        "d_model": arch.d_model,
        "d_ff": arch.d_ff,
        "n_layers": arch.n_layers,
        "n_heads": arch.n_heads,
        "name": "",
        "side": "left",
    }


def _label_where_free(rows: list[Row], reach: Row) -> None:
    """Name the points whose label covers no other label or point, the chosen one first; the rest have tooltips."""
    chosen_first = sorted(range(len(rows)), key=lambda index: not rows[index]["chosen"])
    dots, widths = [_pixels(row, reach) for row in rows], [text_width(row["label"], 13) for row in rows]
    for row, side in zip(rows, free_sides(dots, widths, _PLOT_PX, chosen_first), strict=True):
        if side:
            row |= {"name": row["label"], "side": side}


def _pixels(row: Row, reach: Row) -> tuple[float, float]:
    """Return about where a point lies in a narrow figure: what is apart there is apart in a wide one."""

    def symlog(value: float) -> float:
        return math.copysign(math.log1p(abs(value) / _LINEAR), value)

    across, up = (symlog(row[knob]) / symlog(end) for knob, end in reach.items())
    return _PLOT_PX / 2 * (1 + across), _TRADEOFF_PX / 2 * (1 - up)


def _miss(knob: str, title: str) -> Row:
    written = "datum.value == 0 ? 'on target' : replace(format(100 * datum.value, '+~r'), '-', '−') + ' %'"
    ends = [alt.ExprRef(f"-{knob}_reach"), alt.ExprRef(f"{knob}_reach")]
    ticks = alt.ExprRef(f"{knob}_ticks")
    return {
        "field": knob,
        "type": "quantitative",
        "scale": alt.Scale(type="symlog", constant=_LINEAR, domain=ends, nice=False, zero=False),
        "axis": alt.Axis(
            title=title,
            values=ticks,
            labelExpr=written,
            labelOverlap="greedy",
            labelSeparation=6,
            domain=False,
            titlePadding=8,
        ),
    }


@cache
def _field_layers() -> Row:
    def edge(axis: str, side: str, knob: str) -> alt.ExprRef:
        return alt.ExprRef(f"scale('{axis}', {side}min({OFF_TARGET}, {knob}_reach))")

    field = alt.Chart().mark_rect(
        fill=FAINT,
        opacity=0.22,
        x=edge("x", "-", "ratio"),
        x2=edge("x", "", "ratio"),
        y=edge("y", "", "expansion"),
        y2=edge("y", "-", "expansion"),
    )
    across = alt.Chart().mark_rule(color=FAINT, y=alt.ExprRef("scale('y', 0)"))
    upwards = alt.Chart().mark_rule(color=FAINT, x=alt.ExprRef("scale('x', 0)"))
    cross = across.encode(x=alt.value(0), x2=alt.value("width")), upwards.encode(y=alt.value(0), y2=alt.value("height"))
    return layers(field, *cross)


@cache
def _point_layers(expansion: str) -> Row:
    x, y = (
        alt.X(**_miss("ratio", f"Miss of the embedding ratio (shaded: at most {OFF_TARGET:.0%})".replace("%", " %"))),
        alt.Y(**_miss("expansion", f"Miss of the {expansion}")),
    )
    names = {"label": "Design", "total": "Parameters", "ratio_got": "Embedding ratio", "expansion_got": expansion}
    tooltip = [alt.Tooltip(f"{key}:N", title=title) for key, title in names.items()]
    tooltip += [alt.Tooltip(f"{key}:Q", title=key, format=",") for key in ("d_model", "d_ff", "n_layers", "n_heads")]
    dots = (
        alt.Chart()
        .mark_point(
            size=110,
            strokeWidth=1.6,
            stroke=INK,
            fill=INK,
            fillOpacity=alt.ExprRef("datum.chosen ? 1 : 0.12"),
            cursor="pointer",
        )
        .encode(x, y, tooltip=tooltip)
        .add_params(alt.selection_point(name="pick", fields=["index", "label"]))
    )
    labels = text_layer(
        "datum.name",
        x="scale('x', datum.ratio) + (datum.side == 'left' ? 12 : -12)",
        y="scale('y', datum.expansion) - 8",
        align=alt.ExprRef("datum.side"),
        fontWeight=alt.ExprRef("datum.chosen ? 600 : 400"),
        fill=INK,
    )
    return layers(dots, labels)
