"""The allocation chart: the parameters of each component."""

from functools import cache

import altair as alt

from slimlm.charts.components import COMPONENT_ENCODING, component_facts
from slimlm.charts.palette import INK, MUTED, PAGE
from slimlm.charts.theme import NARROW, Figure, Row, figure, layers, text_layer, text_width
from slimlm.core.accounting import Component
from slimlm.core.captions import RATIO_LINE, describe_allocation, in_words, largest_first, result_line, source_line
from slimlm.core.describe import size_words
from slimlm.core.design import Design
from slimlm.core.layered import LayeredModel
from slimlm.core.named_model import Subject
from slimlm.utils.formatting import format_count

_NAMES_PX, _VALUES_PX, _STRIP_PX, _ROW_PX, _BARS_TOP_PX = 142, 124, 36, 27, 52


def allocation_chart(subject: Subject | LayeredModel) -> Figure:
    """Show the parameters of each component: one strip of 100 %, and below it one bar each, largest first.

    Length encodes a component's share, on one scale for the strip and the bars; colour encodes the component. Count and
    share stand at the end of each bar. A component without parameters has a line of text instead of a bar.
    """
    rows = _allocation_rows(subject)
    result = [result_line(subject)] if isinstance(subject, Design) else []
    return figure(
        ({"values": rows}, _allocation_layers()),
        ({"values": [_total(subject)]}, _total_layers()),
        title=subject.title,
        subtitle=[source_line(subject), *result, RATIO_LINE],
        description=describe_allocation(subject),
        height=_BARS_TOP_PX + _ROW_PX * len(rows),
        values={"names_px": _names_px(rows)},
    )


def _total(subject: Subject | LayeredModel) -> Row:
    """Return the size of a model, and a shorter form for a phone."""
    whole = f"{format_count(subject.total_params)} · 100 %"
    return {"total": f"{size_words(subject.account)} · 100 %", "short": whole}


def _names_px(rows: list[Row]) -> float:
    """Return the width of the column of names; a component without a bar may exceed it."""
    return max(_NAMES_PX, *(text_width(row["label"], 13) + 10 for row in rows if row["share"] > 0))


@cache
def _allocation_layers() -> Row:
    return layers(*_strip(), *_bars())


@cache
def _total_layers() -> Row:
    name = text_layer("'All parameters'", x="0", y=str(_STRIP_PX / 2), fill=INK)
    text = f"{NARROW} ? datum.short : datum.total"
    total = text_layer(text, x="range('x')[1] + 8", y=str(_STRIP_PX / 2), fill=INK, fontWeight=600)
    return layers(name, total)


def _allocation_rows(subject: Subject | LayeredModel) -> list[Row]:
    rows, end = [], 0.0
    for index, part in enumerate(largest_first(subject)):
        start, end = end, end + part.share
        row = component_facts(part)
        long = f"{part.name} {row['percent']}"
        row |= {
            "start": start,
            "end": end,
            "y": _BARS_TOP_PX + _ROW_PX * (index + 0.5),
            "label": part.name if part.params else in_words(part),
            "short": f"{part.name}: 0",
            "value": f"{format_count(part.params)} · {row['percent']}" if part.params else "",
            "origin": _origin(part),
            "long": long,
            "long_px": text_width(long, 13) + 10,
            "short_px": text_width(row["percent"], 13) + 8,
        }
        rows.append(row | {"origin_px": text_width(row["origin"], 13)})
    return rows


def _origin(part: Component) -> str:
    """Return the formula of a component's count."""
    if not part.per_layer:
        return part.formula
    return f"{part.copies:,} × ({part.formula})" if " + " in part.formula else f"{part.copies:,} × {part.formula}"


def _strip() -> tuple[alt.Chart, alt.Chart]:
    segments = (
        alt.Chart()
        .mark_rect(stroke=PAGE, strokeWidth=1)
        .encode(_share_axis(), x2="end", y=alt.value(0), y2=alt.value(_STRIP_PX), **COMPONENT_ENCODING)
    )
    # A segment has a label only where it fits at the width on screen.
    room = "(range('x')[1] - range('x')[0]) * datum.share"
    fitting = f"{room} > datum.long_px ? datum.long : {room} > datum.short_px ? datum.percent : ''"
    middle = "scale('x', (datum.start + datum.end) / 2)"
    labels = text_layer(fitting, x=middle, y=str(_STRIP_PX / 2), fill=alt.ExprRef("datum.ink"), align="center")
    return segments, labels


def _share_axis() -> alt.X:
    ends = [alt.ExprRef("names_px"), alt.ExprRef(f"max(names_px + 20, width - {_VALUES_PX})")]
    return alt.X("start:Q", scale=alt.Scale(domain=[0, 1], range=ends, nice=False), axis=None)


def _bars() -> tuple[alt.Chart, ...]:
    vertical = alt.Y("y:Q", scale=None, axis=None)
    horizontal = alt.X("share:Q", scale=alt.Scale(zero=True))
    bars = alt.Chart().mark_bar(height=16, orient="horizontal").encode(horizontal, y=vertical, **COMPONENT_ENCODING)
    short = f"{NARROW} && !datum.share ? datum.short : datum.label"
    names = text_layer(short, x="0", y="datum.y", fill=INK, opacity=alt.ExprRef("datum.share > 0 ? 1 : 0.7"))
    values = text_layer("datum.value", x="scale('x', datum.share) + 8", y="datum.y", fill=INK, fontWeight=600)
    room = f"width - scale('x', datum.share) - {_VALUES_PX} > datum.origin_px"
    origins = text_layer(
        f"{room} && datum.share > 0 ? datum.origin : ''", x="width", y="datum.y", fill=MUTED, align="right"
    )
    return bars, names, values, origins
