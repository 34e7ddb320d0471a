"""Charts: functions from data to pictures that explain themselves without a page around them.

Titles name the design, subtitles the request; labels stand beside what they name, so that no legend is needed.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import altair as alt

from slimlm.accounting import EMBEDDING_RATIO_DEFINITION, Component
from slimlm.config import ModelConfig
from slimlm.design import BENT, Design
from slimlm.theme import (
    COLOR_SCALE,
    COMPONENT_COLORS,
    FAINT,
    INK,
    MUTED,
    PAGE,
    Figure,
    Row,
    figure,
    for_export,
    ink_on,
    layers,
    text_layer,
    text_width,
)
from slimlm.units import format_count, format_miss, format_share, format_size

__all__ = [
    "COMPONENT_COLORS",
    "TradeoffPoint",
    "allocation_chart",
    "describe_allocation",
    "for_export",
    "layer_profile_chart",
    "tradeoff_chart",
]

Box = tuple[float, float, float, float]
"""Left, right, top, bottom."""

_TRADEOFF_PX, _PLOT_PX, _LINEAR = 320, 600, 0.02
_TICKS = [0.0, *(sign * tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100) for sign in (-1, 1))]
_PROFILE_TOP_PX, _PROFILE_PX = 34, 200
_NAMES_PX, _VALUES_PX, _STRIP_PX, _ROW_PX, _BARS_TOP_PX = 142, 124, 36, 27, 52
_DEFINITION = f"Embedding ratio: {EMBEDDING_RATIO_DEFINITION}."


def request_line(config: ModelConfig) -> str:
    """Say what was asked in one line.

    >>> request_line(ModelConfig(n_layers=9))[-82:]
    'embedding ratio 0.35 · GLU expansion 2.66 · tied LM head · 512 positions · depth 9'
    """
    parts = [
        f"{format_size(config.total_params)} parameters",
        f"vocabulary {config.vocab_size:,}",
        f"embedding ratio {config.embedding_ratio:g}",
        f"GLU expansion {config.glu_expansion:g}",
        "tied LM head" if config.tied_lm_head else "untied LM head",
        f"{config.max_seq_length:,} positions",
    ]
    if config.n_layers is not None:
        parts.append(f"depth {config.n_layers:,}")
    if config.multiple_of > 1:
        parts.append(f"multiples of {config.multiple_of:,}")
    return "Asked: " + " · ".join(parts)


def result_line(design: Design) -> str:
    """Say what the request became, with the misses, in one line."""
    total, ratio, expansion = design.asked_got
    return (
        f"Got: {format_count(round(total.got))} ({format_miss(total.miss)}) · "
        f"embedding ratio {ratio.got:.3f} ({format_miss(ratio.miss)}) · "
        f"GLU expansion {expansion.got:.3g} ({format_miss(expansion.miss)})"
    )


def describe_allocation(design: Design) -> str:
    """Describe in one sentence where the parameters went, for those who do not see the chart."""
    parts = [f"{part.name} {format_share(part.share)}" for part in _sorted(design) if part.params]
    return f"{design.title}: {', '.join(parts)}."


def _sorted(design: Design) -> list[Component]:
    return sorted(design.account.components, key=lambda part: -part.params)


def _facts(part: Component) -> Row:
    """Return what a tooltip says about a component."""
    per_layer = f"{part.copies:,} × {part.copy_params:,}" if part.per_layer else "once"
    return {
        "key": part.key,
        "name": part.name,
        "share": part.share,
        "exact": f"{part.params:,}",
        "percent": format_share(part.share),
        "formula": part.formula,
        "copies": per_layer,
        "fill": COMPONENT_COLORS[part.key],
        "ink": ink_on(COMPONENT_COLORS[part.key]),
    }


_COLOR = alt.Color("key:N", scale=COLOR_SCALE, legend=None)
_TOOLTIP = [
    alt.Tooltip("name:N", title="Component"),
    alt.Tooltip("exact:N", title="Parameters"),
    alt.Tooltip("percent:N", title="Share"),
    alt.Tooltip("formula:N", title="Formula"),
    alt.Tooltip("copies:N", title="Copies"),
]


def allocation_chart(design: Design) -> Figure:
    """Show where the parameters went: one strip of 100 %, and below it its parts, largest first.

    Length encodes a component's share on the one scale that strip and bars have in common; colour encodes the
    component; count and share stand at the end of each bar; a component without parameters is said in words.
    """
    rows = _allocation_rows(design)
    return figure(
        ({"values": rows}, _allocation_layers()),
        ({"values": [{"total": f"{format_count(design.total_params)} · 100 %"}]}, _total_layers()),
        title=design.title,
        subtitle=[request_line(design.config), result_line(design), _DEFINITION],
        description=describe_allocation(design),
        height=_BARS_TOP_PX + _ROW_PX * len(rows),
    )


@cache
def _allocation_layers() -> Row:
    return layers(*_strip(), *_bars())


@cache
def _total_layers() -> Row:
    name = text_layer("'All parameters'", x="0", y=str(_STRIP_PX / 2), fill=INK)
    total = text_layer("datum.total", x="range('x')[1] + 8", y=str(_STRIP_PX / 2), fill=INK, fontWeight=600)
    return layers(name, total)


def _allocation_rows(design: Design) -> list[Row]:
    rows, end = [], 0.0
    for index, part in enumerate(_sorted(design)):
        start, end = end, end + part.share
        row = _facts(part)
        long = f"{part.name} {row['percent']}"
        row |= {
            "start": start,
            "end": end,
            "y": _BARS_TOP_PX + _ROW_PX * (index + 0.5),
            "label": part.name if part.params else _in_words(part),
            "value": f"{format_count(part.params)} · {row['percent']}" if part.params else "",
            "origin": f"{part.copies:,} × {part.formula}" if part.per_layer else part.formula,
            "long": long,
            "long_px": text_width(long, 13) + 10,
            "short_px": text_width(row["percent"], 13) + 8,
        }
        rows.append(row | {"origin_px": text_width(row["origin"], 13)})
    return rows


def _strip() -> tuple[alt.Chart, alt.Chart]:
    segments = (
        alt.Chart()
        .mark_rect(stroke=PAGE, strokeWidth=1)
        .encode(_share_axis(), x2="end", y=alt.value(0), y2=alt.value(_STRIP_PX), color=_COLOR, tooltip=_TOOLTIP)
    )
    # A segment's name is drawn only where it fits at the width at which the figure is shown.
    room = "(range('x')[1] - range('x')[0]) * datum.share"
    fitting = f"{room} > datum.long_px ? datum.long : {room} > datum.short_px ? datum.percent : ''"
    middle = "scale('x', (datum.start + datum.end) / 2)"
    labels = text_layer(fitting, x=middle, y=str(_STRIP_PX / 2), fill=alt.ExprRef("datum.ink"), align="center")
    return segments, labels


def _share_axis() -> alt.X:
    ends: list[float | alt.ExprRef] = [_NAMES_PX, alt.ExprRef(f"max({_NAMES_PX + 20}, width - {_VALUES_PX})")]
    return alt.X("start:Q", scale=alt.Scale(domain=[0, 1], range=ends, nice=False), axis=None)


def _bars() -> tuple[alt.Chart, ...]:
    vertical = alt.Y("y:Q", scale=None, axis=None)
    horizontal = alt.X("share:Q", scale=alt.Scale(zero=True))
    bars = (
        alt.Chart()
        .mark_bar(height=16, orient="horizontal")
        .encode(horizontal, y=vertical, color=_COLOR, tooltip=_TOOLTIP)
    )
    names = text_layer("datum.label", x="0", y="datum.y", fill=INK, opacity=alt.ExprRef("datum.share > 0 ? 1 : 0.7"))
    values = text_layer("datum.value", x="scale('x', datum.share) + 8", y="datum.y", fill=INK, fontWeight=600)
    room = f"width - scale('x', datum.share) - {_VALUES_PX} > datum.origin_px"
    origins = text_layer(
        f"{room} && datum.share > 0 ? datum.origin : ''", x="width", y="datum.y", fill=MUTED, align="right"
    )
    return bars, names, values, origins


def layer_profile_chart(design: Design) -> Figure:
    """Draw the model from input to output: how much of it is embeddings, how many blocks there are, how wide each is.

    Area encodes parameters: all stages share one height, so that a stage's width is its share of the total; inside the
    blocks the height of attention, feed-forward and norms is theirs of a block; colour encodes the component.
    """
    arch = design.architecture
    group = _blocks_per_line(design)
    lines = "every column of the blocks is one block" if group == 1 else f"blocks are ruled off in groups of {group:,}"
    return figure(
        ({"values": _stages(design)}, _stage_layers()),
        ({"sequence": _block_lines(design, group)}, _block_line_layers()),
        ({"values": _stages(design)}, _stage_label_layers()),
        ({"values": [_bracket(design)]}, _bracket_layers()),
        ({"values": _legend_rows(design)}, _legend_layers()),
        title=design.title,
        subtitle=[
            request_line(design.config),
            f"Input on the left, output on the right · area is parameters · {lines}",
        ],
        description=f"{arch.n_layers:,} blocks of {design.account.layer_params:,} parameters. "
        + describe_allocation(design),
        height=_PROFILE_TOP_PX + _PROFILE_PX + 76,
    )


def _stages(design: Design) -> list[Row]:
    """Return a rectangle for every component, the blocks' components stacked over all blocks."""
    components = design.account.components
    blocks = sum(part.share for part in components if part.per_layer)
    rows, x, y = [], 0.0, 0.0
    for part in components:
        # The blocks' components follow each other; behind the last of them the picture goes on to the right.
        if y and not part.per_layer:
            x, y = x + blocks, 0.0
        height = part.share / blocks if part.per_layer else 1.0
        width = blocks if part.per_layer else part.share
        rows.append(_facts(part) | _stage_box(x, y, width, height) | _stage_label(part))
        x, y = (x, y + height) if part.per_layer else (x + width, y)
    return [row for row in rows if row["share"] > 0]


