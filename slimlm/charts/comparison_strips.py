"""The comparison chart: one strip of components per model; and what `comparison_profiles` shares with it."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Literal

import altair as alt

from slimlm.charts.components import MODEL_ENCODING, Label, component_boxes, component_facts, fitting_label
from slimlm.charts.palette import COMPONENT_COLORS, INK, MUTED
from slimlm.charts.theme import Figure, Row, figure, layers, text_layer, text_width
from slimlm.compare.pins import Pin
from slimlm.core.accounting import Component
from slimlm.core.describe import counted, heads_phrase
from slimlm.core.names import COMPONENT_NAMES
from slimlm.utils.formatting import format_count, format_share

Measure = Literal["share", "params"]
"""What length and area encode: the share of each model, or parameters on one scale."""

LEGEND_PX = 30
"""Height of the legend."""

_STRIP_PX, _HEAD_PX, _STEP_PX, _END_PX = 30, 22, 70, 74
_BOLD, _LEGEND_COLUMNS = 1.04, 4


def comparison_chart(pins: Sequence[Pin], measure: Measure = "share") -> Figure:
    """Show the parameters of several models by component: one strip per model, from input to output.

    Length encodes share or parameters, on one scale for all strips; colour encodes the component, as the legend on top
    says. A segment has a label where it fits. A model's name stands above its strip and its total at the end.
    """
    segments = [row for place, pin in enumerate(pins) for row in _segments(pins, place, pin, measure)]
    names_px = max(text_width(pin.name, 13) for pin in pins) * _BOLD + 20
    return figure(
        ({"values": segments}, _segment_layers()),
        ({"values": [_head(pins, place, pin, measure) for place, pin in enumerate(pins)]}, _head_layers()),
        ({"values": legend_rows(pins)}, legend_layers()),
        title=title_of("Where the parameters go", pins),
        subtitle=[_strip_line(measure)],
        description=describe_comparison(pins),
        height=LEGEND_PX + _STEP_PX * len(pins) - (_STEP_PX - _HEAD_PX - _STRIP_PX),
        values={"names_px": names_px, "legend_px": legend_width(pins)},
    )


def title_of(what: str, pins: Sequence[Pin]) -> str:
    """Return the title of a chart: its subject, and the number of models or the name of the only one."""
    return f"{what}: {counted(len(pins), 'model')} side by side" if len(pins) > 1 else f"{what}: {pins[0].name}"


def _strip_line(measure: Measure) -> str:
    scale = "Each strip is one model (100 %)" if measure == "share" else "Length is parameters, on one scale"
    return f"{scale} · components from input to output · total at the end"


def describe_comparison(pins: Sequence[Pin]) -> str:
    """Describe the parameters of several models by component, for screen readers."""
    return " ".join(_in_words(pin) for pin in pins)


def _in_words(pin: Pin) -> str:
    parts = (f"{COMPONENT_NAMES[part.key]} {format_share(part.share)}" for part in parts_of(pin))
    return f"{pin.name}, {format_count(pin.subject.total_params)} parameters: {', '.join(parts)}."


def parts_of(pin: Pin) -> list[Component]:
    """Return the components that have parameters, from input to output."""
    return [part for part in pin.subject.account.components if part.params]


def _largest(pins: Sequence[Pin]) -> int:
    return max(pin.subject.total_params for pin in pins)


def length_of(pins: Sequence[Pin], pin: Pin, measure: Measure) -> float:
    """Return the length of a model's strip relative to the longest."""
    return 1.0 if measure == "share" else pin.subject.total_params / _largest(pins)


def _segments(pins: Sequence[Pin], place: int, pin: Pin, measure: Measure) -> Iterator[Row]:
    length, end = length_of(pins, pin, measure), 0.0
    top = LEGEND_PX + _STEP_PX * place + _HEAD_PX
    for part in parts_of(pin):
        start, end = end, end + part.share * length
        row = component_facts(part) | {"model": pin.name, "start": start, "end": end, "top": top}
        yield row | {"bottom": top + _STRIP_PX} | component_labels(part, measure)


