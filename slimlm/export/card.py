"""The design card: why the design is as it is, its key figures and its charts on one slide."""

from collections.abc import Iterator
from datetime import date
from html import escape
from typing import Literal, NamedTuple

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart, reading_line
from slimlm.charts.published_map import published_map_chart
from slimlm.charts.theme import text_width, wrap
from slimlm.core.accounting import EMBEDDING_RATIO_DEFINITION
from slimlm.core.captions import TargetText, request_line, target_texts
from slimlm.core.describe import counted, shape_phrase
from slimlm.core.design import Design
from slimlm.core.published import published_near
from slimlm.export.card_svg import Colors, Figure, chart_body, figure_column, figure_lines, rule, text_line
from slimlm.export.pictures import Format, convert
from slimlm.notes import design_notes
from slimlm.notes.verdict import Weight, verdict
from slimlm.ranking.evidence import evidence_for
from slimlm.utils.formatting import format_count, format_miss, format_share
from slimlm.utils.text import cut

Ratio = Literal["16:9", "1:1"]
"""Width to height of a card."""

_WIDTH, _LEFT, _RIGHT = 1600, 56, 1544
_FIGURES_PX, _CAPTION_PX, _LARGEST_SCALE = 284, 54, 1.28
_FOOTER_SIZE = 15
_LINE_PX, _FOOTER_LINES = 22, 4
"""Height of a line of the footer, and the lines above the title for which a layout has room."""


class _Layout(NamedTuple):
    """Places on a card of one ratio, in pixels."""

    height: int
    charts_px: int
    charts_top: int
    charts_bottom: int
    map_top: int = 0
    """0: without the map of published models."""
    map_height: int = 0

    def raised(self, px: int) -> "_Layout":
        """Return the layout with the charts smaller and the map higher, for a footer that needs more room."""
        return self._replace(charts_bottom=self.charts_bottom - px, map_top=self.map_top and self.map_top - px)


_LAYOUTS: dict[Ratio, _Layout] = {
    "16:9": _Layout(900, 1136, 184, 758),
    "1:1": _Layout(1600, _RIGHT - _LEFT, 316, 922, 966, 424),
}


def design_card(
    design: Design,
    *,
    format: Format = "png",
    dark: bool = False,
    ratio: Ratio = "16:9",
    on: date | None = None,
) -> bytes:
    """Return a design on one picture, 1600 pixels wide: the reason for its shape, key figures, charts and top note.

    A square card also has the map of published models. `on` is the date on the card; None is today.

    Raises RuntimeError if the picture converter is missing, broken or fails.
    """
    svg = _card(design, Colors.of(dark), _LAYOUTS[ratio], on or date.today())
    if format == "svg":
        return svg.encode()
    # Half the scale at twice the resolution: documents show the 1600 pixels 11 inches wide instead of 22.
    return bytes(convert("svg_to_png", svg, scale=0.5, ppi=144))


def _card(design: Design, colors: Colors, layout: _Layout, on: date) -> str:
    title, footer = escape(design.title), _footer_lines(design, layout.charts_px)
    layout = layout.raised(_LINE_PX * max(0, len(footer) - _FOOTER_LINES))
    figures = _row_of_figures if layout.map_top else _column_of_figures
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{layout.height}" '
            f'viewBox="0 0 {_WIDTH} {layout.height}" role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            f'<rect width="{_WIDTH}" height="{layout.height}" fill="{colors.page}"/>',
            *_header(design, colors),
            *_charts(design, colors, layout),
            *(_map(design, colors, layout) if layout.map_top else ()),
            *figures(design, colors),
            *_footer(design, footer, colors, layout, on),
            "</svg>",
        ]
    )


def _header(design: Design, colors: Colors) -> list[str]:
    width, request = _RIGHT - _LEFT, request_line(design.config)
    # One line if its letters are at least 15 pixels high, otherwise two lines.
    lines = wrap(request, max(width, 0.6 * text_width(request, 15)), 15)
    places = ((137, 17),) if len(lines) == 1 else ((129, 15), (148, 15))
    judged = verdict(design)
    odd, heavy = judged.weight == Weight.SHAPE, judged.weight in (Weight.SHAPE, Weight.OFF_TARGET)
    below = str(judged.remedy or "No nearby change gives an ordinary shape.") if odd else str(judged)
    return [
        text_line(_LEFT, 80, headline(design), 36, colors.off_target if odd else colors.ink, width, bold=True),
        text_line(_LEFT, 109, below, 18, colors.off_target if heavy else colors.ink, width),
        *(text_line(_LEFT, y, line, size, colors.muted, width) for line, (y, size) in zip(lines, places, strict=True)),
        rule(_LEFT, _RIGHT, 154, colors.faint),
    ]


_PARTS = {
    0.1: "a tenth",
    0.2: "a fifth",
    0.25: "a quarter",
    1 / 3: "a third",
    0.4: "two fifths",
    0.5: "half",
    0.6: "three fifths",
    2 / 3: "two thirds",
    0.75: "three quarters",
}


def headline(design: Design) -> str:
    """Return what is odd about the shape, or else what depth, width and vocabulary make of the budget.

    >>> from slimlm import ModelConfig, solve
    >>> headline(solve(ModelConfig()))
    '12 layers × 216: a third of the budget goes to the vocabulary'
    """
    judged = verdict(design)
    if judged.weight == Weight.SHAPE:
        return judged.text.removesuffix(".")
    arch, share = design.architecture, design.account.embedding_ratio
    words = next((name for part, name in _PARTS.items() if abs(part - share) < 0.015), format_share(share))
    return f"{shape_phrase(arch)}: {words} of the budget goes to the vocabulary"


