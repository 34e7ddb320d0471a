"""The Pareto chart: two metrics of every design of a sweep, and the Pareto frontier."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Literal

import altair as alt

from slimlm.charts.heatmap import as_line, by_knobs, count_designs, is_log, with_wide_heading
from slimlm.charts.heatmap_layers import DARK_RAMP, LIGHT_RAMP, SHAPE_IN_TOOLTIP, text_background
from slimlm.charts.layout import AxisScale, label_alignments, log_ticks, round_ticks
from slimlm.charts.palette import FAINT, INK, Shade
from slimlm.charts.theme import Figure, Row, figure, layers, text_layer, text_width
from slimlm.charts.tooltips import object_expression, spoken_expression
from slimlm.core.captions import RATIO_LINE
from slimlm.core.describe import counted
from slimlm.sweep.axis_values import label_value
from slimlm.sweep.describe import fixed_line, knob_name, mid_sentence, pair_label
from slimlm.sweep.grid import Sweep
from slimlm.sweep.metrics import Metric, Reports
from slimlm.sweep.pareto import Point, best_points, points_of

_HEIGHT_PX, _PLOT_PX, _LARGE = 420, 600, 1_500
_MOST_NAMED, _MOST_TICKS = 24, 7
_ACCENT_SHADE, _PALE_SHADE = Shade(LIGHT_RAMP[3], DARK_RAMP[3]), Shade(LIGHT_RAMP[2], DARK_RAMP[2])
_ACCENT = _ACCENT_SHADE.reference


def pareto_chart(sweep: Sweep, x: Metric, y: Metric, reports: Reports | None = None) -> Figure:
    """Show two metrics of every design, x horizontally and y vertically, and the Pareto frontier.

    Pareto-optimal points are solid, the others hollow; a cross is a design of an odd shape, which is not optimal. Where
    a metric has no better direction there is no frontier, and the subtitle says so. Labels give the values of the two
    swept knobs. The parameter "pick" selects a design and reports its index `i` among the sweep's cells.
    """
    points = points_of(sweep, x, y, reports)
    best = {point.place for point in best_points(sweep, points, x, y)}
    # Later rows cover earlier ones: the frontier and the current design come last.
    points.sort(key=lambda point: (point.place == sweep.in_use, point.place in best))
    axes = {"x": _axis([point.x for point in points], x), "y": _axis([point.y for point in points], y)}
    rows = [_row(sweep, point, x, y) | ({"best": 1} if point.place in best else {}) for point in points]
    named = [row for row in rows if "best" in row or row["i"] == sweep.in_use]
    _label(sweep, named, axes)
    line = sorted((row for row in rows if "best" in row), key=lambda row: row["a"])
    names = [knob_name(sweep, axis) for axis in (sweep.x, sweep.y)]
    chart = figure(
        ({"values": line}, _frontier_layers(x.better == "less")),
        ({"values": rows}, _point_layers((*names,), _titled(x), _titled(y), axes["x"].log, axes["y"].log)),
        ({"values": named}, _name_layers()),
        title=_title(sweep, x, y, points),
        subtitle=_subtitle(sweep, x, y, reports, points, len(best)),
        description=describe_pareto(sweep, x, y, reports),
        height=_HEIGHT_PX,
        values=_named_values(sweep, axes, len(points)),
    )
    return with_wide_heading(chart, upwards=axes["y"].ticks.values(), marks=len(points))


def describe_pareto(sweep: Sweep, x: Metric, y: Metric, reports: Reports | None = None) -> str:
    """Name the Pareto-optimal designs in one sentence, for screen readers."""
    points = points_of(sweep, x, y, reports)
    best = best_points(sweep, points, x, y)
    head = _title(sweep, x, y, points)
    if not best:
        return f"{head}: {_no_frontier(x, y) if points else 'nothing measured yet'}."
    labels = ", ".join(pair_label(sweep, point.place) for point in best[:_MOST_NAMED])
    more = f" and {len(best) - _MOST_NAMED:,} more" if len(best) > _MOST_NAMED else ""
    return f"{head}: Pareto-optimal are {labels}{more} ({by_knobs(sweep)})."


def _title(sweep: Sweep, x: Metric, y: Metric, points: Sequence[Point]) -> str:
    """Name both metrics and count the designs, distinct ones where the cells share some."""
    head = f"{y.name} against {mid_sentence(x.name)} of"
    shared = len({design.architecture for design in sweep.designs}) < len(sweep.designs)
    return (
        f"{head} {counted(len(points), 'distinct design')}" if shared and points else f"{head} {count_designs(sweep)}"
    )


def _no_frontier(x: Metric, y: Metric) -> str:
    if x.better and y.better:
        return "no Pareto frontier, because every shape is odd"
    without = [mid_sentence(metric.name) for metric in (x, y) if metric.better is None]
    verb = "has" if len(without) == 1 else "have"
    return f"no Pareto frontier, because {' and '.join(dict.fromkeys(without))} {verb} no better direction"


def _subtitle(
    sweep: Sweep, x: Metric, y: Metric, reports: Reports | None, points: Sequence[Point], best: int
) -> list[str]:
    said = f"solid: Pareto-optimal ({best:,})" if best else _no_frontier(x, y)
    odd = sum(bool(sweep.oddities[point.place]) for point in points)
    values = zip(sweep.figures(x, reports), sweep.figures(y, reports), strict=True)
    unknown = len(sweep.designs) - sum(across is not None and up is not None for across, up in values)
    measured = "not measured" if not sweep.earlier(reports or {}) else "not measured, or in an earlier run"
    remarks = [
        said if points else "nothing measured yet",
        "ring: current design" if sweep.in_use is not None else "",
        f"crosses: odd shapes, never optimal ({odd:,})" if odd else "",
        f"{measured}: {unknown:,}" if unknown else "",
    ]
    assumed = [f"{metric.name}: {said}." for metric in (x, y) if (said := sweep.explanation(metric, reports))]
    swept = "" if best else f"Swept: {by_knobs(sweep)}"
    lines = [*filter(None, [fixed_line(sweep), swept, as_line(remarks)]), *assumed]
    told = {sweep.x.name, sweep.y.name, x.key, y.key}
    return [*lines, RATIO_LINE] if {"embedding_ratio", "embedding_ratio_got"} & told else lines


def _titled(metric: Metric) -> str:
    return f"{metric.name} ({metric.direction})" if metric.direction else metric.name


def _axis(values: Sequence[float], metric: Metric) -> AxisScale:
    if not values:
        return AxisScale((0.0, 1.0), False, {})
    low, high = min(values), max(values)
    if is_log(low, high):
        room = (high / low) ** 0.04
        ends, ticks = (low / room, high * room), log_ticks(low, high, _MOST_TICKS)
    else:
        room = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
        ends, ticks = (low - room, high + room), round_ticks(low, high, _MOST_TICKS)
    return AxisScale(ends, is_log(low, high), {tick: metric.write(tick) for tick in ticks})


def _row(sweep: Sweep, point: Point, x: Metric, y: Metric) -> Row:
    design = sweep.cells[point.place].design
    assert design is not None
    d_model, d_ff, n_layers = design.dims
    metrics = {"a": point.x, "b": point.y, "s": x.write(point.x), "t": y.write(point.y)}
    odd = sweep.oddities[point.place]
    return {"i": point.place} | metrics | {"n": n_layers, "d": d_model, "f": d_ff} | ({"odd": odd} if odd else {})


def _label(sweep: Sweep, rows: list[Row], axes: Mapping[str, AxisScale]) -> None:
    """Label points without overlaps, the current design first, then from left to right."""
    rows.sort(key=lambda row: (row["i"] != sweep.in_use, row["a"]))
    rows[:] = rows[:_MOST_NAMED]
    spots = [(_PLOT_PX * axes["x"].share(row["a"]), _HEIGHT_PX * (1 - axes["y"].share(row["b"]))) for row in rows]
    labels = [pair_label(sweep, row["i"]) for row in rows]
    widths = [text_width(label, 13) for label in labels]
    sides = label_alignments(spots, widths, _PLOT_PX)
    for row, label, px, side in zip(rows, labels, widths, sides, strict=True):
        row.update(name=label if side else "", px=px, side=side or "left", used=int(row["i"] == sweep.in_use))


def _named_values(sweep: Sweep, axes: Mapping[str, AxisScale], count: int) -> Row:
    values: Row = {"columns": len(sweep.x.values), "dot": 100 if count <= 150 else 40 if count <= _LARGE else 14}
    for side, axis in (("x", sweep.x), ("y", sweep.y)):
        values |= {
            f"{side}_labels": [label_value(axis.name, value) for value in axis.values],
            f"{side}_ends": list(axes[side].ends),
            f"{side}_ticks": list(axes[side].ticks),
            f"{side}_tick_labels": list(axes[side].ticks.values()),
        }
    return values


@cache
def _frontier_layers(from_left: bool) -> Row:
    """Return the frontier as steps: between two designs, the one on the better side of x is the best known."""
    place = {"x": "scale('x', datum.a)", "y": "scale('y', datum.b)"}
    ends = {end: alt.value(alt.ExprRef(where)) for end, where in place.items()}
    step: Literal["step-after", "step-before"] = "step-after" if from_left else "step-before"
    line = alt.Chart().mark_line(stroke=_ACCENT, strokeWidth=1.5, opacity=0.6, interpolate=step)
    return layers(line.encode(**ends, order="a:Q"))


@lru_cache(maxsize=64)
def _point_layers(knobs: tuple[str, str], x_name: str, y_name: str, x_log: bool, y_log: bool) -> Row:
    dots = (
        alt.Chart()
        .mark_point(
            size=alt.ExprRef("datum.best ? max(dot, 45) : dot"),
            filled=True,
            opacity=1,
            shape=alt.ExprRef("datum.odd ? 'cross' : 'circle'"),
            # Opaque, because translucent points look solid where several overlap.
            fill=alt.ExprRef(f"datum.best ? ({_ACCENT_SHADE.expression}) : background"),
            stroke=alt.ExprRef(f"datum.best ? ({_ACCENT_SHADE.expression}) : ({_PALE_SHADE.expression})"),
            strokeWidth=alt.ExprRef("dot > 20 ? 1.2 : 0.8"),
            cursor="pointer",
            tooltip=alt.ExprRef(_tooltip(knobs, x_name, y_name, object_expression)),
            description=alt.ExprRef(_tooltip(knobs, x_name, y_name, spoken_expression)),
        )
        .encode(alt.X(**_position("x", "a", x_name, x_log)), alt.Y(**_position("y", "b", y_name, y_log)))
        .add_params(alt.selection_point(name="pick", fields=["i"]))
    )
    return layers(dots)


def _position(side: str, field: str, name: str, log: bool) -> Row:
    kind: Literal["log", "linear"] = "log" if log else "linear"
    return {
        "shorthand": f"{field}:Q",
        # Vega warns of any setting of zero on a log scale.
        "scale": alt.Scale(
            type=kind, domain=alt.ExprRef(f"{side}_ends"), nice=False, zero=alt.Undefined if log else False
        ),
        "axis": alt.Axis(
            title=name,
            values=alt.ExprRef(f"{side}_ticks"),
            labelExpr=f"{side}_tick_labels[indexof({side}_ticks, datum.value)]",
            labelOverlap="greedy",
            titlePadding=8,
            grid=True,
            gridColor=FAINT,
            gridOpacity=0.5,
            domain=False,
            ticks=False,
            labelPadding=6,
        ),
    }


def _tooltip(knobs: tuple[str, str], x_name: str, y_name: str, joined: Callable[[dict[str, str]], str]) -> str:
    targets = {knobs[0]: "x_labels[datum.i % columns]", knobs[1]: "y_labels[floor(datum.i / columns)]"}
    figures = targets | {x_name: "datum.s", y_name: "datum.t"} | SHAPE_IN_TOOLTIP
    return f"datum.odd ? {joined(figures | {'Odd shape': 'datum.odd'})} : {joined(figures)}"


@cache
def _name_layers() -> Row:
    x, y = "scale('x', datum.a)", "scale('y', datum.b)"
    ring = alt.Chart().mark_point(filled=False, size=260, stroke=INK, strokeWidth=1.6, opacity=1)
    ring = ring.encode(x=alt.value(alt.ExprRef(x)), y=alt.value(alt.ExprRef(y))).transform_filter("datum.used")
    start = f"{x} + (datum.side == 'left' ? 9 : -15 - datum.px)"
    background = text_background(start, f"{start} + 6 + datum.px", f"{y} - 8").transform_filter(
        "datum.name && dot < 100"
    )
    labels = text_layer(
        "datum.name",
        x=f"{x} + (datum.side == 'left' ? 12 : -12)",
        y=f"{y} - 8",
        align=alt.ExprRef("datum.side"),
        fontWeight=alt.ExprRef("datum.used ? 600 : 400"),
        fill=INK,
    )
    return layers(ring, background, labels)
