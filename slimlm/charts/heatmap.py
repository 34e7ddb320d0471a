"""The heat map: one metric of every design of a sweep, in a grid of cells."""

import math
from collections.abc import Iterable, Iterator, Sequence

from slimlm.charts.heatmap_layers import (
    NO_MODEL,
    best_layers,
    cell_layers,
    hatch_layers,
    hatching,
    label_layers,
    mark_layers,
    odd_hatching,
)
from slimlm.charts.layout import interpolated_index, log_ticks, round_ticks
from slimlm.charts.theme import Figure, Row, figure, text_width
from slimlm.core.captions import RATIO_LINE
from slimlm.core.describe import counted
from slimlm.sweep.axis_values import label_value
from slimlm.sweep.best import best_cell, best_line, best_name
from slimlm.sweep.describe import fixed_line, knob_name, mid_sentence, pair_label, spans_line
from slimlm.sweep.grid import Axis, Cell, Sweep
from slimlm.sweep.metrics import Metric, Reports

_NARROWEST_PX, _LOG_FROM = 560, 5
_LEAST_HEIGHT, _MOST_HEIGHT, _ROW_PX = 180, 420, 76
_VALUE_SIZES = (15, 13, 12, 11)
_MOST_SVG, _MOST_HATCHED = 1_500, 600


def heat_map(sweep: Sweep, metric: Metric, reports: Reports | None = None) -> Figure:
    """Show one metric of every design of a sweep: columns are the values of x, rows those of y.

    Darkness (on a dark page, lightness) encodes the metric, and the cell shows its value where it fits. A cell without
    a design is hatched in grey and one of an odd shape in the ink of its label; both give the reason in the tooltip. A
    star marks the best cell, an outline the current design. The parameter "pick" selects a cell and reports its index
    `i` among the sweep's cells.
    """
    values = sweep.figures(metric, reports)
    rows = _rows(sweep, metric, values, reports or {})
    height = min(max(_ROW_PX * len(sweep.y.values), _LEAST_HEIGHT), _MOST_HEIGHT)
    size, two_lines = _value_size(sweep, rows, height), height >= 44 * len(sweep.y.values)
    labelled = size > 0
    names = [knob_name(sweep, axis) for axis in (sweep.x, sweep.y)]
    groups = [({"values": rows}, cell_layers(*names, metric.name, not labelled))]
    if 0 < sweep.without_design <= _MOST_HATCHED:
        groups.append(({"values": hatching(_without_design(sweep))}, hatch_layers(odd=False)))
    if odd := [_column_row(sweep, place) for place, text in enumerate(sweep.oddities) if text]:
        groups.append(({"values": odd_hatching(odd, _MOST_HATCHED)}, hatch_layers(odd=True)))
    if labelled:
        groups.append(({"values": rows}, label_layers()))
    if best := best_cell(sweep, metric, reports):
        groups.append(({"values": [rows[best.place]]}, best_layers()))
    if sweep.in_use is not None:
        groups.append(({"values": [rows[sweep.in_use]]}, mark_layers()))
    chart = figure(
        *groups,
        title=f"{metric.name} of {count_designs(sweep)}, by {by_knobs(sweep)}",
        subtitle=_subtitle(sweep, metric, reports, values, labelled and two_lines),
        description=describe_heat_map(sweep, metric, reports),
        height=height,
        values=_named_values(sweep, metric, values, height) | {"value_size": size, "two_lines": two_lines},
    )
    return with_wide_heading(
        chart, upwards=[label_value(sweep.y.name, value) for value in sweep.y.values], marks=len(rows)
    )


def describe_heat_map(sweep: Sweep, metric: Metric, reports: Reports | None = None) -> str:
    """Describe the smallest and the largest value of a metric and the best cell, for screen readers."""
    values = sweep.figures(metric, reports)
    found = [(value, place) for place, value in enumerate(values) if value is not None]
    head = f"{metric.name} of {count_designs(sweep)} by {by_knobs(sweep)}"
    if not found:
        return f"{head}: nothing measured yet." if sweep.designs else f"{head}."
    ends = (min(found), max(found))
    low, high = (f"{metric.write(value)} at {pair_label(sweep, place, named=True)}" for value, place in ends)
    return f"{head}: from {low} to {high}. {best_line(sweep, metric, reports)}".strip()


def count_designs(sweep: Sweep) -> str:
    """Return the number of designs of a sweep as text."""
    return counted(len(sweep.designs), "design")