def _stage_box(x: float, y: float, width: float, height: float) -> Row:
    top = _PROFILE_TOP_PX + _PROFILE_PX * y
    return {"start": x, "end": x + width, "top": top, "bottom": top + _PROFILE_PX * height}


def _stage_label(part: Component) -> Row:
    value = f"{format_count(part.params)} · {format_share(part.share)}"
    return {
        "two": f"{part.name}\n{value}",
        "one": f"{part.name} {value}",
        "two_px": max(text_width(part.name, 13), text_width(value, 13)) + 12,
        "one_px": text_width(f"{part.name} {value}", 13) + 12,
        "turned": f"{part.name} {format_share(part.share)}",
        "turned_px": text_width(f"{part.name} {format_share(part.share)}", 13) + 12,
    }


def _blocks_per_line(design: Design) -> int:
    """Return how many blocks stand between two lines: 1, or as many as keep the lines a few pixels apart."""
    n_layers, share = design.architecture.n_layers, _blocks_share(design)
    return 1 << max(0, math.ceil(math.log2(n_layers * 4 / (960 * share))))


def _blocks_share(design: Design) -> float:
    return sum(part.share for part in design.account.components if part.per_layer)


def _blocks_start(design: Design) -> float:
    return float(next(row["start"] for row in _stages(design) if row["copies"] != "once"))


