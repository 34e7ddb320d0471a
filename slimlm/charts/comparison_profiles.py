"""Layer profiles of models side by side, as small multiples on one scale."""

import math
from collections.abc import Iterator, Sequence
from functools import cache

import altair as alt

from slimlm.charts.comparison_strips import (
    BOLD,
    LABELS,
    LEGEND_PX,
    Measure,
    alike,
    component_labels,
    describe_comparison,
    legend_layers,
    legend_rows,
    legend_widths,
    length_of,
    subject_line,
    width_choice,
)
from slimlm.charts.components import MODEL_ENCODING, Label, component_boxes, fitting_label, label_background
from slimlm.charts.palette import INK, MUTED
from slimlm.charts.stages import Blocks, Box, block_line_layers, block_lines, stage_axis, stage_rows
from slimlm.charts.theme import Figure, Row, figure, layers, text_layer, text_width
from slimlm.compare.pins import Pin
from slimlm.core.describe import shape_phrase, size_words

_BOX_PX, _HEAD_PX, _GAP_PX = 180, 44, 26
_COLUMN, _LEAST_PX = 0.93, 3.5
_COLUMNS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 3, 6: 3, 7: 4, 8: 4}


def profiles_chart(pins: Sequence[Pin], measure: Measure = "share") -> Figure:
    """Show each model from input to output, as small multiples.

    Area encodes a component's share of its model, or its parameters on one scale: then a model with a quarter of the
    parameters has half the width and half the height. Inside the blocks a component's height is its share of a block.
    """
    places = range(len(pins))
    boxes = [row for place in places for row in _stages(pins, place, measure)]
    labels = [row for place in places for row in _stage_labels(pins, place, measure)]
    return figure(
        ({"values": boxes}, _moved(_stage_layers(), _BOX_MOVES)),
        (
            {"values": [_block_lines(pins, place, measure) for place in places]},
            _moved(block_line_layers(1), _LINE_MOVES),
        ),
        ({"values": labels}, _moved(_stage_label_layers(), _BOX_MOVES)),
        (
            {"values": alike([_caption(pins, place, measure) for place in places], "shape_px")},
            _moved(_caption_layers(), _CAPTION_MOVES),
        ),
        ({"values": legend_rows(pins)}, legend_layers()),
        title="Layer profiles",
        subtitle=[subject_line(pins), _profile_line(measure)],
        description=f"Layer profiles. {describe_comparison(pins)}",
        height=LEGEND_PX + round(sum(_row_heights(pins, measure, _COLUMNS[len(pins)]))) - _GAP_PX,
        values={"legend_px": legend_widths(pins)} | _layouts(pins, measure),
        reflows=True,
    )


def _profile_line(measure: Measure) -> str:
    area = "share of the model" if measure == "share" else "parameters, on one scale"
    return f"Area is {area} · thin lines separate blocks"


# Layouts: fewer columns on a narrow page.


def _columns(pins: Sequence[Pin]) -> list[int]:
    """Return the columns of each layout, the widest first."""
    most = _COLUMNS[len(pins)]
    return [most, min(2, most), 1]


def _layouts(pins: Sequence[Pin], measure: Measure) -> Row:
    """Return how every layout moves the profiles from their places in the first one, and from which width on."""
    columns = _columns(pins)
    caption_px = max(max(_name_px(pin), text_width(_size_and_shape(pin), 13)) for pin in pins) / _COLUMN
    return {
        "columns": columns,
        # Columns are narrower than a long name on an ordinary page, but not for an ordinary one.
        "columns_px": [min(caption_px * columns[0], 640.0), min(caption_px * columns[1], 320.0)],
        "unit": [1 / (count - 1 + _COLUMN) for count in columns],  # without the gap after the last column
        "moves": [_moves(pins, measure, count) for count in columns],
    }


def _moves(pins: Sequence[Pin], measure: Measure, columns: int) -> list[tuple[float, float]]:
    most, moves = _COLUMNS[len(pins)], []
    for place in range(len(pins)):
        (left, top), (first_left, first_top) = (_corner(pins, place, measure, count) for count in (columns, most))
        moves.append((left - first_left, top - first_top))
    return moves


_LAYOUT = width_choice("columns_px", 2)
_ACROSS, _UNIT = f"moves[{_LAYOUT}][datum.place][0]", f"unit[{_LAYOUT}]"
_DOWN = f"moves[{_LAYOUT}][datum.place][1]"
_HIGH = {name: f"datum.{name}_first + {_DOWN}" for name in ("top", "bottom")}
_BOX_MOVES = {name: f"(datum.{name}_first + {_ACROSS}) * {_UNIT}" for name in ("start", "end")} | _HIGH
_LINE_MOVES = {
    "first": f"(datum.first_first + {_ACROSS}) * {_UNIT}",
    "step": f"datum.step_first * {_UNIT}",
} | _HIGH
_CAPTION_MOVES = {"start": _BOX_MOVES["start"], "y": f"datum.y_first + {_DOWN}"}
"""Fields of a row in the layout of the page's width, from those in the first layout, which end in `_first`."""


