"""The trade-off chart: how far designs with the same target total deviate from the other targets."""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import altair as alt

from slimlm.charts.layout import label_alignments
from slimlm.charts.palette import FAINT, INK
from slimlm.charts.theme import Figure, Row, figure, layers, text_layer, text_width
from slimlm.core.captions import RATIO_LINE, request_line, target_name, target_texts
from slimlm.core.describe import counted
from slimlm.core.design import OFF_TARGET, Design
from slimlm.solver.alternatives import Alternative
from slimlm.utils.formatting import format_miss

_TRADEOFF_PX, _PLOT_PX, _LINEAR = 320, 600, 0.02
_TICKS = [0.0, *(sign * tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100) for sign in (-1, 1))]


class TradeoffPoint(NamedTuple):
    """A design for a request: its label, the design, and whether it is the current one."""

    label: str
    design: Design
    chosen: bool = False


def tradeoff_points(design: Design, others: Iterable[Alternative]) -> list[TradeoffPoint]:
    """Return a design and its alternatives as points; the design comes first and is chosen."""
    return [
        TradeoffPoint("current design", design, True),
        *(TradeoffPoint(other.change, other.design) for other in others),
    ]


def tradeoff_chart(points: Sequence[TradeoffPoint]) -> Figure:
    """Show how far each design deviates from the targets of embedding ratio and expansion, on symmetric log scales.

    The horizontal position encodes the deviation of the embedding ratio, the vertical position that of the expansion.
    Inside the shaded area neither is off target. The chosen design is filled. The parameter "pick" selects a point and
    reports its `index` among the points and its `label`.

    Raises ValueError when there is no point.
    """
    if not points:
        raise ValueError(f"points={points!r} is empty: at least one design would work")
    chosen = next((point for point in points if point.chosen), points[0])
    _, shape, expansion = target_texts(chosen.design)
    rows = [_point_row(index, point) for index, point in enumerate(points)]
    reach = {knob: 1.3 * max(0.04, *(abs(row[knob]) for row in rows)) for knob in ("ratio", "expansion")}
    _label_where_free(rows, reach)
    rows.sort(key=lambda row: row["chosen"])  # later rows cover earlier ones
    ticks = {
        f"{knob}_ticks": [tick for tick in _TICKS if not tick or end / 25 <= abs(tick) <= end]
        for knob, end in reach.items()
    }
    return figure(
        ({"values": [{}]}, _field_layers()),
        ({"values": rows}, _point_layers(shape.label, expansion.label)),
        title=f"Deviation from the targets: {counted(len(points), 'design')} for one request",
        subtitle=[
            request_line(chosen.design.config),
            f"Filled: {chosen.label} · {chosen.design.title}",
            f"Shaded: within {100 * OFF_TARGET:g} % of both targets · axes are logarithmic beyond ±{100 * _LINEAR:g} %",
            *([] if chosen.design.shape_leads else [RATIO_LINE]),
        ],
        description=_describe_tradeoff(points, chosen),
        height=_TRADEOFF_PX,
        axis_px=60,
        values=ticks | {f"{knob}_reach": end for knob, end in reach.items()},
    )


def _describe_tradeoff(points: Sequence[TradeoffPoint], chosen: TradeoffPoint) -> str:
    config, (_, *knobs) = chosen.design.config, chosen.design.targets
    misses = (f"{target_name(config, knob)} {format_miss(knob.miss)}" for knob in knobs)
    return f"{counted(len(points), 'design')} by deviation from the targets; {chosen.label}: {', '.join(misses)}."


def _point_row(index: int, point: TradeoffPoint) -> Row:
    arch, (total, ratio, expansion) = point.design.architecture, point.design.targets
    return {
        "index": index,
        "label": point.label,
        "chosen": point.chosen,
        "ratio": ratio.miss,
        "expansion": expansion.miss,
        "total": f"{total.actual:,} ({format_miss(total.miss)})",
        "actual_ratio": f"{ratio.actual:.4f} ({format_miss(ratio.miss)})",
        "actual_expansion": f"{expansion.actual:.3f} ({format_miss(expansion.miss)})",
        "d_model": arch.d_model,
        "d_ff": arch.d_ff,
        "n_layers": arch.n_layers,
        "n_heads": arch.n_heads,
        "name": "",
        "side": "left",
    }


def _label_where_free(rows: list[Row], reach: Row) -> None:
    """Label the points whose label overlaps no other label or point, the chosen one first; the rest have tooltips."""
    chosen_first = sorted(range(len(rows)), key=lambda index: not rows[index]["chosen"])
    dots, widths = [_pixels(row, reach) for row in rows], [text_width(row["label"], 13) for row in rows]
    for row, side in zip(rows, label_alignments(dots, widths, _PLOT_PX, chosen_first), strict=True):
        if side:
            row |= {"name": row["label"], "side": side}


def _pixels(row: Row, reach: Row) -> tuple[float, float]:
    """Return about where a point lies in a narrow figure: labels that do not overlap there never overlap."""

    def symlog(value: float) -> float:
        return math.copysign(math.log1p(abs(value) / _LINEAR), value)

    across, up = (symlog(row[knob]) / symlog(end) for knob, end in reach.items())
    return _PLOT_PX / 2 * (1 + across), _TRADEOFF_PX / 2 * (1 - up)


def _deviation(knob: str, title: str) -> Row:
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
def _point_layers(shape: str, expansion: str) -> Row:
    x, y = (
        alt.X(**_deviation("ratio", f"{shape}, deviation from target")),
        alt.Y(**_deviation("expansion", f"{expansion}, deviation from target")),
    )
    names = {"label": "Design", "total": "Parameters", "actual_ratio": shape, "actual_expansion": expansion}
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
        f"width < {0.8 * _PLOT_PX:g} ? '' : datum.name",  # labels are placed for a plot of about this width
        x="scale('x', datum.ratio) + (datum.side == 'left' ? 12 : -12)",
        y="scale('y', datum.expansion) - 8",
        align=alt.ExprRef("datum.side"),
        fontWeight=alt.ExprRef("datum.chosen ? 600 : 400"),
        fill=INK,
    )
    return layers(dots, labels)
