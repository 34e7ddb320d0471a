"""The Pareto chart: two metrics of every design of a sweep, and the Pareto frontier."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal, NamedTuple

import altair as alt

from slimlm.charts.heatmap import as_line, by_knobs, count_designs, is_log, with_wide_heading
from slimlm.charts.heatmap_layers import DARK_RAMP, LIGHT_RAMP, SHAPE_IN_TOOLTIP, object_expression, text_background
from slimlm.charts.layout import label_alignments, log_ticks, round_ticks
from slimlm.charts.palette import FAINT, INK, Shade
from slimlm.charts.theme import Figure, Row, figure, layers, text_layer, text_width
from slimlm.core.captions import RATIO_LINE
from slimlm.core.describe import counted
from slimlm.sweep.axis_values import label_value
from slimlm.sweep.describe import fixed_line, knob_name, mid_sentence, pair_label
from slimlm.sweep.grid import Sweep
from slimlm.sweep.metrics import Metric, Reports

_HEIGHT_PX, _PLOT_PX, _LARGE = 420, 600, 1_500
_MOST_NAMED, _MOST_TICKS = 24, 7
_ACCENT = Shade(LIGHT_RAMP[3], DARK_RAMP[3]).reference


class Point(NamedTuple):
    """The two metrics of a design."""

    place: int
    """Its index among the sweep's cells."""
    x: float
    y: float


def points_of(sweep: Sweep, x: Metric, y: Metric, reports: Reports | None = None) -> list[Point]:
    """Return the designs for which both metrics are known."""
    values = zip(sweep.figures(x, reports), sweep.figures(y, reports), strict=True)
    return [
        Point(place, across, up) for place, (across, up) in enumerate(values) if across is not None and up is not None
    ]


def frontier(points: Sequence[Point], x: Metric, y: Metric) -> list[Point]:
    """Return the Pareto-optimal points in the order of x.

    A point is Pareto-optimal if no other dominates it: is as good in both metrics and better in one. Duplicates do not
    dominate each other; the first is kept. There is no frontier where a metric has no better direction.
    """
    if x.better is None or y.better is None:
        return []
    toward_x, toward_y = (1 if metric.better == "less" else -1 for metric in (x, y))
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (toward_x * point.x, toward_y * point.y, point.place)):
        if not kept or toward_y * point.y < toward_y * kept[-1].y:
            kept.append(point)
    return sorted(kept, key=lambda point: point.x)


def pareto_chart(sweep: Sweep, x: Metric, y: Metric, reports: Reports | None = None) -> Figure:
    """Show two metrics of every design, x horizontally and y vertically, and the Pareto frontier.

    Where a metric has no better direction there is no frontier, and the subtitle says so. Labels give the values of the
    two swept knobs. The parameter "pick" selects a design and reports its index `i` among the sweep's cells.
    """
    points = points_of(sweep, x, y, reports)
    best = {point.place for point in frontier(points, x, y)}
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
        title=f"{y.name} against {mid_sentence(x.name)} of {count_designs(sweep)}",
        subtitle=_subtitle(sweep, x, y, reports, len(points), len(best)),
        description=describe_pareto(sweep, x, y, reports),
        height=_HEIGHT_PX,
        values=_named_values(sweep, axes, len(points)),
    )
    return with_wide_heading(chart, upwards=axes["y"].ticks.values(), marks=len(points))


def describe_pareto(sweep: Sweep, x: Metric, y: Metric, reports: Reports | None = None) -> str:
    """Name the Pareto-optimal designs in one sentence, for screen readers."""
    points = points_of(sweep, x, y, reports)
    best = frontier(points, x, y)
    head = f"{y.name} against {mid_sentence(x.name)} of {count_designs(sweep)}"
    if not best:
        return f"{head}: {_no_frontier(x, y) if points else 'nothing measured yet'}."
    labels = ", ".join(pair_label(sweep, point.place) for point in best[:_MOST_NAMED])
    more = f" and {len(best) - _MOST_NAMED:,} more" if len(best) > _MOST_NAMED else ""
    return f"{head}: Pareto-optimal are {labels}{more} ({by_knobs(sweep)})."


def _no_frontier(x: Metric, y: Metric) -> str:
    without = [mid_sentence(metric.name) for metric in (x, y) if metric.better is None]
    verb = "has" if len(without) == 1 else "have"
    return f"no Pareto frontier, because {' and '.join(dict.fromkeys(without))} {verb} no better direction"


