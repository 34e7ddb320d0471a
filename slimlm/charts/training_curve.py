"""The training curve: training and held-out loss of runs by tokens, above the learning rate."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

import altair as alt

from slimlm.charts.layout import round_ticks, tick_format
from slimlm.charts.palette import COMPONENT_COLORS, INK, MUTED, PAGE, Shade
from slimlm.charts.run_curve import RunCurve, smoothed
from slimlm.charts.theme import NARROW, Figure, Row, figure, layers, text_layer, text_width
from slimlm.core.describe import counted
from slimlm.utils.formatting import format_count

_HEIGHT_PX, _STRIP_PX, _GAP_PX, _LABEL_PX = 400, 46, 26, 17
_PLOT_PX, _MOST_ROOM_PX = 880, 300

_ABOVE = 0.5
"""Nats above the loss of guessing up to which losses are shown: untrained and diverging runs lie higher."""

TRAINING, HELDOUT = "training", "held-out"
_SERIES = (Shade("#425989", "#8FABE0"), Shade("#B5651D", "#E8A964"))
_RUNS = (
    *_SERIES,
    Shade(COMPONENT_COLORS["ffn"], "#58B8A4"),
    Shade("#824038", "#D58A80"),
    Shade("#7A62B8", "#B7A4E6"),
    Shade("#59636E", "#A9B2BC"),
)


def training_curve_chart(runs: Sequence[RunCurve]) -> Figure:
    """Show the losses of runs by tokens, the entropy of the source where it is known, and the learning rate below.

    Thin lines are the logged training losses, thick ones their moving average, circles held-out losses. One run has a
    colour for each loss, several have one for each run.

    Raises ValueError when there is no run, or none with a loss.
    """
    if not any(run.points for run in runs):
        raise ValueError(f"runs={[run.name for run in runs]!r} have no loss yet: at least one logged step would work")
    low, high = _loss_limits(runs)
    tokens = max(run.points[-1][0] for run in runs if run.points)
    top = max(rate for run in runs for _, rate in run.rates)
    per_px = (high - low) / (_HEIGHT_PX - _STRIP_PX - _GAP_PX)
    strip_top, bottom = low - _GAP_PX * per_px, low - (_GAP_PX + _STRIP_PX) * per_px
    floors = sorted({run.entropy for run in runs if run.entropy is not None})
    rates = [
        {"tokens": at, "base": bottom, "level": bottom + (strip_top - bottom) * rate / top, "rate": f"{rate:.3g}"}
        for at, rate in runs[0].rates
    ]
    names = _names(runs, per_px, high)
    return figure(
        ({"values": rates}, _rate_layers()),
        (
            {"values": [{"tokens": tokens / 2, "level": bottom, "name": f"learning rate, at most {top:.3g}"}]},
            _rate_name(),
        ),
        ({"values": [{"loss": floor, "name": f"entropy of the source: {floor:.3f}"} for floor in floors]}, _floors()),
        ({"values": [row for number, run in enumerate(runs) for row in _rows(run, number, len(runs))]}, _lines()),
        ({"values": names}, _name_layers()),
        title=_title(runs),
        subtitle=_subtitle(runs, high),
        description=_describe(runs),
        height=_HEIGHT_PX,
        axis_px=50,
        values={
            "loss_ends": [bottom, high],
            "token_end": tokens,
            "token_room": _room(names),
            "token_ticks": round_ticks(0, tokens, 6),
            "loss_ticks": (ticks := round_ticks(low, high, 7)),
            "loss_format": tick_format(ticks),
        },
    )


def _loss_limits(runs: Sequence[RunCurve]) -> tuple[float, float]:
    losses = [loss for run in runs for _, loss in (*run.points, *run.heldout)]
    usual = max(run.points[0][1] if run.guessing is None else run.guessing for run in runs if run.points) + _ABOVE
    floors = [run.entropy for run in runs if run.entropy is not None]
    low = min(losses + floors)
    high = min(max(losses), max(usual, low + _ABOVE))
    room = 0.04 * max(high - low, 0.1)
    return low - (2.2 if floors else 1) * room, high + room


def _rows(run: RunCurve, number: int, count: int) -> Iterator[Row]:
    """Yield the points of a run: raw and smoothed training losses, and held-out ones."""
    for (at, loss), mean in zip(run.points, smoothed([loss for _, loss in run.points]), strict=True):
        shared = {"run": run.name, "key": f"{number} {TRAINING}", "colour": _colour(number, TRAINING, count)}
        yield {**shared, "series": TRAINING, "tokens": at, "loss": loss, "mean": mean, "shown": f"{loss:.3f}"}
    for at, loss in run.heldout:
        shared = {"run": run.name, "key": f"{number} {HELDOUT}", "colour": _colour(number, HELDOUT, count)}
        yield {**shared, "series": HELDOUT, "tokens": at, "loss": loss, "mean": loss, "shown": f"{loss:.3f}"}


def _colour(number: int, series: str, count: int) -> int:
    return (series == HELDOUT) if count == 1 else number % len(_RUNS)


def _names(runs: Sequence[RunCurve], per_px: float, high: float) -> list[Row]:
    """Return the names at the ends of the lines, moved apart where they would overlap."""
    found = [row for number, run in enumerate(runs) for row in _ends(run, number, len(runs), high)]
    found.sort(key=lambda row: -row["loss"])
    for above, below in pairwise(found):
        below["loss"] = min(below["loss"], above["loss"] - _LABEL_PX * per_px)
    return found


def _ends(run: RunCurve, number: int, count: int, high: float) -> Iterator[Row]:
    """Yield the name of each line of a single run, or the name of one of several runs."""
    if not run.points:
        return
    training = run.points[-1][0], smoothed([loss for _, loss in run.points])[-1]
    ends = {TRAINING: training} | ({HELDOUT: run.heldout[-1]} if run.heldout else {})
    if count > 1 or run.diverged is not None:
        ends = {HELDOUT: ends[HELDOUT]} if run.heldout and run.diverged is None else {TRAINING: training}
    for series, (tokens, loss) in ends.items():
        words = f"{series if count == 1 else run.name} {loss:.3f}"
        if run.diverged is not None:
            words = f"{'' if count == 1 else f'{run.name} '}diverged at step {run.diverged:,}"
        yield {"tokens": tokens, "loss": min(loss, high), "name": words, "colour": _colour(number, series, count)}


def _room(names: Sequence[Row]) -> float:
    """Return the width of the plot over that of its lines, so that the names fit at the right."""
    widest = min(_MOST_ROOM_PX, max(text_width(row["name"], 13) for row in names) + 16)
    return _PLOT_PX / (_PLOT_PX - widest)


def _title(runs: Sequence[RunCurve]) -> str:
    return f"Loss of {runs[0].name}" if len(runs) == 1 else f"Loss of {counted(len(runs), 'run')}"


def _subtitle(runs: Sequence[RunCurve], high: float) -> list[str]:
    colours = "" if len(runs) == 1 else " · numbers: its end"
    lines = [f"Thin: training loss as logged · thick: its moving average · circles: held-out loss{colours}"]
    if len(runs) == 1 and (first := runs[0].points[0][1]) > high:
        lines.append(f"The untrained loss of {first:.3f} lies above the plot")
    if len(runs) == 1 and runs[0].bits and runs[0].diverged is None:
        value, unit = runs[0].bits
        nats = runs[0].heldout[-1][1]
        lines.insert(0, f"At the end: held-out loss {nats:.3f} nats per token = {value:.3f} bits per {unit}")
    return lines


def _describe(runs: Sequence[RunCurve]) -> str:
    ends = (
        f"{run.name}: training loss {run.points[0][1]:.3f} to {run.points[-1][1]:.3f}"
        + (f", held-out loss {run.heldout[-1][1]:.3f}" if run.heldout else "")
        + f" after {format_count(run.points[-1][0])} tokens"
        for run in runs
        if run.points
    )
    return f"Loss in nats per token by training tokens. {'; '.join(ends)}."


_SUFFIXED = "replace(format(datum.value, '~s'), 'G', 'B')"
"""Vega expression of a count on an axis: 200k, 1M, 2B."""


@cache
def _tokens() -> alt.X:
    end = alt.ExprRef(f"token_end * ({NARROW} ? 1.02 : token_room)")
    return token_axis(end)


def _loss(field: str = "loss") -> alt.Y:
    return loss_axis(field, "loss (nats per token)")


def token_axis(end: alt.ExprRef) -> alt.X:
    """Return the axis of training tokens, from 0 to an end, with the ticks of the parameter "token_ticks"."""
    across = alt.Scale(domain=[0, end], nice=False, zero=False)
    bottom = alt.Axis(
        title="training tokens",
        values=alt.ExprRef("token_ticks"),
        labelExpr=_SUFFIXED,
        labelOverlap="greedy",
        domain=False,
        titlePadding=8,
    )
    return alt.X("tokens:Q", scale=across, axis=bottom)


def loss_axis(field: str, title: str) -> alt.Y:
    """Return the axis of a loss; the parameters "loss_ends", "loss_ticks" and "loss_format" set it."""
    upwards = alt.Scale(domain=alt.ExprRef("loss_ends"), nice=False, zero=False)
    left = alt.Axis(
        title=title,
        values=alt.ExprRef("loss_ticks"),
        labelExpr="format(datum.value, loss_format)",
        domain=False,
        titlePadding=8,
    )
    return alt.Y(f"{field}:Q", scale=upwards, axis=left)


def _run_colour() -> alt.ExprRef:
    chosen = " : ".join(f"datum.colour == {number} ? ({shade.expression})" for number, shade in enumerate(_RUNS))
    return alt.ExprRef(f"{chosen} : ({_RUNS[0].expression})")


@cache
def _rate_layers() -> Row:
    tooltip = [alt.Tooltip("tokens:Q", title="Tokens", format=","), alt.Tooltip("rate:N", title="Learning rate")]
    area = (
        alt.Chart()
        .mark_area(fill=MUTED, fillOpacity=0.25, stroke=MUTED, strokeWidth=1)
        .encode(_tokens(), _loss("level"), alt.Y2("base:Q"), tooltip=tooltip)
    )
    return layers(area)


@cache
def _rate_name() -> Row:
    place = {"x": "scale('x', datum.tokens)", "y": "scale('y', datum.level) - 13"}
    return layers(text_layer("datum.name", **place, align="center", fontSize=12, fill=INK))


@cache
def _floors() -> Row:
    rule = (
        alt.Chart()
        .mark_rule(color=INK, strokeDash=[5, 4], description=alt.ExprRef("datum.name"), x=0)
        .encode(_loss(), x2=alt.value({"expr": "scale('x', token_end)"}))
    )
    name = text_layer("datum.name", x="4", y="scale('y', datum.loss) + 10", fontSize=12, fill=INK)
    return layers(rule, name)


@cache
def _lines() -> Row:
    x, y = _tokens(), _loss()
    titles = {"run": "Run", "series": "Loss", "shown": "Nats per token"}
    tooltip = [alt.Tooltip(f"{key}:N", title=title) for key, title in titles.items()]
    tooltip.append(alt.Tooltip("tokens:Q", title="Tokens", format=","))
    colour = _run_colour()
    training, heldout = f"datum.series == '{TRAINING}'", f"datum.series == '{HELDOUT}'"
    raw = alt.Chart().mark_line(stroke=colour, strokeWidth=1, opacity=0.35, clip=True).encode(x, y, alt.Detail("key:N"))
    thick = (
        alt.Chart().mark_line(stroke=colour, strokeWidth=2.4, clip=True).encode(x, _loss("mean"), alt.Detail("key:N"))
    )
    joined = alt.Chart().mark_line(stroke=colour, strokeWidth=1.4, clip=True).encode(x, y, alt.Detail("key:N"))
    circles = (
        alt.Chart()
        .mark_point(size=44, fill=PAGE, fillOpacity=1, strokeWidth=1.8, clip=True, stroke=colour)
        .encode(x, y, tooltip=tooltip)
    )
    return layers(
        raw.transform_filter(training),
        thick.transform_filter(training),
        joined.transform_filter(heldout),
        circles.transform_filter(heldout),
    )


@cache
def _name_layers() -> Row:
    end = text_layer(
        f"{NARROW} ? '' : datum.name",
        x="scale('x', datum.tokens) + 10",
        y="scale('y', datum.loss)",
        fontWeight=600,
        fill=_run_colour(),
    )
    return layers(end)