def by_knobs(sweep: Sweep) -> str:
    """Name the two knobs of a sweep inside a sentence."""
    return " and ".join(mid_sentence(knob_name(sweep, axis)) for axis in (sweep.x, sweep.y))


def _subtitle(
    sweep: Sweep, metric: Metric, reports: Reports | None, values: Sequence[float | None], shapes: bool
) -> list[str]:
    best, odd = best_cell(sweep, metric, reports), sum(map(bool, sweep.oddities))
    remarks = [
        metric.direction,
        f"star: {best_name(metric).lower()} ({metric.write(best.value)})" if best else "",
        "outlined: current design" if sweep.in_use is not None else "",
        "below the value: layers × d_model" if shapes else "",
        f"hatched: odd shape ({odd:,}, reason in the tooltip)" if odd else "",
        f"grey: no model meets the request ({sweep.without_design:,})" if sweep.without_design else "",
        *(_unmeasured(sweep, values, reports or {}) if metric.measured else ()),
    ]
    spans = "" if shapes else spans_line(sweep)
    lines = [*filter(None, [fixed_line(sweep), spans, as_line(remarks)])]
    if assumption := sweep.explanation(metric, reports):
        lines.append(f"{metric.name}: {assumption}.")
    return (
        [*lines, RATIO_LINE]
        if {"embedding_ratio", "embedding_ratio_got"} & {sweep.x.name, sweep.y.name, metric.key}
        else lines
    )


def as_line(remarks: Iterable[str]) -> str:
    """Join the remarks that are not empty, with a capital at the start."""
    line = " · ".join(filter(None, remarks))
    return f"{line[:1].upper()}{line[1:]}"


def _without_design(sweep: Sweep) -> Iterator[tuple[int, int]]:
    """Yield column and row of each cell without a design."""
    return (_column_row(sweep, place) for place, cell in enumerate(sweep.cells) if not cell.design)


def _column_row(sweep: Sweep, place: int) -> tuple[int, int]:
    row, column = divmod(place, len(sweep.x.values))
    return column, row


def _unmeasured(sweep: Sweep, values: Sequence[float | None], reports: Reports) -> Iterator[str]:
    """Count the designs that were measured in an earlier run, and those that were not measured at all."""
    earlier = sweep.earlier(reports)
    old = sum(cell.design.architecture in earlier for cell in sweep.cells if cell.design)
    if old:
        yield f"without shade: measured earlier, not comparable ({old:,})"
    if missing := len(sweep.designs) - old - sum(value is not None for value in values):
        yield f"not measured: {missing:,}"


def _rows(sweep: Sweep, metric: Metric, values: Sequence[float | None], reports: Reports) -> list[Row]:
    known = [value for value in values if value is not None]
    shades = _shades(known, metric)
    rows = []
    cells = zip(sweep.cells, values, sweep.causes, sweep.oddities, strict=True)
    numbers = {odd: number for number, odd in enumerate(_distinct_oddities(sweep), start=1)}
    for place, (cell, value, cause, odd) in enumerate(cells):
        row: Row = {"i": place}
        row |= _design_row(cell) if cell.design else {"why": cause}
        row |= {"odd": numbers[odd]} if odd else {}
        row |= _measured_row(sweep, place, metric, reports) if metric.measured or metric.of_quartiles else {}
        rows.append(row if value is None else row | {"t": metric.write(value), "u": shades[value]} | row)
    return rows


def _measured_row(sweep: Sweep, place: int, metric: Metric, reports: Reports) -> Row:
    """Return a measurement with its spread, of whichever run, and its quartiles for the tooltip."""
    if not (text := sweep.text(place, metric, reports)):
        return {}
    quartiles = metric.quartiles(sweep.design_of(place), reports)
    return {"t": text} | ({"q": " to ".join(map(metric.write, quartiles))} if quartiles else {})


def _distinct_oddities(sweep: Sweep) -> list[str]:
    """Return each oddity once: rows name it by its number, which keeps thousands of them small."""
    return list(dict.fromkeys(filter(None, sweep.oddities)))


def _design_row(cell: Cell) -> Row:
    assert cell.design is not None
    d_model, d_ff, n_layers = cell.design.dims
    return {"n": n_layers, "d": d_model, "f": d_ff}


