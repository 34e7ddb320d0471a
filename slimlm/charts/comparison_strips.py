"""The comparison chart: one strip of components per model; and what `comparison_profiles` shares with it."""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Literal

import altair as alt

from slimlm.charts.components import MODEL_ENCODING, Label, component_boxes, component_facts, fitting_label
from slimlm.charts.palette import COMPONENT_COLORS, INK, MUTED
from slimlm.charts.theme import Figure, Row, figure, layers, text_layer, text_width
from slimlm.compare.pins import Pin
from slimlm.core.accounting import Component
from slimlm.core.describe import heads_phrase, layers_phrase, params_words, size_words
from slimlm.core.names import COMPONENT_NAMES
from slimlm.utils.formatting import format_count, format_share

Measure = Literal["share", "params"]
"""What length and area encode: the share of each model, or parameters on one scale."""

LEGEND_PX = 30
"""Height of the legend."""

_STRIP_PX, _HEAD_PX, _STEP_PX, _END_PX = 30, 22, 70, 74
BOLD = 1.04
"""Width of bold text relative to that of normal text."""

_LEGEND_WIDTHS = (520, 320, 240)
"""Widths, in pixels, for which the legend is also laid out, besides that of one row."""


def comparison_chart(pins: Sequence[Pin], measure: Measure = "share") -> Figure:
    """Show the parameters of several models by component: one strip per model, from input to output.

    Length encodes share or parameters, on one scale for all strips; colour encodes the component, as the legend on top
    says. A segment has a label where it fits. A model's name stands above its strip and its total at the end.
    """
    segments = [row for place, pin in enumerate(pins) for row in _segments(pins, place, pin, measure)]
    heads = [_head(pins, place, pin, measure) for place, pin in enumerate(pins)]
    names_px = max(text_width(pin.name, 13) for pin in pins) * BOLD + 20
    return figure(
        ({"values": segments}, _segment_layers()),
        ({"values": alike(heads, "shape_px", "brief_px")}, _head_layers()),
        ({"values": legend_rows(pins)}, legend_layers()),
        title="Where the parameters go",
        subtitle=[subject_line(pins), _strip_line(measure)],
        description=describe_comparison(pins),
        height=LEGEND_PX + _STEP_PX * len(pins) - (_STEP_PX - _HEAD_PX - _STRIP_PX),
        values={"names_px": names_px, "legend_px": legend_widths(pins)},
        reflows=True,
    )


def subject_line(pins: Sequence[Pin]) -> str:
    """Return the first line below the title of a chart, short enough for a phone."""
    ends = "from input to output"
    return f"{len(pins)} models side by side, {ends}" if len(pins) > 1 else f"One model {ends}"


def _strip_line(measure: Measure) -> str:
    return "Each strip is one model (100 %)" if measure == "share" else "Length is parameters, on one scale"


def describe_comparison(pins: Sequence[Pin]) -> str:
    """Describe the parameters of several models by component, for screen readers."""
    return " ".join(_in_words(pin) for pin in pins)


def _in_words(pin: Pin) -> str:
    parts = (f"{COMPONENT_NAMES[part.key]} {format_share(part.share)}" for part in parts_of(pin))
    return f"{pin.name}, {params_words(pin.subject.account)}: {', '.join(parts)}."


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
    joint = " × " if arch.n_loops == 1 else " · "
    shape = f"{layers_phrase(arch)}{joint}d_model {arch.d_model:,} · d_ff {arch.d_ff:,} · {heads_phrase(arch)}"
    brief = f"{arch.n_layers:,} × {arch.d_model:,}"
    return {
        "name": pin.name,
        "shape": shape,
        "shape_px": text_width(shape, 13),
        "brief": brief,
        "brief_px": text_width(brief, 13),
        "y": top + _HEAD_PX / 2 - 2,
        "total": size_words(pin.subject.account),
        "middle": top + _HEAD_PX + _STRIP_PX / 2,
        "end": length_of(pins, pin, measure),
    }


def alike(rows: list[Row], *fields: str) -> list[Row]:
    """Give all rows the largest value of some fields, so that their texts take the same form."""
    largest = {field: max(row[field] for row in rows) for field in fields}
    return [row | largest for row in rows]


def legend_rows(pins: Sequence[Pin]) -> list[Row]:
    """Return the components that occur, from input to output, with colours and with positions for every width.

    A position is `x`, in pixels, and `up`, the rows below it: the last row stays in its place.
    """
    keys = _legend_keys(pins)
    layouts = [_legend_layout(keys, width) for width in (math.inf, *_LEGEND_WIDTHS)]
    return [
        {
            "key": key,
            "name": COMPONENT_NAMES[key],
            "fill": COMPONENT_COLORS[key],
            "x": [layout[place][0] for layout in layouts],
            "up": [layout[-1][1] - layout[place][1] for layout in layouts],
        }
        for place, key in enumerate(keys)
    ]


def _legend_keys(pins: Sequence[Pin]) -> list[str]:
    found = {part.key for pin in pins for part in parts_of(pin)}
    return [key for key in COMPONENT_NAMES if key in found]


def _legend_layout(keys: Sequence[str], width: float) -> list[tuple[float, int]]:
    """Return the left edge and the row of every component in rows of a width."""
    x, row, places = 0.0, 0, []
    for key in keys:
        if x and x + _legend_px(key) > width:
            x, row = 0.0, row + 1
        places.append((x, row))
        x += _legend_px(key) + 14
    return places


def _legend_px(key: str) -> float:
    return 16 + text_width(COMPONENT_NAMES[key], 13)


def legend_widths(pins: Sequence[Pin]) -> list[float]:
    """Return the least widths, in pixels, of the layouts of the legend; the last layout has none."""
    keys = _legend_keys(pins)
    return [sum(map(_legend_px, keys)) + 14 * (len(keys) - 1), *map(float, _LEGEND_WIDTHS[:-1])]


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
    # The name has priority: the shape follows it in the longest form that fits beside all names.
    name = text_layer("datum.name", x="0", y="datum.y", fill=INK, fontWeight=600, limit=alt.ExprRef("width"))
    room = "width - names_px"
    shape = text_layer(
        f"{room} > datum.shape_px ? datum.shape : {room} > datum.brief_px ? datum.brief : ''",
        x="names_px",
        y="datum.y",
        fill=MUTED,
    )
    total = text_layer("datum.total", x="scale('x', datum.end) + 8", y="datum.middle", fill=INK, fontWeight=600)
    return layers(name, shape, total)


@cache
def legend_layers() -> Row:
    """Return the layers of the legend, in as many rows as the width needs; all but the last are above the plot."""
    layout = width_choice("legend_px", len(_LEGEND_WIDTHS))
    x, top = f"datum.x[{layout}]", f"(4 - 17 * datum.up[{layout}])"
    square = alt.Chart().mark_rect(
        x=alt.ExprRef(x),
        x2=alt.ExprRef(f"{x} + 11"),
        y=alt.ExprRef(top),
        y2=alt.ExprRef(f"{top} + 11"),
        fill=alt.ExprRef("datum.fill"),
    )
    return layers(square, text_layer("datum.name", x=f"{x} + 16", y=f"{top} + 6", fill=MUTED))


def width_choice(limits: str, count: int) -> str:
    """Return the expression of the first of `count` named widths that the page has, or `count` without any."""
    choices = "".join(f"width >= {limits}[{place}] ? {place} : " for place in range(count))
    return f"({choices}{count})"