def _footer(design: Design, lines: list[str], colors: Colors, layout: _Layout, on: date) -> Iterator[str]:
    """Yield the lines of the footer, and below them the name of the design with the date."""
    bottom, width = layout.height - 28, layout.charts_px
    for place, line in enumerate(lines):
        y = bottom - _LINE_PX * (len(lines) - place)
        yield text_line(_LEFT, y, line, _FOOTER_SIZE, colors.muted, width)
    dated = f"slimlm · {on.day} {on:%B %Y}"
    yield text_line(_LEFT, bottom, design.title, _FOOTER_SIZE, colors.ink, width, bold=True)
    yield text_line(_RIGHT, bottom, dated, _FOOTER_SIZE, colors.muted, _FIGURES_PX, anchor="end")


def _footer_lines(design: Design, width: float) -> list[str]:
    """Return the nearest study's answer, the top note, the nearest published model and a definition."""
    found, notes = evidence_for(design), design_notes(design)[:1]
    return [
        *(_two_lines(found.sentence, width) if found else ()),
        *(line for note in notes for line in _two_lines(f"Note: {note.text}", width)),
        *_nearest(design),
        f"Embedding ratio: {EMBEDDING_RATIO_DEFINITION}; {design.account.non_embedding_params:,} are outside them.",
    ]


def _two_lines(text: str, width: float) -> list[str]:
    """Break a text into lines; of a longer text than two lines return two, the second cut."""
    lines = wrap(text, width, _FOOTER_SIZE)
    return lines if len(lines) < 3 else [lines[0], cut(f"{lines[1]} {lines[2]}", len(lines[1]))]


def _nearest(design: Design) -> list[str]:
    """Return a line on the published model nearest in size; none when all are far."""
    return [
        f"Nearest published model: {model.name}, {format_count(model.total_params)}, "
        f"{counted(model.architecture.n_layers, 'layer')} × {model.architecture.d_model:,}, "
        f"embedding ratio {format_share(model.embedding_ratio)}."
        for model in published_near(design.total_params)[:1]
    ]


def _charts(design: Design, colors: Colors, layout: _Layout) -> list[str]:
    """Return the allocation chart above the layer profile, as large as both fit."""
    allocation, profile = (chart(design).to_dict() for chart in (allocation_chart, layer_profile_chart))
    # The text lines at the end of the profile repeat the bars above it.
    profile["layer"] = profile["layer"][:-1]
    profile["height"] = max(row["bottom"] for row in profile["layer"][0]["data"]["values"])
    height = layout.charts_bottom - layout.charts_top - _CAPTION_PX
    scale = min(_LARGEST_SCALE, height / (allocation["height"] + profile["height"]))
    below = layout.charts_bottom - scale * profile["height"]
    return [
        chart_body(allocation, colors, _LEFT, layout.charts_top, layout.charts_px, scale),
        text_line(_LEFT, below - 14, reading_line(design), 16, colors.muted, layout.charts_px),
        chart_body(profile, colors, _LEFT, below, layout.charts_px, scale),
    ]


def _map(design: Design, colors: Colors, layout: _Layout) -> list[str]:
    spec = published_map_chart([design]).to_dict()
    scale = layout.map_height / spec["height"]
    caption = "Among published models · ringed: this design · area: parameters · colour: embedding share · lines: laws"
    return [
        text_line(_LEFT, layout.map_top - 16, caption, 16, colors.muted, layout.charts_px),
        chart_body(spec, colors, _LEFT, layout.map_top, layout.charts_px, scale),
    ]


def _figures(design: Design) -> list[Figure]:
    arch, (total, *others), in_bytes = design.architecture, target_texts(design), design.config.budget == "bytes"
    kv_heads = "" if arch.kv_heads == arch.n_heads else f", {arch.kv_heads:,} for keys and values"
    return [
        *map(_target, (total if in_bytes else total._replace(actual=f"{total.knob.actual:,}"), *others)),
        *([Figure("Active per token", f"{design.account.active_params:,}", "parameters")] if arch.is_mixture else []),
        Figure("Depth × width", f"{arch.n_layers:,} × {arch.d_model:,}", "layers × d_model"),
        Figure("Feed-forward width", f"{arch.d_ff:,}", "d_ff"),
        Figure("Attention", f"{arch.n_heads:,} × {arch.head_width:,}", f"heads × head_dim{kv_heads}"),
    ]


def _column_of_figures(design: Design, colors: Colors) -> Iterator[str]:
    """Yield the figures from the height of the strip down to the footer."""
    yield from figure_column(_figures(design), (184, 836), _RIGHT - _FIGURES_PX, _FIGURES_PX, colors)


def _row_of_figures(design: Design, colors: Colors) -> Iterator[str]:
    """Yield the figures side by side under the header."""
    figures = _figures(design)
    step = (_RIGHT - _LEFT) / len(figures)
    for place, figure in enumerate(figures):
        yield from figure_lines(figure, _LEFT + step * place, 180, step - 24, colors)
    yield rule(_LEFT, _RIGHT, 288, colors.faint)


def _target(text: TargetText) -> Figure:
    off_target = text.knob.off_target
    mark = " (off target)" if off_target else ""
    return Figure(text.label, text.actual, f"target {text.target} · {format_miss(text.knob.miss)}{mark}", off_target)
