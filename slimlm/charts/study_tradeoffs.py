"""Loss against cost: the mean of every ranked cell with its interval, by layers, operations or seconds."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Literal, NamedTuple

import altair as alt

from slimlm.charts.layout import AxisScale, label_alignments, log_ticks, round_ticks, tick_format
from slimlm.charts.palette import BEST_SHADE, FAINT, INK, LINE_SHADE
from slimlm.charts.study_text import cell_label, decimals_of, interval, operations, per_unit, said_label, tidy
from slimlm.charts.theme import Figure, Row, figure, layers, text_layer, text_width
from slimlm.core.describe import counted
from slimlm.ranking.result import CellResult, Ranking
from slimlm.utils.formatting import format_seconds

Against = Literal["n_layers", "flops", "seconds"]
"""What the losses are shown against."""

_HEIGHT_PX, _PLOT_PX, _LOG_FROM = 360, 600, 3


class _Kind(NamedTuple):
    name: str
    axis: str


_KINDS: dict[str, _Kind] = {
    "n_layers": _Kind("layers", "layers"),
    "flops": _Kind("operations of training", "operations of one run"),
    "seconds": _Kind("training time", "training time of one run"),
}


def study_tradeoffs(ranking: Ranking, against: Against = "n_layers") -> Figure:
    """Show the mean loss of every ranked cell, with its interval, against layers, operations or seconds of a run.

    Solid points may be best. The parameter "pick" selects a cell and reports its index `i` among the ranking's cells.

    Raises ValueError for another quantity.
    """
    if against not in _KINDS:
        raise ValueError(f"against={against!r} is no quantity of a study: n_layers, flops or seconds would work")
    rows = [row for place, cell in enumerate(ranking.cells) if (row := _row(place, cell, ranking, against))]
    kind = _KINDS[against]
    scale = _scale([row["a"] for row in rows], against)
    ends = [row[key] for row in rows for key in ("low", "high")] or [0.0, 1.0]
    room = 0.06 * max(max(ends) - min(ends), 0.01)
    loss_ends = min(ends) - room, max(ends) + room
    _label(rows, scale, loss_ends)
    ticks = round_ticks(*loss_ends, 6)
    return figure(
        ({"values": rows}, _point_layers(per_unit(ranking), kind.axis, scale.log)),
        ({"values": rows}, _name_layers()),
        title=_title(rows, kind, ranking),
        subtitle=_subtitle(rows, ranking, against),
        description=_describe(rows, kind, ranking),
        height=_HEIGHT_PX,
        axis_px=60,
        values={
            "x_ends": list(scale.ends),
            "x_ticks": list(scale.ticks),
            "x_tick_labels": list(scale.ticks.values()),
            "loss_ends": list(loss_ends),
            "loss_ticks": ticks,
            "loss_format": tick_format(ticks),
        },
    )


def _amount(cell: CellResult, against: Against) -> float | None:
    return {"n_layers": cell.n_layers, "flops": cell.flops, "seconds": cell.seconds}[against]


def _write(value: float, against: Against) -> str:
    if against == "n_layers":
        return f"{value:,.0f}"
    return operations(value) if against == "flops" else format_seconds(value)


def _row(place: int, cell: CellResult, ranking: Ranking, against: Against) -> Row | None:
    amount = _amount(cell, against)
    if cell.mean is None or not amount:
        return None
    half = cell.half_width or 0.0
    return {
        "i": place,
        "a": amount,
        "loss": cell.mean,
        "low": cell.mean - half,
        "high": cell.mean + half,
        "best": cell.may_be_best,
        "label": cell_label(cell),
        "heading": said_label(cell),
        "shown": interval(cell, decimals_of(ranking)),
        "amount": _write(amount, against),
        "shape": f"{cell.n_layers:,} × {cell.d_model:,}",
        "said": "yes" if cell.may_be_best else "no",
    }


def _scale(values: Sequence[float], against: Against) -> AxisScale:
    if not values:
        return AxisScale((0.0, 1.0), False, {})
    low, high = min(values), max(values)
    if high > _LOG_FROM * low:
        room = (high / low) ** 0.06
        ends = low / room, high * room
        ticks = log_ticks(*ends, 7)
        if against == "n_layers":
            ticks = [tick for tick in ticks if tick == round(tick)]
        return AxisScale(ends, True, {tick: _write(tick, against) for tick in ticks})
    room = 0.06 * (high - low) or 0.2 * high
    ends = low - room, high + room
    ticks = round_ticks(*ends, 7)
    if against == "n_layers":
        ticks = [tick for tick in ticks if tick == round(tick)]
    return AxisScale(ends, False, {tick: _write(tick, against) for tick in ticks})


def _label(rows: list[Row], scale: AxisScale, loss_ends: Sequence[float]) -> None:
    """Label the points where there is room, those that may be best first."""
    low, high = loss_ends

    def spot(row: Row, loss: float) -> tuple[float, float]:
        return _PLOT_PX * scale.share(row["a"]), _HEIGHT_PX * (high - loss) / (high - low)

    spots = [spot(row, row["loss"]) for row in rows]
    bars = [spot(row, row["low"] + (row["high"] - row["low"]) * part / 8) for row in rows for part in range(9)]
    widths = [text_width(row["label"], 12) for row in rows]
    order = sorted(range(len(rows)), key=lambda place: (not rows[place]["best"], rows[place]["loss"]))
    sides = label_alignments(spots + bars, widths, _PLOT_PX, order, always=1)[: len(rows)]
    for row, side in zip(rows, sides, strict=True):
        row |= {"name": row["label"] if side else "", "side": side or "left"}


def _title(rows: Sequence[Row], kind: _Kind, ranking: Ranking) -> str:
    head = f"Loss against {kind.name}"
    if len(rows) < 2:
        return f"{head}: {'no cell is ranked yet' if not rows else 'one cell is ranked'}"
    cheapest = min((row for row in rows if row["best"]), key=lambda row: (row["a"], row["loss"]), default=None)
    if cheapest is None:
        return f"{head} of {counted(len(rows), 'ranked cell')}"
    few = {"layers": "the fewest layers", "operations of training": "the fewest operations"}
    words = few.get(kind.name, "the shortest training")
    return f"{cheapest['heading']} has {words} of the cells that may be best: {cheapest['amount']}"


def _subtitle(rows: Sequence[Row], ranking: Ranking, against: Against) -> list[str]:
    without = len(ranking.cells) - len(rows)
    untimed = " or not timed" if against == "seconds" else ""
    remarks = [
        "solid: may be best",
        "bar: simultaneous interval",
        f"not shown: not ranked{untimed} ({without:,})" if without else "",
    ]
    said = " · ".join(filter(None, remarks))
    timed = against == "seconds" and ranking.devices
    devices = f"Mean over the seeds, on {tidy(', '.join(ranking.devices), 80)}" if timed else ""
    return [
        f"Held-out loss in {per_unit(ranking)}; lower is better",
        f"{said[:1].upper()}{said[1:]}",
        *([devices] if devices else []),
    ]


def _describe(rows: Sequence[Row], kind: _Kind, ranking: Ranking) -> str:
    said = "; ".join(f"{row['label']} {row['shown']} at {row['amount']}" for row in rows[:24])
    return f"Held-out loss in {per_unit(ranking)} against {kind.name}: {said or 'no cell is ranked yet'}."


@lru_cache(maxsize=16)
def _point_layers(unit: str, axis: str, log: bool) -> Row:
    across = alt.Scale(
        type="log" if log else "linear",
        domain=alt.ExprRef("x_ends"),
        nice=False,
        zero=alt.Undefined if log else False,
    )
    bottom = alt.Axis(
        title=f"{axis} (log scale)" if log else axis,
        values=alt.ExprRef("x_ticks"),
        labelExpr="x_tick_labels[indexof(x_ticks, datum.value)]",
        labelOverlap="greedy",
        domain=False,
        titlePadding=8,
    )
    left = alt.Axis(
        title=f"loss ({unit})",
        values=alt.ExprRef("loss_ticks"),
        labelExpr="format(datum.value, loss_format)",
        grid=True,
        gridColor=FAINT,
        gridOpacity=0.5,
        domain=False,
        ticks=False,
        titlePadding=8,
    )
    x = alt.X("a:Q", scale=across, axis=bottom)
    scale = alt.Scale(domain=alt.ExprRef("loss_ends"), nice=False, zero=False)
    y, low = alt.Y("loss:Q", scale=scale, axis=left), alt.Y("low:Q", scale=scale, axis=left)
    colour = alt.ExprRef(f"datum.best ? ({BEST_SHADE.expression}) : ({LINE_SHADE.expression})")
    titles = {"label": "Cell", "shown": f"Loss, {unit}", "said": "May be best", "amount": axis.capitalize()}
    tooltip = [alt.Tooltip(f"{key}:N", title=title) for key, title in (titles | {"shape": "Layers × width"}).items()]
    bars = alt.Chart().mark_rule(strokeWidth=1.5, stroke=colour, opacity=0.65)
    dots = alt.Chart().mark_point(
        filled=True,
        size=80,
        opacity=1,
        strokeWidth=1.8,
        stroke=colour,
        fill=alt.ExprRef(f"datum.best ? ({BEST_SHADE.expression}) : background"),
        cursor="pointer",
    )
    pick = alt.selection_point(name="pick", fields=["i"])
    return layers(bars.encode(x, low, y2="high"), dots.encode(x, y, tooltip=tooltip).add_params(pick))


@cache
def _name_layers() -> Row:
    name = text_layer(
        f"width < {0.8 * _PLOT_PX:g} ? '' : datum.name",
        x="scale('x', datum.a) + (datum.side == 'left' ? 10 : -10)",
        y="scale('y', datum.loss) - 8",
        align=alt.ExprRef("datum.side"),
        fontSize=12,
        fontWeight=alt.ExprRef("datum.best ? 600 : 400"),
        fill=INK,
    )
    return layers(name)