def component_labels(part: Component, measure: Measure) -> Row:
    """Return the long and the short label of a component, each with its width in pixels."""
    share, count = format_share(part.share), format_count(part.params)
    long, short = (f"{share} · {count}", share) if measure == "share" else (f"{count} · {share}", count)
    return {
        "long": long,
        "short": short,
        "long_px": text_width(long, 13) + 10,
        "short_px": text_width(short, 13) + 8,
    }


def _head(pins: Sequence[Pin], place: int, pin: Pin, measure: Measure) -> Row:
    arch = pin.architecture
    top = LEGEND_PX + _STEP_PX * place
    shape = f"{counted(arch.n_layers, 'layer')} × d_model {arch.d_model:,} · d_ff {arch.d_ff:,} · {heads_phrase(arch)}"
    return {
        "name": pin.name,
        "shape": shape,
        "y": top + _HEAD_PX / 2 - 2,
        "total": format_count(pin.subject.total_params),
        "middle": top + _HEAD_PX + _STRIP_PX / 2,
        "end": length_of(pins, pin, measure),
    }


def legend_rows(pins: Sequence[Pin]) -> list[Row]:
    """Return the components that occur, from input to output, with colours and positions in one row or two."""
    found = {part.key for pin in pins for part in parts_of(pin)}
    rows: list[Row] = []
    x = narrow_x = 0.0
    for key in filter(found.__contains__, COMPONENT_NAMES):
        name = COMPONENT_NAMES[key]
        if len(rows) == _LEGEND_COLUMNS:
            narrow_x = 0.0
        line = 2 if len(rows) < _LEGEND_COLUMNS else 18
        rows.append({"key": key, "name": name, "x": x, "narrow_x": narrow_x, "line": line})
        rows[-1] |= {"fill": COMPONENT_COLORS[key]}
        x, narrow_x = (start + text_width(name, 13) + 30 for start in (x, narrow_x))
    return rows


def legend_width(pins: Sequence[Pin]) -> float:
    """Return the width of the legend in one row, in pixels."""
    last = legend_rows(pins)[-1]
    return float(last["x"]) + 16 + text_width(last["name"], 13)


def _strip_axis() -> alt.X:
    ends = [alt.ExprRef("0"), alt.ExprRef(f"max(40, width - {_END_PX})")]
    return alt.X("start:Q", scale=alt.Scale(domain=[0, 1], range=ends, nice=False), axis=None)


LABELS = (Label("long", 18, 9), Label("short", 18, 9))
"""Labels of a component: share and count, or only the one that length encodes."""


@cache
def _segment_layers() -> Row:
    return layers(component_boxes(_strip_axis(), MODEL_ENCODING), fitting_label(*LABELS))


@cache
def _head_layers() -> Row:
    # The name has priority: the shape follows it where at least a part of the shape fits.
    name = text_layer("datum.name", x="0", y="datum.y", fill=INK, fontWeight=600, limit=alt.ExprRef("width"))
    room = "width - names_px"
    shape = text_layer(
        f"{room} > 80 ? datum.shape : ''",
        x="names_px",
        y="datum.y",
        fill=MUTED,
        limit=alt.ExprRef(f"max(1, {room})"),
    )
    total = text_layer("datum.total", x="scale('x', datum.end) + 8", y="datum.middle", fill=INK, fontWeight=600)
    return layers(name, shape, total)


@cache
def legend_layers() -> Row:
    """Return the layers of the legend, in two rows where the page is narrow."""
    wide = "legend_px < width"
    x, top = f"({wide} ? datum.x : datum.narrow_x)", f"({wide} ? 4 : datum.line)"
    square = alt.Chart().mark_rect(
        x=alt.ExprRef(x),
        x2=alt.ExprRef(f"{x} + 11"),
        y=alt.ExprRef(top),
        y2=alt.ExprRef(f"{top} + 11"),
        fill=alt.ExprRef("datum.fill"),
    )
    return layers(square, text_layer("datum.name", x=f"{x} + 16", y=f"{top} + 6", fill=MUTED))
