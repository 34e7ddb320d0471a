"""Learning rate charts: the range test with its interval, and the sweep with its parabola."""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import altair as alt

from slimlm.charts.layout import log_ticks, round_ticks, tick_format
from slimlm.charts.palette import BEST_SHADE, INK, LINE_SHADE, MUTED, PAGE
from slimlm.charts.theme import Figure, Row, figure, layers, text_layer
from slimlm.core.describe import counted

_HEIGHT_PX = 380
_ABOVE = 0.6
"""Nats above the first loss up to which a diverging test is shown."""

_CURVE_POINTS = 60


class RangeLine(NamedTuple):
    """The range test of one seed."""

    seed: int
    learning_rates: Sequence[float]
    smoothed: Sequence[float]
    """Loss in nats per token; the last ones need not be finite."""


def lr_range_chart(lines: Sequence[RangeLine], low: float, high: float, *, has_edge: bool, subject: str) -> Figure:
    """Show the smoothed loss of each seed by learning rate, their mean, and the recommended interval shaded.

    Raises ValueError when no seed has a finite loss.
    """
    rows: list[Row] = [
        {"seed": line.seed, "rate": rate, "loss": loss, "shown": f"{rate:.3g}", "nats": f"{loss:.3f}"}
        for line in lines
        for rate, loss in zip(line.learning_rates, line.smoothed, strict=True)
        if math.isfinite(loss)
    ]
    if not rows:
        raise ValueError("the range test has no finite loss: lower learning rates would work")
    first = max(line.smoothed[0] for line in lines if math.isfinite(line.smoothed[0]))
    edge = "its upper end is a third of the rate at which a seed diverged" if has_edge else "no seed diverged"
    rates: list[float] = [row["rate"] for row in rows]
    ends = [min(rates) / 1.05, max(rates) * 1.05]
    losses = [min(row["loss"] for row in rows), min(max(row["loss"] for row in rows), first + _ABOVE)]
    return figure(
        ({"values": [{"low": low, "high": high, "name": f"{low:.2g} to {high:.2g}"}]}, _interval_layers()),
        ({"values": rows}, _range_layers()),
        ({"values": mean_line(lines)}, _mean_layers()),
        title=f"Learning rate range test of {subject}",
        subtitle=[
            f"Shaded: start between {low:.2g} and {high:.2g}; {edge}",
            f"Thin: {counted(len(lines), 'seed')} · thick: their mean · each step has a higher learning rate",
        ],
        description=f"Loss by learning rate for {counted(len(lines), 'seed')}; interval {low:.2g} to {high:.2g}.",
        height=_HEIGHT_PX,
        axis_px=50,
        values=_scales(ends, losses, log_ticks(ends[0], ends[1], 9)),
    )


def mean_line(lines: Sequence[RangeLine]) -> list[Row]:
    """Return the mean loss at each learning rate that all seeds have reached with a finite loss."""
    found = []
    for step, rate in enumerate(lines[0].learning_rates):
        losses = [line.smoothed[step] for line in lines if step < len(line.smoothed)]
        if len(losses) < len(lines) or not all(map(math.isfinite, losses)):
            break
        found.append({"rate": rate, "loss": sum(losses) / len(losses)})
    return found


def lr_sweep_chart(
    losses: Mapping[float, Sequence[float]],
    best: float | None,
    parabola: tuple[float, float, float] | None,
    *,
    verdict: str,
    subject: str,
) -> Figure:
    """Show the final losses of whole runs by learning rate, with the parabola in log₂ of the rate and its minimum.

    losses: those of each seed by learning rate; an infinite one, of a run that diverged, is a cross at the top.

    Raises ValueError when every run diverged.
    """
    finite = [loss for found in losses.values() for loss in found if math.isfinite(loss)]
    if not finite:
        raise ValueError("every run of the sweep diverged: lower learning rates would work")
    curve = [] if parabola is None or best is None else _curve(parabola, losses, best)
    top = max([*finite, *(row["loss"] for row in curve)])
    low = min([*finite, *(row["loss"] for row in curve)])
    rows: list[Row] = [
        {
            "rate": rate,
            "loss": loss if math.isfinite(loss) else top,
            "diverged": not math.isfinite(loss),
            "shown": f"{rate:.3g}",
            "nats": f"{loss:.4f}" if math.isfinite(loss) else "diverged",
        }
        for rate, found in losses.items()
        for loss in found
    ]
    marks = [] if best is None else [{"rate": best, "name": f"{best:.3g}"}]
    some_diverged = " · crosses: diverged" if any(row["diverged"] for row in rows) else ""
    return figure(
        ({"values": curve}, _parabola_layers()),
        ({"values": marks}, _best_layers()),
        ({"values": rows}, _run_layers()),
        title=f"Learning rate sweep of {subject}",
        subtitle=[
            f"{verdict[:1].upper()}{verdict[1:]}",
            f"Circles: final held-out loss of whole runs{some_diverged}",
            *(
                ["Line: parabola in the logarithm of the rate, through the lowest loss and those beside it"]
                if curve
                else []
            ),
        ],
        description=f"Final loss by learning rate of {counted(len(rows), 'run')}; {verdict}.",
        height=_HEIGHT_PX,
        axis_px=50,
        values=_scales([min(losses) / 1.3, max(losses) * 1.3], [low, top], sorted(losses)),
    )


