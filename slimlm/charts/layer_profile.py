"""The layer profile: a model from input to output, area proportional to parameters."""

from functools import cache

import altair as alt

from slimlm.charts.components import COMPONENT_ENCODING, Label, component_boxes, fitting_label, label_background
from slimlm.charts.palette import INK, MUTED
from slimlm.charts.stages import Blocks, Box, block_line_layers, block_lines, stage_axis, stage_rows
from slimlm.charts.theme import NARROW, NARROWEST_PX, Figure, Row, figure, layers, text_layer, text_width, wrap
from slimlm.core.accounting import Account, Component
from slimlm.core.captions import describe_allocation, in_words, source_line
from slimlm.core.describe import counted, times
from slimlm.core.named_model import Subject
from slimlm.utils.formatting import format_count, format_share

_PROFILE_TOP_PX, _PROFILE_PX = 34, 200
_LEGEND_INDENT_PX, _LINE_PX = 56, 21
_BOX = Box(0.0, _PROFILE_TOP_PX, 1.0, _PROFILE_PX)


def layer_profile_chart(subject: Subject) -> Figure:
    """Show the model from input to output: the embeddings, then every block, then the head.

    Area encodes parameters: all stages have the same height, so a stage's width is its share of the total, and inside
    the blocks a component's height is its share of a block. Colour encodes the component.
    """
    blocks, legend, loops = Blocks.of(subject.account), _legend_rows(subject), subject.architecture.n_loops
    used = f", used {times(loops)}" if loops > 1 else ""
    stages = [row | _stage_label(part) for part, row in stage_rows(subject.account, _BOX)]
    return figure(
        ({"values": stages}, _stage_layers()),
        ({"values": [block_lines(blocks, _blocks_per_line(blocks), _BOX)]}, block_line_layers(1)),
        ({"values": stages}, _stage_label_layers()),
        ({"values": [_bracket(blocks, subject.account)]}, _bracket_layers()),
        ({"values": legend}, _legend_layers()),
        title=subject.title,
        subtitle=[source_line(subject), reading_line(subject)],
        description=f"{counted(blocks.n_layers, 'block')} of {subject.account.layer_params:,} parameters{used}. "
        + describe_allocation(subject),
        height=_PROFILE_TOP_PX + _PROFILE_PX + 13 + _LINE_PX * len(legend),
    )


def reading_line(subject: Subject) -> str:
    """Return the line that explains how to read the layer profile."""
    group = _blocks_per_line(Blocks.of(subject.account))
    lines = "one column is one layer" if group == 1 else f"a line after every {group:,} blocks"
    loops = subject.architecture.n_loops
    used = f" · the blocks are used {times(loops)}" if loops > 1 else ""
    return f"From input to output · area is parameters · {lines}{used}"


def _stage_label(part: Component) -> Row:
    value = f"{format_count(part.params)} · {format_share(part.share)}"
    one, turned = f"{part.name} {value}", f"{part.name} {format_share(part.share)}"
    return {
        "two": f"{part.name}\n{value}",
        "one": one,
        "two_px": max(text_width(part.name, 13), text_width(value, 13)) + 12,
        "one_px": text_width(one, 13) + 12,
        "turned": turned,
        "turned_px": text_width(turned, 13) + 12,
    }


def _blocks_per_line(blocks: Blocks) -> int:
    return blocks.per_line(960, 4)


def _counted_blocks(blocks: Blocks, account: Account) -> str:
    """Write the number of blocks and their size before that of all: "12 blocks × 545.8k = "."""
    if blocks.n_layers == 1:
        return "1 block · "
    n_dense = account.architecture.n_dense_layers
    others = f"{blocks.n_layers - n_dense:,} blocks × {format_count(account.layer_params)}"
    return f"{counted(n_dense, 'dense block')} + {others} = " if n_dense else f"{others} = "


def _bracket(blocks: Blocks, account: Account) -> Row:
    within = sum(part.params for part in account.components if part.per_layer)
    label = f"{_counted_blocks(blocks, account)}{format_count(within)} · {format_share(blocks.share)}"
    return {
        "start": blocks.start,
        "end": blocks.start + blocks.share,
        "label": label,
        "label_px": text_width(label, 13),
    }


def _legend_rows(subject: Subject) -> list[Row]:
    """Return a legend by stage, which also names the components that are too small to see."""
    components = subject.account.components
    first = next(index for index, part in enumerate(components) if part.per_layer)
    stages = {
        "Input": components[:first],
        "Blocks": tuple(part for part in components if part.per_layer),
        "Output": tuple(part for part in components[first:] if not part.per_layer),
    }
    lines = [
        (stage, " · ".join(part.name for part in parts), line) if number == 0 else ("", "", line)
        for stage, parts in stages.items()
        for number, line in enumerate(wrap(" · ".join(map(in_words, parts)), NARROWEST_PX - _LEGEND_INDENT_PX, 13))
    ]
    top = _PROFILE_TOP_PX + _PROFILE_PX + 24
    return [
        {"stage": stage, "names": names, "words": line, "y": top + _LINE_PX * row}
        for row, (stage, names, line) in enumerate(lines)
    ]


@cache
def _stage_layers() -> Row:
    return layers(component_boxes(stage_axis(1), COMPONENT_ENCODING))


_LABELS = (Label("two", 38, 19, lift=8), Label("one", 18, 10), Label("turned", 20, 10, turned=True))


@cache
def _stage_label_layers() -> Row:
    return layers(label_background(*_LABELS), fitting_label(*_LABELS))


@cache
def _bracket_layers() -> Row:
    bar = (
        alt.Chart()
        .mark_rule(color=MUTED, strokeWidth=1.5)
        .encode(stage_axis(1), x2="end", y=alt.value(_PROFILE_TOP_PX - 6))
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
    # A longer line would take its width from the plot on a narrow page.
    room = alt.ExprRef(f"max(1, width - {_LEGEND_INDENT_PX})")
    words = text_layer(
        f"{NARROW} ? datum.names : datum.words", x=str(_LEGEND_INDENT_PX), y="datum.y", fill=MUTED, limit=room
    )
    return layers(stage, words)