def _shades(known: Sequence[float], metric: Metric) -> dict[float, float]:
    """Scale values to 0…1, logarithmically where they span more than a factor of 5.

    Values that a reader cannot tell apart, as all are written alike, have one shade.
    """
    if not known:
        return {}
    low, high = min(known), max(known)
    if metric.write(low) == metric.write(high):
        return dict.fromkeys(known, 0.5)
    log = is_log(low, high)
    first, last = (math.log(low), math.log(high)) if log else (low, high)
    span = last - first
    return {value: round(((math.log(value) if log else value) - first) / span, 4) if span else 0.5 for value in known}


def is_log(low: float, high: float) -> bool:
    """Return whether values span more than a factor of 5, for which a log scale is used."""
    return low > 0 and high > _LOG_FROM * low


def _value_size(sweep: Sweep, rows: Sequence[Row], height: float) -> int:
    """Return the largest font size at which the values fit their cells on a narrow page; 0 when none does."""
    width, room = _NARROWEST_PX / len(sweep.x.values) - 4, height / len(sweep.y.values) - 4
    longest = max(text_width(row.get("t", NO_MODEL), 1) for row in rows)
    return next((size for size in _VALUE_SIZES if size * longest < width and size < room), 0)


def _named_values(sweep: Sweep, metric: Metric, values: Sequence[float | None], height: float) -> Row:
    known = [value for value in values if value is not None]
    low, high = (metric.write(end) for end in (min(known), max(known))) if known else ("", "")
    columns, rows = len(sweep.x.values), len(sweep.y.values)
    across, upwards = _ticks(sweep.x, _NARROWEST_PX, across=True), _ticks(sweep.y, height, across=False)
    from_top = isinstance(sweep.y.values[0], str | bool)
    return {
        "x_labels": [label_value(sweep.x.name, value) for value in sweep.x.values],
        "y_labels": [label_value(sweep.y.name, value) for value in sweep.y.values],
        "x_ticks": list(across),
        "y_ticks": list(upwards),
        "x_tick_labels": list(across.values()),
        "y_tick_labels": list(upwards.values()),
        "columns": columns,
        "oddities": _distinct_oddities(sweep),
        "x_ends": [0, columns],
        "y_ends": [rows, 0] if from_top else [0, rows],
        "shade_ends": [low, f"{high}{' (log scale)' if known and is_log(min(known), max(known)) else ''}"],
        "gap": 1.5 if columns * rows <= 400 else 0.4 if columns * rows <= _MOST_SVG else 0,
        "cell": 1 if columns * rows <= _MOST_SVG else 1.1,  # cells without a gap overlap, which hides seams
    }


def _ticks(axis: Axis, room: float, *, across: bool) -> dict[float, str]:
    """Return tick positions with their labels: every value where they fit, else round numbers."""
    labels = [label_value(axis.name, value) for value in axis.values]
    most = max(1, math.floor(room / ((max(text_width(label, 12) for label in labels) if across else 12) + 12)))
    if len(labels) <= most:
        return {place + 0.5: label for place, label in enumerate(labels)}
    numbers = [value for value in axis.values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(labels) and numbers == sorted(numbers):
        return {
            interpolated_index(tick, numbers) + 0.5: label_value(axis.name, tick)
            for tick in _round_values(numbers, min(most, 12))
        }
    return {place + 0.5: labels[place] for place in range(0, len(labels), -(-len(labels) // most))}


def _round_values(numbers: Sequence[int | float], most: int) -> Sequence[int | float]:
    low, high, middle = numbers[0], numbers[-1], numbers[len(numbers) // 2]
    geometric = is_log(low, high) and middle < (low + high) / 4
    ticks = log_ticks(low, high, most) if geometric else round_ticks(low, high, most)
    return [round(tick) for tick in ticks if tick == round(tick)] if isinstance(low, int) else ticks


def with_wide_heading(chart: Figure, upwards: Iterable[str], marks: int) -> Figure:
    """Extend the heading over the labels of the vertical axis, and render thousands of marks on a canvas.

    Vega truncates a heading at the width of the plot without its axes. SVG is slow with that many marks.
    """
    specification = chart.to_dict()
    axis_px = 30 + 0.85 * max((text_width(label, 12) for label in upwards), default=0.0)
    changed = {"title": specification["title"] | {"limit": {"expr": f"width + {axis_px:.0f}"}}}
    if marks > _MOST_SVG:
        changed["usermeta"] = {"embedOptions": {"renderer": "canvas"}}
    return Figure(**specification | changed)
