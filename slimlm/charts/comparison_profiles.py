"""Layer profiles of models side by side, as small multiples on one scale."""

import math
from collections.abc import Iterator, Sequence
from functools import cache

import altair as alt

from slimlm.charts.comparison_strips import (
    LABELS,
    LEGEND_PX,
    Measure,
    component_labels,
    describe_comparison,
    legend_layers,
    legend_rows,
    legend_width,
    length_of,
    title_of,
)
from slimlm.charts.components import MODEL_ENCODING, Label, component_boxes, fitting_label, label_background
from slimlm.charts.palette import INK, MUTED
from slimlm.charts.stages import Blocks, Box, block_line_layers, block_lines, stage_axis, stage_rows
from slimlm.charts.theme import Figure, Row, figure, layers, text_layer
from slimlm.compare.pins import Pin
from slimlm.core.describe import counted
from slimlm.utils.formatting import format_count

_BOX_PX, _HEAD_PX, _GAP_PX = 180, 44, 26
_COLUMN, _LEAST_PX = 0.93, 3.5
_COLUMNS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 3, 6: 3, 7: 4, 8: 4}


def profiles_chart(pins: Sequence[Pin], measure: Measure = "share") -> Figure:
    """Show each model from input to output, as small multiples.

    Area encodes a component's share of its model, or its parameters on one scale: then a model with a quarter of the
    parameters has half the width and half the height. Inside the blocks a component's height is its share of a block.
    """
    columns, places = _COLUMNS[len(pins)], range(len(pins))
    domain_end = columns - 1 + _COLUMN  # without the gap after the last column
    boxes = [row for place in places for row in _stages(pins, place, measure)]
    return figure(
        ({"values": boxes}, _stage_layers(domain_end)),
        ({"values": [_block_lines(pins, place, measure) for place in places]}, block_line_layers(domain_end)),
        ({"values": boxes}, _stage_label_layers()),
        ({"values": [_caption(pins, place, measure) for place in places]}, _caption_layers()),
        ({"values": legend_rows(pins)}, legend_layers()),
        title=title_of("Layer profiles", pins),
        subtitle=[_profile_line(measure)],
        description=f"Layer profiles. {describe_comparison(pins)}",
        height=LEGEND_PX + round(sum(_row_heights(pins, measure))) - _GAP_PX,
        values={"legend_px": legend_width(pins), "columns": columns},
    )


def _profile_line(measure: Measure) -> str:
    area = "share of the model" if measure == "share" else "parameters, on one scale"
    return f"Input on the left, output on the right · area is {area} · thin lines separate blocks"


def _corner(pins: Sequence[Pin], place: int, measure: Measure) -> tuple[float, float]:
    """Return the left edge of a model's profile, in columns, and its top in pixels."""
    row, column = divmod(place, _COLUMNS[len(pins)])
    return float(column), LEGEND_PX + _HEAD_PX + sum(_row_heights(pins, measure)[:row])


def _row_heights(pins: Sequence[Pin], measure: Measure) -> list[float]:
    """Return the height of each row of profiles, which its largest profile needs."""
    columns = _COLUMNS[len(pins)]
    rows = (pins[start : start + columns] for start in range(0, len(pins), columns))
    return [_HEAD_PX + _BOX_PX * max(_side(pins, pin, measure) for pin in row) + _GAP_PX for row in rows]


def _side(pins: Sequence[Pin], pin: Pin, measure: Measure) -> float:
    """Return the side of a model's profile relative to that of the largest model."""
    return math.sqrt(length_of(pins, pin, measure))


def _box(pins: Sequence[Pin], place: int, measure: Measure) -> Box:
    left, top = _corner(pins, place, measure)
    side = _side(pins, pins[place], measure)
    return Box(left, top, _COLUMN * side, _BOX_PX * side)


def _stages(pins: Sequence[Pin], place: int, measure: Measure) -> Iterator[Row]:
    pin = pins[place]
    for part, row in stage_rows(pin.subject.account, _box(pins, place, measure)):
        yield row | {"model": pin.name} | component_labels(part, measure)


def _blocks_per_line(pins: Sequence[Pin], pin: Pin, measure: Measure) -> int:
    width = 960 / _COLUMNS[len(pins)] * _COLUMN * _side(pins, pin, measure)
    return Blocks.of(pin.subject.account).per_line(width, _LEAST_PX)


def _block_lines(pins: Sequence[Pin], place: int, measure: Measure) -> Row:
    group = _blocks_per_line(pins, pins[place], measure)
    return block_lines(Blocks.of(pins[place].subject.account), group, _box(pins, place, measure))


def _caption(pins: Sequence[Pin], place: int, measure: Measure) -> Row:
    pin, (left, top) = pins[place], _corner(pins, place, measure)
    arch, group = pin.architecture, _blocks_per_line(pins, pin, measure)
    total = format_count(pin.subject.total_params)
    ruled = group > 1 and arch.n_layers > group
    shape = [
        *([] if pin.name.startswith(total) else [total]),
        f"{arch.n_layers:,} × {arch.d_model:,}" if ruled else f"{counted(arch.n_layers, 'layer')} × {arch.d_model:,}",
        *([f"a line every {group:,}"] if ruled else []),
    ]
    return {"name": pin.name, "shape": " · ".join(shape), "start": left, "y": top - _HEAD_PX + 10}


_LABELS = (*LABELS, Label("short", 18, 9, turned=True))


@cache
def _stage_layers(domain_end: float) -> Row:
    return layers(component_boxes(stage_axis(domain_end), MODEL_ENCODING))


@cache
def _stage_label_layers() -> Row:
    return layers(label_background(*_LABELS), fitting_label(*_LABELS))


@cache
def _caption_layers() -> Row:
    room = alt.ExprRef(f"width / columns * {_COLUMN}")
    x = "scale('x', datum.start)"
    name = text_layer("datum.name", x=x, y="datum.y", fill=INK, fontWeight=600, limit=room)
    return layers(name, text_layer("datum.shape", x=x, y="datum.y + 18", fill=MUTED, limit=room))