def _block_lines(design: Design, group: int) -> Row:
    start, share = _blocks_start(design), _blocks_share(design)
    step = share / design.architecture.n_layers * group
    return {"start": start + step, "stop": start + share - step / 1000, "step": step, "as": "x"}


def _bracket(design: Design) -> Row:
    start, share = _blocks_start(design), _blocks_share(design)
    n_layers, size = design.architecture.n_layers, design.account.layer_params
    count = f"{n_layers:,} blocks × {format_count(size)} = " if n_layers > 1 else "1 block · "
    label = f"{count}{format_count(n_layers * size)} · {format_share(share)}"
    return {"start": start, "end": start + share, "label": label, "label_px": text_width(label, 13)}


def _legend_rows(design: Design) -> list[Row]:
    """Return what the picture holds in words, so that what is too small to see is still said."""
    components = design.account.components
    first = next(index for index, part in enumerate(components) if part.per_layer)
    stages = {
        "Input": components[:first],
        "Blocks": tuple(part for part in components if part.per_layer),
        "Output": tuple(part for part in components[first:] if not part.per_layer),
    }
    top = _PROFILE_TOP_PX + _PROFILE_PX + 24
    return [
        {"stage": stage, "words": " · ".join(map(_in_words, parts)), "y": top + 21 * index}
        for index, (stage, parts) in enumerate(stages.items())
    ]


