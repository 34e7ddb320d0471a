"""Layer profiles of models side by side, as small multiples on one scale."""

import math
from collections.abc import Iterator, Sequence
from functools import cache

import altair as alt

from slimlm.charts.allocation import component_facts
from slimlm.charts.comparison_strips import (
    BOX,
    ENCODING,
    KEY_PX,
    Measure,
    describe_comparison,
    figures_of,
    fitting,
    fitting_text,
    key_layers,
    key_rows,
    key_width,
    length_of,
    parts_of,
    title_of,
)
from slimlm.charts.palette import INK, MUTED, PAGE
from slimlm.charts.theme import Figure, Row, figure, layers, text_layer
from slimlm.compare.pins import Pin
from slimlm.core.describe import counted
from slimlm.utils.formatting import format_count

_BOX_PX, _HEAD_PX, _GAP_PX = 180, 44, 26
_COLUMN, _FEWEST_PX = 0.93, 3.5
_COLUMNS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 3, 6: 3, 7: 4, 8: 4}


def profiles_chart(pins: Sequence[Pin], measure: Measure = "share") -> Figure:
    """Draw each model from its input to its output, in small pictures of one scale.

    Area encodes a component's share of its model, or its parameters on one scale: then a model of a quarter of the
    parameters has half the width and half the height. Inside the blocks the height of a component is its part of them.
    """
    columns = _COLUMNS[len(pins)]
    boxes = [row for place, pin in enumerate(pins) for row in _stages(pins, place, pin, measure)]
    lines = [row for place, pin in enumerate(pins) for row in _block_lines(pins, place, pin, measure)]
    return figure(
        ({"values": boxes}, _stage_layers(columns)),
        ({"values": lines}, _line_layers(columns)),
        ({"values": boxes}, _stage_label_layers()),
        ({"values": [_caption(pins, place, pin, measure) for place, pin in enumerate(pins)]}, _caption_layers()),
        ({"values": key_rows(pins)}, key_layers()),
        title=title_of("Layer profiles", pins),
        subtitle=[_profile_line(measure)],
        description=f"Layer profiles. {describe_comparison(pins)}",
        height=KEY_PX + round(sum(_row_heights(pins, measure))) - _GAP_PX,
        values={"key_px": key_width(pins), "columns": columns},
    )


def _profile_line(measure: Measure) -> str:
    area = "share of the model" if measure == "share" else "parameters, on one scale"
    return f"Input on the left, output on the right · area is {area} · fine lines between the blocks"


def _corner(pins: Sequence[Pin], place: int, measure: Measure) -> tuple[float, float]:
    """Return the left end of a model's picture, in columns, and its top in pixels."""
    row, column = divmod(place, _COLUMNS[len(pins)])
    return float(column), KEY_PX + _HEAD_PX + sum(_row_heights(pins, measure)[:row])


def _row_heights(pins: Sequence[Pin], measure: Measure) -> list[float]:
    """Return how high each row of pictures is, as its largest one needs it."""
    columns = _COLUMNS[len(pins)]
    rows = (pins[start : start + columns] for start in range(0, len(pins), columns))
    return [_HEAD_PX + _BOX_PX * max(_side(pins, pin, measure) for pin in row) + _GAP_PX for row in rows]


def _side(pins: Sequence[Pin], pin: Pin, measure: Measure) -> float:
    """Return the width and the height of a model's picture, where the largest has 1."""
    return math.sqrt(length_of(pins, pin, measure))


def _stages(pins: Sequence[Pin], place: int, pin: Pin, measure: Measure) -> Iterator[Row]:
    """Yield a rectangle for every component, the blocks' components stacked over all blocks."""
    left, top = _corner(pins, place, measure)
    side, blocks = _side(pins, pin, measure), _blocks_share(pin)
    x = y = 0.0
    for part in parts_of(pin):
        # The blocks' components follow each other; behind the last of them the picture goes on to the right.
        if y and not part.per_layer:
            x, y = x + blocks, 0.0
        width, height = (blocks, part.share / blocks) if part.per_layer else (part.share, 1.0)
        row = component_facts(part) | {"model": pin.name} | figures_of(part, measure)
        row |= {"start": left + _COLUMN * side * x, "end": left + _COLUMN * side * (x + width)}
        yield row | {"top": top + _BOX_PX * side * y, "bottom": top + _BOX_PX * side * (y + height)}
        x, y = (x, y + height) if part.per_layer else (x + width, y)


