"""Stages of layer profiles: rectangles from input to output, and lines between blocks."""

import math
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import altair as alt

from slimlm.charts.components import component_facts
from slimlm.charts.palette import PAGE
from slimlm.charts.theme import Row, layers
from slimlm.core.accounting import Account, Component


class Box(NamedTuple):
    """Rectangle of a whole model: horizontally in units of the chart's scale, vertically in pixels."""

    left: float
    top: float
    width: float
    height: float


class Blocks(NamedTuple):
    """All blocks of a model along its input-to-output axis, as shares of its parameters."""

    start: float
    share: float
    n_layers: int

    @classmethod
    def of(cls, account: Account) -> "Blocks":
        """Find the blocks of an account."""
        parts = account.components
        first = next(place for place, part in enumerate(parts) if part.per_layer)
        before = sum(part.share for part in parts[:first])
        within = sum(part.share for part in parts if part.per_layer)
        return cls(before, within, account.architecture.n_layers)

    def per_line(self, width_px: float, least_px: float) -> int:
        """Return the number of blocks per line: the smallest power of 2 that keeps lines `least_px` pixels apart."""
        return 1 << max(0, math.ceil(math.log2(self.n_layers * least_px / (width_px * self.share))))


def stage_rows(account: Account, box: Box) -> Iterator[tuple[Component, Row]]:
    """Yield each component that has parameters, with its rectangle; the components of the blocks are stacked."""
    blocks = Blocks.of(account)
    x = y = 0.0
    for part in (part for part in account.components if part.params):
        # The blocks' components follow each other; the stage after them starts at their right edge.
        if y and not part.per_layer:
            x, y = x + blocks.share, 0.0
        width, height = (blocks.share, part.share / blocks.share) if part.per_layer else (part.share, 1.0)
        row = component_facts(part)
        row |= {"start": box.left + box.width * x, "end": box.left + box.width * (x + width)}
        yield part, row | {"top": box.top + box.height * y, "bottom": box.top + box.height * (y + height)}
        x, y = (x, y + height) if part.per_layer else (x + width, y)


def block_lines(blocks: Blocks, group: int, box: Box) -> Row:
    """Return the row from which `block_line_layers` draws a line after every `group` blocks, except at the end."""
    return {
        "first": box.left + box.width * blocks.start,
        "step": box.width * blocks.share * group / blocks.n_layers,
        "count": math.ceil(blocks.n_layers / group) - 1,
        "top": box.top,
        "bottom": box.top + box.height,
    }


@cache
def block_line_layers(domain_end: float) -> Row:
    """Return the lines between blocks; one row gives all lines of a model, which keeps specifications small."""
    lines = (
        alt.Chart()
        .transform_calculate(line="sequence(1, datum.count + 1)")
        .transform_flatten(["line"])
        .transform_calculate(x="datum.first + datum.step * datum.line")
        .mark_rule(color=PAGE, strokeWidth=1, opacity=0.5)
    )
    y = alt.Y("top:Q", scale=None, axis=None)
    return layers(lines.encode(stage_axis(domain_end, "x:Q"), y, y2="bottom"))


def stage_axis(domain_end: float, field: str = "start:Q") -> alt.X:
    """Return the horizontal scale, from 0 to the right end of the last model."""
    return alt.X(field, scale=alt.Scale(domain=[0, domain_end], nice=False), axis=None)