def _in_words(part: Component) -> str:
    if part.params:
        return f"{part.name} {format_count(part.params)} ({format_share(part.share)})"
    return f"{part.name} — {part.note}: 0" if part.note else f"{part.name}: 0"


def _profile_x(field: str = "start:Q") -> alt.X:
    return alt.X(field, scale=alt.Scale(domain=[0, 1], nice=False), axis=None)


@cache
def _stage_layers() -> Row:
    boxes = alt.Chart().mark_rect(stroke=PAGE, strokeWidth=1)
    vertical = alt.Y("top:Q", scale=None, axis=None)
    return layers(boxes.encode(_profile_x(), vertical, x2="end", y2="bottom", color=_COLOR, tooltip=_TOOLTIP))


@cache
def _block_line_layers() -> Row:
    lines = alt.Chart().mark_rule(color=PAGE, strokeWidth=1, opacity=0.5)
    ends = {"y": alt.value(_PROFILE_TOP_PX), "y2": alt.value(_PROFILE_TOP_PX + _PROFILE_PX)}
    return layers(lines.encode(_profile_x("x:Q"), **ends))


@cache
def _stage_label_layers() -> Row:
    # Two lines, one line, one line turned, or nothing: whichever is the first to fit.
    wide, high = "(scale('x', datum.end) - scale('x', datum.start))", "(datum.bottom - datum.top)"
    two, one = f"{wide} > datum.two_px && {high} > 38", f"{wide} > datum.one_px && {high} > 18"
    turned = f"{wide} > 20 && {high} > datum.turned_px"
    text = f"{two} ? datum.two : {one} ? datum.one : {turned} ? datum.turned : ''"
    style = {"align": "center", "lineBreak": "\n", "lineHeight": 17, "fill": alt.ExprRef("datum.ink")}
    middle = f"(datum.top + datum.bottom) / 2 - ({two} ? 8 : 0)"
    angle = alt.ExprRef(f"{two} || {one} || !({turned}) ? 0 : 270")
    centre = "scale('x', (datum.start + datum.end) / 2)"
    # The label's own plate keeps the lines between blocks from crossing it.
    shown = f"({two} ? datum.two_px : {one} ? datum.one_px : 0) / 2"
    plate = alt.Chart().mark_rect(
        x=alt.ExprRef(f"{centre} - {shown}"),
        x2=alt.ExprRef(f"{centre} + {shown}"),
        y=alt.ExprRef(f"(datum.top + datum.bottom) / 2 - ({two} ? 19 : 10)"),
        y2=alt.ExprRef(f"(datum.top + datum.bottom) / 2 + ({two} ? 19 : 10)"),
        fill=alt.ExprRef("datum.fill"),
    )
    return layers(plate, text_layer(text, x=centre, y=middle, angle=angle, **style))