def _moved(template: Row, moves: dict[str, str]) -> Row:
    return template | {"transform": [{"calculate": moved, "as": field} for field, moved in moves.items()]}


def _first(row: Row, moves: dict[str, str]) -> Row:
    """Rename the fields of a row that a layout moves."""
    return {f"{key}_first" if key in moves else key: value for key, value in row.items()}


def _corner(pins: Sequence[Pin], place: int, measure: Measure, columns: int) -> tuple[float, float]:
    """Return the left edge of a model's profile, in columns, and its top in pixels."""
    row, column = divmod(place, columns)
    return float(column), LEGEND_PX + _HEAD_PX + sum(_row_heights(pins, measure, columns)[:row])


def _row_heights(pins: Sequence[Pin], measure: Measure, columns: int) -> list[float]:
    """Return the height of each row of profiles, which its largest profile needs."""
    rows = (pins[start : start + columns] for start in range(0, len(pins), columns))
    return [_HEAD_PX + _BOX_PX * max(_side(pins, pin, measure) for pin in row) + _GAP_PX for row in rows]


# Rows, in the first layout.


def _side(pins: Sequence[Pin], pin: Pin, measure: Measure) -> float:
    """Return the side of a model's profile relative to that of the largest model."""
    return math.sqrt(length_of(pins, pin, measure))


def _box(pins: Sequence[Pin], place: int, measure: Measure) -> Box:
    left, top = _corner(pins, place, measure, _COLUMNS[len(pins)])
    side = _side(pins, pins[place], measure)
    return Box(left, top, _COLUMN * side, _BOX_PX * side)


def _stages(pins: Sequence[Pin], place: int, measure: Measure) -> Iterator[Row]:
    pin = pins[place]
    for _, row in stage_rows(pin.subject.account, _box(pins, place, measure)):
        yield _first(row, _BOX_MOVES) | {"model": pin.name, "place": place}


def _stage_labels(pins: Sequence[Pin], place: int, measure: Measure) -> Iterator[Row]:
    """Yield the rows of the labels, without the texts of the tooltips, so that eight mixtures stay small to send."""
    for part, row in stage_rows(pins[place].subject.account, _box(pins, place, measure)):
        drawn = {key: row[key] for key in ("start", "end", "top", "bottom", "fill", "ink")}
        yield _first(drawn, _BOX_MOVES) | {"place": place} | component_labels(part, measure)


def _blocks_per_line(pins: Sequence[Pin], pin: Pin, measure: Measure) -> int:
    width = 960 / _COLUMNS[len(pins)] * _COLUMN * _side(pins, pin, measure)
    return Blocks.of(pin.subject.account).per_line(width, _LEAST_PX)


def _block_lines(pins: Sequence[Pin], place: int, measure: Measure) -> Row:
    group = _blocks_per_line(pins, pins[place], measure)
    lines = block_lines(Blocks.of(pins[place].subject.account), group, _box(pins, place, measure))
    return _first(lines, _LINE_MOVES) | {"place": place}


def _caption(pins: Sequence[Pin], place: int, measure: Measure) -> Row:
    pin, (left, top) = pins[place], _corner(pins, place, measure, _COLUMNS[len(pins)])
    arch, group = pin.architecture, _blocks_per_line(pins, pins[place], measure)
    ruled = group > 1 and arch.n_layers > group
    shape = f"{_size_and_shape(pin)} · a line every {group:,}" if ruled else _size_and_shape(pin)
    brief = _size_and_shape(pin).replace(" layers", "").replace(" layer", "")
    row = {"name": pin.name, "shape": shape, "shape_px": text_width(shape, 13), "brief": brief, "place": place}
    return row | _first({"start": left, "y": top - _HEAD_PX + 10}, _CAPTION_MOVES)


def _size_and_shape(pin: Pin) -> str:
    arch, total = pin.architecture, size_words(pin.subject.account)
    shape = shape_phrase(arch)
    return shape if pin.name.startswith(total) else f"{total} · {shape}"


def _name_px(pin: Pin) -> float:
    return text_width(pin.name, 13) * BOLD


_LABELS = (*LABELS, Label("short", 18, 9, turned=True))


@cache
def _stage_layers() -> Row:
    return layers(component_boxes(stage_axis(1), MODEL_ENCODING))


@cache
def _stage_label_layers() -> Row:
    return layers(label_background(*_LABELS), fitting_label(*_LABELS))


@cache
def _caption_layers() -> Row:
    room = f"(width * {_UNIT} * {_COLUMN})"
    x = "scale('x', datum.start)"
    name = text_layer("datum.name", x=x, y="datum.y", fill=INK, fontWeight=600, limit=alt.ExprRef(room))
    shape = f"{room} > datum.shape_px ? datum.shape : datum.brief"
    return layers(name, text_layer(shape, x=x, y="datum.y + 18", fill=MUTED, limit=alt.ExprRef(room)))