def _curve(parabola: tuple[float, float, float], losses: Mapping[float, Sequence[float]], best: float) -> list[Row]:
    """Return points of the parabola between the two rates that were tried next to its minimum."""
    lowest = min(losses, key=lambda rate: abs(math.log2(rate / best)))
    near = sorted(losses, key=lambda rate: abs(math.log2(rate / lowest)))[:3]
    start, end = math.log2(min(near)), math.log2(max(near))
    steps = [start + (end - start) * number / _CURVE_POINTS for number in range(_CURVE_POINTS + 1)]
    a, b, c = parabola
    return [{"rate": 2.0**x, "loss": a * x * x + b * x + c} for x in steps]


def _scales(rates: Sequence[float], losses: Sequence[float], ticks: Sequence[float]) -> Row:
    room = 0.06 * max(losses[1] - losses[0], 0.02)
    ends = [losses[0] - room, losses[1] + room]
    return {
        "rate_ends": list(rates),
        "rate_ticks": list(ticks),
        "loss_ends": ends,
        "loss_ticks": (loss_ticks := round_ticks(ends[0], ends[1], 7)),
        "loss_format": tick_format(loss_ticks),
    }


@cache
def _axes() -> tuple[alt.X, alt.Y]:
    across = alt.Axis(
        title="learning rate (log scale)",
        values=alt.ExprRef("rate_ticks"),
        labelExpr="format(datum.value, '.3~r')",
        labelOverlap="greedy",
        domain=False,
        titlePadding=8,
    )
    left = alt.Axis(
        title="loss (nats per token)",
        values=alt.ExprRef("loss_ticks"),
        labelExpr="format(datum.value, loss_format)",
        domain=False,
        titlePadding=8,
    )
    x = alt.Scale(type="log", domain=alt.ExprRef("rate_ends"), nice=False)
    y = alt.Scale(domain=alt.ExprRef("loss_ends"), nice=False, zero=False)
    return alt.X("rate:Q", scale=x, axis=across), alt.Y("loss:Q", scale=y, axis=left)


def _tooltip(first: str, title: str) -> list[alt.Tooltip]:
    names = {"shown": "Learning rate", "nats": "Loss, nats per token", first: title}
    return [alt.Tooltip(f"{key}:N", title=words) for key, words in names.items()]


@cache
def _interval_layers() -> Row:
    start, end = "scale('x', max(datum.low, rate_ends[0]))", "scale('x', min(datum.high, rate_ends[1]))"
    band = alt.Chart().mark_rect(
        fill=BEST_SHADE.reference,
        opacity=0.16,
        x=alt.ExprRef(start),
        x2=alt.ExprRef(end),
        y=0,
        y2=alt.ExprRef("height"),
        description=alt.ExprRef("datum.name"),
    )
    name = text_layer(
        "datum.name", x=f"({start} + {end}) / 2", y="12", align="center", fontWeight=600, fill=BEST_SHADE.reference
    )
    return layers(band, name)


@cache
def _range_layers() -> Row:
    x, y = _axes()
    line = alt.Chart().mark_line(stroke=LINE_SHADE.reference, strokeWidth=1.2, opacity=0.5, clip=True)
    return layers(line.encode(x, y, alt.Detail("seed:N"), tooltip=_tooltip("seed", "Seed")))


@cache
def _mean_layers() -> Row:
    x, y = _axes()
    mean = alt.Chart().mark_line(
        stroke=LINE_SHADE.reference, strokeWidth=2.6, clip=True, description="mean of the seeds"
    )
    return layers(mean.encode(x, y))


@cache
def _parabola_layers() -> Row:
    x, y = _axes()
    curve = alt.Chart().mark_line(stroke=LINE_SHADE.reference, strokeWidth=2, clip=True, description="parabola")
    return layers(curve.encode(x, y))


@cache
def _best_layers() -> Row:
    x, _ = _axes()
    rule = alt.Chart().mark_rule(
        color=BEST_SHADE.reference,
        strokeDash=[5, 4],
        y=0,
        y2=alt.ExprRef("height"),
        description=alt.ExprRef("datum.name"),
    )
    name = text_layer(
        "'best ' + datum.name", x="scale('x', datum.rate) + 8", y="12", fontWeight=600, fill=BEST_SHADE.reference
    )
    return layers(rule.encode(x), name)


@cache
def _run_layers() -> Row:
    x, y = _axes()
    tooltip = _tooltip("shown", "Learning rate")[:2]
    circles = alt.Chart().mark_point(size=90, stroke=INK, strokeWidth=1.8, fill=PAGE, fillOpacity=1)
    crosses = alt.Chart().mark_point(shape="cross", size=110, angle=45, fill=MUTED, strokeWidth=0, fillOpacity=1)
    return layers(
        circles.encode(x, y, tooltip=tooltip).transform_filter("!datum.diverged"),
        crosses.encode(x, y, tooltip=tooltip).transform_filter("datum.diverged"),
    )