@cache
def _bracket_layers() -> Row:
    bar = (
        alt.Chart()
        .mark_rule(color=MUTED, strokeWidth=1.5)
        .encode(_profile_x(), x2="end", y=alt.value(_PROFILE_TOP_PX - 6))
    )
    middle = "scale('x', (datum.start + datum.end) / 2)"
    kept_inside = f"min(max({middle}, datum.label_px / 2), width - datum.label_px / 2)"
    label = text_layer(
        "datum.label", x=kept_inside, y=str(_PROFILE_TOP_PX - 20), fill=INK, fontWeight=600, align="center"
    )
    return layers(bar, label)


@cache
def _legend_layers() -> Row:
    stage = text_layer("datum.stage", x="0", y="datum.y", fill=INK, fontWeight=600)
    words = text_layer("datum.words", x="56", y="datum.y", fill=MUTED)
    return layers(stage, words)


class TradeoffPoint(NamedTuple):
    """One way to meet a request: what to call it, the design, and whether it is the one in use."""

    label: str
    design: Design
    chosen: bool = False


def tradeoff_chart(points: Sequence[TradeoffPoint]) -> Figure:
    """Show what other designs bend: a point in the middle meets ratio and expansion exactly.

    The horizontal position encodes the miss of the embedding ratio, the vertical one that of the expansion; inside the
    shaded field neither knob counts as bent; the chosen design is filled. The parameter "pick" selects a point and
    reports its `index` among the points and its `label`. Raises ValueError when there is no point.
    """
    if not points:
        raise ValueError(f"points={points!r} is empty: there is nothing to draw; give at least the chosen design")
    chosen = next((point for point in points if point.chosen), points[0])
    rows = [_point_row(index, point) for index, point in enumerate(points)]
    reach = {knob: 1.3 * max(0.04, *(abs(row[knob]) for row in rows)) for knob in ("ratio", "expansion")}
    _label_where_free(rows, reach)
    ticks = {
        f"{knob}_ticks": [tick for tick in _TICKS if not tick or end / 25 <= abs(tick) <= end]
        for knob, end in reach.items()
    }
    return figure(
        ({"values": [{}]}, _field_layers()),
        ({"values": rows}, _point_layers()),
        title=f"{len(points):,} design{'s' if len(points) > 1 else ''} for one request, by what each bends",
        subtitle=[request_line(chosen.design.config), f"Chosen: {chosen.label} · {chosen.design.title}", _DEFINITION],
        description=_describe_tradeoff(points, chosen),
        height=_TRADEOFF_PX,
        values=ticks | {f"{knob}_reach": end for knob, end in reach.items()},
    )


def _describe_tradeoff(points: Sequence[TradeoffPoint], chosen: TradeoffPoint) -> str:
    _, ratio, expansion = chosen.design.asked_got
    return (
        f"{len(points):,} designs by their misses; the chosen one, {chosen.label}, misses the embedding ratio by "
        f"{format_miss(ratio.miss)} and the GLU expansion by {format_miss(expansion.miss)}."
    )


def _point_row(index: int, point: TradeoffPoint) -> Row:
    arch, (total, ratio, expansion) = point.design.architecture, point.design.asked_got
    return {
        "index": index,
        "label": point.label,
        "chosen": point.chosen,
        "ratio": ratio.miss,
        "expansion": expansion.miss,
        "total": f"{point.design.total_params:,} ({format_miss(total.miss)})",
        "ratio_got": f"{ratio.got:.4f} ({format_miss(ratio.miss)})",
        "expansion_got": f"{expansion.got:.3f} ({format_miss(expansion.miss)})",
        "d_model": arch.d_model,
        "d_ff": arch.d_ff,
        "n_layers": arch.n_layers,
        "n_heads": arch.n_heads,
        "name": "",
        "side": "left",
    }


