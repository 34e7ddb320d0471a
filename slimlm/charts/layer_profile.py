"""The layer profile: a model drawn from its input to its output, area proportional to parameters."""

import math
from functools import cache

import altair as alt

from slimlm.charts.allocation import COMPONENT_ENCODING, component_facts
from slimlm.charts.palette import INK, MUTED, PAGE
from slimlm.charts.theme import Figure, Row, figure, layers, text_layer, text_width
from slimlm.core.accounting import Component
from slimlm.core.captions import describe_allocation, in_words, source_line
from slimlm.core.named_model import Subject
from slimlm.utils.formatting import format_count, format_share

_PROFILE_TOP_PX, _PROFILE_PX = 34, 200


def layer_profile_chart(subject: Subject) -> Figure:
    """Draw the model from input to output: how much of it is embeddings, how many blocks there are, how wide each is.

    Area encodes parameters: all stages share one height, so that a stage's width is its share of the total; inside the
    blocks the height of attention, feed-forward and norms is theirs of a block; colour encodes the component.
    """
    arch = subject.architecture
    return figure(
        ({"values": _stages(subject)}, _stage_layers()),
        ({"sequence": _block_lines(subject, _blocks_per_line(subject))}, _block_line_layers()),
        ({"values": _stages(subject)}, _stage_label_layers()),
        ({"values": [_bracket(subject)]}, _bracket_layers()),
        ({"values": _legend_rows(subject)}, _legend_layers()),
        title=subject.title,
        subtitle=[source_line(subject), reading_line(subject)],
        description=f"{arch.n_layers:,} blocks of {subject.account.layer_params:,} parameters. "
        + describe_allocation(subject),
        height=_PROFILE_TOP_PX + _PROFILE_PX + 76,
    )


def reading_line(subject: Subject) -> str:
    """Say how the layer profile is read."""
    group = _blocks_per_line(subject)
    lines = "every column of the blocks is one block" if group == 1 else f"blocks are ruled off in groups of {group:,}"
    return f"Input on the left, output on the right · area is parameters · {lines}"


def _stages(subject: Subject) -> list[Row]:
    """Return a rectangle for every component, the blocks' components stacked over all blocks."""
    components = subject.account.components
    blocks = sum(part.share for part in components if part.per_layer)
    rows, x, y = [], 0.0, 0.0
    for part in components:
        # The blocks' components follow each other; behind the last of them the picture goes on to the right.
        if y and not part.per_layer:
            x, y = x + blocks, 0.0
        height = part.share / blocks if part.per_layer else 1.0
        width = blocks if part.per_layer else part.share
        rows.append(component_facts(part) | _stage_box(x, y, width, height) | _stage_label(part))
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


def _blocks_per_line(subject: Subject) -> int:
    """Return how many blocks stand between two lines: 1, or as many as keep the lines a few pixels apart."""
    n_layers, share = subject.architecture.n_layers, _blocks_share(subject)
    return 1 << max(0, math.ceil(math.log2(n_layers * 4 / (960 * share))))


def _blocks_share(subject: Subject) -> float:
    return sum(part.share for part in subject.account.components if part.per_layer)


def _blocks_start(subject: Subject) -> float:
    return float(next(row["start"] for row in _stages(subject) if row["copies"] != "once"))


def _block_lines(subject: Subject, group: int) -> Row:
    start, share = _blocks_start(subject), _blocks_share(subject)
    step = share / subject.architecture.n_layers * group
    return {"start": start + step, "stop": start + share - step / 1000, "step": step, "as": "x"}


def _bracket(subject: Subject) -> Row:
    start, share = _blocks_start(subject), _blocks_share(subject)
    n_layers, size = subject.architecture.n_layers, subject.account.layer_params
    count = f"{n_layers:,} blocks × {format_count(size)} = " if n_layers > 1 else "1 block · "
    label = f"{count}{format_count(n_layers * size)} · {format_share(share)}"
    return {"start": start, "end": start + share, "label": label, "label_px": text_width(label, 13)}


def _legend_rows(subject: Subject) -> list[Row]:
    """Return what the picture holds in words, so that what is too small to see is still said."""
    components = subject.account.components
    first = next(index for index, part in enumerate(components) if part.per_layer)
    stages = {
        "Input": components[:first],
        "Blocks": tuple(part for part in components if part.per_layer),
        "Output": tuple(part for part in components[first:] if not part.per_layer),
    }
    top = _PROFILE_TOP_PX + _PROFILE_PX + 24
    return [
        {"stage": stage, "words": " · ".join(map(in_words, parts)), "y": top + 21 * index}
        for index, (stage, parts) in enumerate(stages.items())
    ]


def _profile_x(field: str = "start:Q") -> alt.X:
    return alt.X(field, scale=alt.Scale(domain=[0, 1], nice=False), axis=None)


@cache
def _stage_layers() -> Row:
    boxes = alt.Chart().mark_rect(stroke=PAGE, strokeWidth=1)
    vertical = alt.Y("top:Q", scale=None, axis=None)
    return layers(boxes.encode(_profile_x(), vertical, x2="end", y2="bottom", **COMPONENT_ENCODING))


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