def _subtitle(sweep: Sweep, x: Metric, y: Metric, reports: Reports | None, known: int, best: int) -> list[str]:
    said = f"filled: {counted(best, 'Pareto-optimal design')}" if best else _no_frontier(x, y)
    remarks = [
        said if known else "nothing measured yet",
        "circled: current design" if sweep.in_use is not None else "",
        f"not measured: {len(sweep.designs) - known:,}" if known < len(sweep.designs) else "",
    ]
    varied = f"{'Labels' if best else 'Swept'}: {by_knobs(sweep)}"
    assumed = [f"{metric.name}: {said}." for metric in (x, y) if (said := sweep.explanation(metric, reports))]
    lines = [fixed_line(sweep), varied, as_line(remarks), *assumed]
    told = {sweep.x.name, sweep.y.name, x.key, y.key}
    return [*lines, RATIO_LINE] if {"embedding_ratio", "embedding_ratio_got"} & told else lines


def _titled(metric: Metric) -> str:
    return f"{metric.name} ({metric.direction})" if metric.direction else metric.name


@dataclass(frozen=True)
class _Scale:
    """One axis: its ends, whether it is logarithmic, and its ticks with their labels."""

    ends: tuple[float, float]
    log: bool
    ticks: dict[float, str]

    def share(self, value: float) -> float:
        """Return the position of a value along the axis: 0 at its start, 1 at its end."""
        low, high, at = (math.log(v) for v in (*self.ends, value)) if self.log else (*self.ends, value)
        return (at - low) / (high - low)


def _axis(values: Sequence[float], metric: Metric) -> _Scale:
    if not values:
        return _Scale((0.0, 1.0), False, {})
    low, high = min(values), max(values)
    if is_log(low, high):
        room = (high / low) ** 0.04
        ends, ticks = (low / room, high * room), log_ticks(low, high, _MOST_TICKS)
    else:
        room = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
        ends, ticks = (low - room, high + room), round_ticks(low, high, _MOST_TICKS)
    return _Scale(ends, is_log(low, high), {tick: metric.write(tick) for tick in ticks})


def _row(sweep: Sweep, point: Point, x: Metric, y: Metric) -> Row:
    design = sweep.cells[point.place].design
    assert design is not None
    d_model, d_ff, n_layers = design.dims
    metrics = {"a": point.x, "b": point.y, "s": x.write(point.x), "t": y.write(point.y)}
    return {"i": point.place} | metrics | {"n": n_layers, "d": d_model, "f": d_ff}


def _label(sweep: Sweep, rows: list[Row], axes: Mapping[str, _Scale]) -> None:
    """Label points without overlaps, the current design first, then from left to right."""
    rows.sort(key=lambda row: (row["i"] != sweep.in_use, row["a"]))
    rows[:] = rows[:_MOST_NAMED]
    spots = [(_PLOT_PX * axes["x"].share(row["a"]), _HEIGHT_PX * (1 - axes["y"].share(row["b"]))) for row in rows]
    labels = [pair_label(sweep, row["i"]) for row in rows]
    widths = [text_width(label, 13) for label in labels]
    sides = label_alignments(spots, widths, _PLOT_PX)
    for row, label, px, side in zip(rows, labels, widths, sides, strict=True):
        row.update(name=label if side else "", px=px, side=side or "left", used=int(row["i"] == sweep.in_use))


def _named_values(sweep: Sweep, axes: Mapping[str, _Scale], count: int) -> Row:
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
            stroke=_ACCENT,
            strokeWidth=alt.ExprRef("datum.best || dot > 20 ? 1.2 : 0"),
            fill=_ACCENT,
            fillOpacity=alt.ExprRef("datum.best ? 1 : dot > 20 ? 0.15 : 0.3"),
            cursor="pointer",
            tooltip=alt.ExprRef(_tooltip(knobs, x_name, y_name)),
        )
        .encode(alt.X(**_position("x", "a", x_name, x_log)), alt.Y(**_position("y", "b", y_name, y_log)))
        .add_params(alt.selection_point(name="pick", fields=["i"]))
    )
    return layers(dots)


def _position(side: str, field: str, name: str, log: bool) -> Row:
    kind: Literal["log", "linear"] = "log" if log else "linear"
    return {
        "shorthand": f"{field}:Q",
        "scale": alt.Scale(type=kind, domain=alt.ExprRef(f"{side}_ends"), nice=False, zero=False),
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


def _tooltip(knobs: tuple[str, str], x_name: str, y_name: str) -> str:
    targets = {knobs[0]: "x_labels[datum.i % columns]", knobs[1]: "y_labels[floor(datum.i / columns)]"}
    return object_expression(targets | {x_name: "datum.s", y_name: "datum.t"} | SHAPE_IN_TOOLTIP)


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