def _label_where_free(rows: list[Row], reach: Row) -> None:
    """Name the points whose label covers no other label or point, the chosen one first; the rest have tooltips."""
    dots = [_pixels(row, reach) for row in rows]
    taken = [(x - 8, x + 8, y - 7, y + 7) for x, y in dots]
    for row, (x, y) in sorted(zip(rows, dots, strict=True), key=lambda pair: not pair[0]["chosen"]):
        width = text_width(row["label"], 13)
        for side, start in (("left", x + 12), ("right", x - width - 12)):
            box = (start, start + width, y - 16, y)
            if start > 0 and box[1] < _PLOT_PX and not any(_overlap(box, other) for other in taken):
                row |= {"name": row["label"], "side": side}
                taken.append(box)
                break


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def _pixels(row: Row, reach: Row) -> tuple[float, float]:
    """Return about where a point lies in a narrow figure: what is apart there is apart in a wide one."""

    def symlog(value: float) -> float:
        return math.copysign(math.log1p(abs(value) / _LINEAR), value)

    across, up = (symlog(row[knob]) / symlog(end) for knob, end in reach.items())
    return _PLOT_PX / 2 * (1 + across), _TRADEOFF_PX / 2 * (1 - up)


def _miss(knob: str, title: str) -> Row:
    written = "datum.value == 0 ? 'as asked' : replace(format(100 * datum.value, '+~r'), '-', '−') + ' %'"
    ends = [alt.ExprRef(f"-{knob}_reach"), alt.ExprRef(f"{knob}_reach")]
    ticks = alt.ExprRef(f"{knob}_ticks")
    return {
        "field": knob,
        "type": "quantitative",
        "scale": alt.Scale(type="symlog", constant=_LINEAR, domain=ends, nice=False, zero=False),
        "axis": alt.Axis(
            title=title,
            values=ticks,
            labelExpr=written,
            labelOverlap="greedy",
            labelSeparation=6,
            domain=False,
            titlePadding=8,
        ),
    }


@cache
def _field_layers() -> Row:
    def edge(axis: str, side: str, knob: str) -> alt.ExprRef:
        return alt.ExprRef(f"scale('{axis}', {side}min({BENT}, {knob}_reach))")

    field = alt.Chart().mark_rect(
        fill=FAINT,
        opacity=0.22,
        x=edge("x", "-", "ratio"),
        x2=edge("x", "", "ratio"),
        y=edge("y", "", "expansion"),
        y2=edge("y", "-", "expansion"),
    )
    across = alt.Chart().mark_rule(color=FAINT, y=alt.ExprRef("scale('y', 0)"))
    upwards = alt.Chart().mark_rule(color=FAINT, x=alt.ExprRef("scale('x', 0)"))
    cross = across.encode(x=alt.value(0), x2=alt.value("width")), upwards.encode(y=alt.value(0), y2=alt.value("height"))
    return layers(field, *cross)


@cache
def _point_layers() -> Row:
    x, y = (
        alt.X(**_miss("ratio", f"Miss of the embedding ratio (shaded: at most {BENT:.0%})".replace("%", " %"))),
        alt.Y(**_miss("expansion", "Miss of the GLU expansion")),
    )
    names = {"label": "Design", "total": "Parameters", "ratio_got": "Embedding ratio", "expansion_got": "GLU expansion"}
    tooltip = [alt.Tooltip(f"{key}:N", title=title) for key, title in names.items()]
    tooltip += [alt.Tooltip(f"{key}:Q", title=key, format=",") for key in ("d_model", "d_ff", "n_layers", "n_heads")]
    dots = (
        alt.Chart()
        .mark_point(
            size=110,
            strokeWidth=1.6,
            stroke=INK,
            fill=INK,
            fillOpacity=alt.ExprRef("datum.chosen ? 1 : 0.12"),
            cursor="pointer",
        )
        .encode(x, y, tooltip=tooltip)
        .add_params(alt.selection_point(name="pick", fields=["index", "label"]))
    )
    labels = text_layer(
        "datum.name",
        x="scale('x', datum.ratio) + (datum.side == 'left' ? 12 : -12)",
        y="scale('y', datum.expansion) - 8",
        align=alt.ExprRef("datum.side"),
        fontWeight=alt.ExprRef("datum.chosen ? 600 : 400"),
        fill=INK,
    )
    return layers(dots, labels)