def _blocks_share(pin: Pin) -> float:
    return sum(part.share for part in parts_of(pin) if part.per_layer)


def _before_blocks(pin: Pin) -> float:
    found = parts_of(pin)
    first = next(place for place, part in enumerate(found) if part.per_layer)
    return sum(part.share for part in found[:first])


def _blocks_per_line(pins: Sequence[Pin], pin: Pin, measure: Measure) -> int:
    """Return how many blocks stand between two lines: 1, or as many as keep the lines a few pixels apart."""
    width = 960 / _COLUMNS[len(pins)] * _COLUMN * _side(pins, pin, measure) * _blocks_share(pin)
    return 1 << max(0, math.ceil(math.log2(pin.architecture.n_layers * _FEWEST_PX / width)))


def _block_lines(pins: Sequence[Pin], place: int, pin: Pin, measure: Measure) -> Iterator[Row]:
    left, top = _corner(pins, place, measure)
    side, n_layers = _side(pins, pin, measure), pin.architecture.n_layers
    for block in range(group := _blocks_per_line(pins, pin, measure), n_layers, group):
        x = _before_blocks(pin) + _blocks_share(pin) * block / n_layers
        yield {"start": left + _COLUMN * side * x, "top": top, "bottom": top + _BOX_PX * side}


def _caption(pins: Sequence[Pin], place: int, pin: Pin, measure: Measure) -> Row:
    left, top = _corner(pins, place, measure)
    arch, group = pin.architecture, _blocks_per_line(pins, pin, measure)
    total = format_count(pin.subject.total_params)
    ruled = group > 1 and arch.n_layers > group
    shape = [
        *([] if pin.name.startswith(total) else [total]),
        f"{arch.n_layers:,} × {arch.d_model:,}" if ruled else f"{counted(arch.n_layers, 'layer')} × {arch.d_model:,}",
        *([f"a line every {group:,}"] if ruled else []),
    ]
    return {"name": pin.name, "shape": " · ".join(shape), "start": left, "y": top - _HEAD_PX + 10}


def _column_axis(columns: int) -> alt.X:
    # The gap behind the last column is left out, so that pictures reach both edges.
    return alt.X("start:Q", scale=alt.Scale(domain=[0, columns - 1 + _COLUMN], nice=False), axis=None)


@cache
def _stage_layers(columns: int) -> Row:
    return layers(alt.Chart().mark_rect(stroke=PAGE, strokeWidth=1).encode(_column_axis(columns), **BOX, **ENCODING))


@cache
def _line_layers(columns: int) -> Row:
    lines = alt.Chart().mark_rule(color=PAGE, strokeWidth=1, opacity=0.5)
    return layers(lines.encode(_column_axis(columns), alt.Y("top:Q", scale=None, axis=None), y2="bottom"))


@cache
def _stage_label_layers() -> Row:
    high, middle = "(datum.bottom - datum.top)", "(datum.top + datum.bottom) / 2"
    centre = "scale('x', (datum.start + datum.end) / 2)"
    wide, text = "(scale('x', datum.end) - scale('x', datum.start))", fitting_text(high)
    turned = f"({text} == '' && {wide} > 18 && {high} > datum.short_px)"
    on_its_side = text_layer(
        f"{turned} ? datum.short : ''", x=centre, y=middle, fill=alt.ExprRef("datum.ink"), align="center", angle=270
    )
    # The label's own plate keeps the lines between blocks from crossing it.
    length = f"({text} == datum.long ? datum.long_px : {text} == '' && !{turned} ? 0 : datum.short_px)"
    across, along = f"({turned} ? 9 : {length} / 2)", f"({turned} ? {length} / 2 : 9)"
    plate = alt.Chart().mark_rect(
        x=alt.ExprRef(f"{centre} - {across}"),
        x2=alt.ExprRef(f"{centre} + {across}"),
        y=alt.ExprRef(f"{middle} - {along}"),
        y2=alt.ExprRef(f"{middle} + {along}"),
        fill=alt.ExprRef("datum.fill"),
    )
    return layers(plate, fitting(middle, high), on_its_side)


@cache
def _caption_layers() -> Row:
    room = alt.ExprRef(f"width / columns * {_COLUMN}")
    x = "scale('x', datum.start)"
    name = text_layer("datum.name", x=x, y="datum.y", fill=INK, fontWeight=600, limit=room)
    return layers(name, text_layer("datum.shape", x=x, y="datum.y + 18", fill=MUTED, limit=room))
