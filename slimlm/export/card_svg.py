"""The SVG elements of a design card: text, rules, figures and charts, in the colours of a page."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from slimlm.charts.palette import DARK, FAINT_SHADE, INK_SHADE, LIGHT, MUTED_SHADE, OFF_TARGET_SHADE
from slimlm.charts.theme import FONT, Row, text_width, wrap
from slimlm.export.pictures import convert

_FIGURE_PX, _DETAIL_PX, _DETAIL_SIZE = 76, 20, 16


class Colors(NamedTuple):
    """The colours of a light or a dark page."""

    page: str
    ink: str
    muted: str
    faint: str
    off_target: str

    @classmethod
    def of(cls, dark: bool) -> "Colors":
        """Return the colours of a light or a dark page."""
        shades = (INK_SHADE, MUTED_SHADE, FAINT_SHADE, OFF_TARGET_SHADE)
        return cls(DARK if dark else LIGHT, *(shade[dark] for shade in shades))


class Figure(NamedTuple):
    """A figure with its label and a detail."""

    label: str
    value: str
    detail: str
    off_target: bool = False


def figure_height(figure: Figure, width: float) -> int:
    """Return the height of a figure in pixels, down to the last baseline."""
    return _FIGURE_PX + _DETAIL_PX * (len(_details(figure, width)) - 1)


def _details(figure: Figure, width: float) -> list[str]:
    """Return a figure's detail, on as many lines as the width needs."""
    return wrap(figure.detail, width, _DETAIL_SIZE)


def figure_lines(figure: Figure, x: float, top: float, width: float, colors: Colors) -> list[str]:
    """Return the lines of a figure; a long detail takes several instead of a smaller size."""
    fill = colors.off_target if figure.off_target else colors.muted
    return [
        text_line(x, top + 13, figure.label, 16, colors.muted, width),
        text_line(x, top + 49, figure.value, 32, colors.ink, width, bold=True),
        *(
            text_line(x, top + _FIGURE_PX + _DETAIL_PX * row, line, _DETAIL_SIZE, fill, width)
            for row, line in enumerate(_details(figure, width))
        ),
    ]


def figure_column(
    figures: Sequence[Figure],
    ends: tuple[float, float],
    left: float,
    width: float,
    colors: Colors,
    most_gap: float = math.inf,
) -> Iterator[str]:
    """Yield figures below each other between two heights, with rules between them."""
    heights, (top, bottom) = [figure_height(figure, width) for figure in figures], ends
    gap = min(most_gap, (bottom - top - sum(heights)) / max(1, len(figures) - 1))
    for place, (figure, height) in enumerate(zip(figures, heights, strict=True)):
        if place:
            yield rule(left, left + width, top - min(18, gap / 2), colors.faint)
        yield from figure_lines(figure, left, top, width, colors)
        top += height + gap


def text_line(
    x: float, y: float, words: str, size: float, fill: str, width: float, *, bold: bool = False, anchor: str = "start"
) -> str:
    """Return one line of text, in a smaller size if it would exceed the width."""
    fitting = min(size, size * width / (text_width(words, size) * (1.06 if bold else 1)))
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x}" y="{y:.2f}" font-family="{FONT}" font-size="{fitting:.2f}"{weight} fill="{fill}" '
        f'text-anchor="{anchor}">{escape(words)}</text>'
    )


def rule(left: float, right: float, y: float, stroke: str) -> str:
    """Return a horizontal line."""
    return f'<path d="M{left},{y:.2f}H{right}" stroke="{stroke}" stroke-width="1"/>'


def chart_body(spec: Row, colors: Colors, left: float, top: float, width: float, scale: float) -> str:
    """Return a chart without its title, at a scale that keeps its width."""
    bare = {key: value for key, value in spec.items() if key != "title"}
    svg = convert("vegalite_to_svg", bare | {"padding": 0, "width": width / scale, "background": colors.page})
    return f'<g transform="translate({left},{top:.2f}) scale({scale:.5f})">{svg}</g>'
