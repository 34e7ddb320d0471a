"""The design card: verdict, request, key figures and both charts on one slide."""

from html import escape
from typing import NamedTuple

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart, reading_line
from slimlm.charts.palette import DARK, FAINT_SHADE, INK_SHADE, LIGHT, MUTED_SHADE, OFF_TARGET_SHADE
from slimlm.charts.theme import FONT, Row, text_width, wrap
from slimlm.core.accounting import EMBEDDING_RATIO_DEFINITION
from slimlm.core.captions import TargetText, request_line, target_texts
from slimlm.core.design import Design
from slimlm.export.pictures import Format, convert
from slimlm.notes.verdict import Weight, verdict
from slimlm.utils.formatting import format_miss

_WIDTH, _HEIGHT = 1600, 900
_LEFT, _RIGHT, _BODY_TOP, _BODY_BOTTOM = 56, 1544, 184, 836
_CHARTS_PX, _FIGURES_PX, _CAPTION_PX, _FIGURE_PX = 1136, 284, 54, 76
_LARGEST_SCALE = 1.28


def design_card(design: Design, *, format: Format = "png", dark: bool = False) -> bytes:
    """Return a design on one picture of 1600 × 900 pixels: request, key figures, allocation and layer profile.

    Raises RuntimeError if the picture converter is missing, broken or fails.
    """
    svg = _card(design, _Colors.of(dark))
    if format == "svg":
        return svg.encode()
    # Half the scale at twice the resolution: documents show the 1600 pixels 11 inches wide instead of 22.
    return bytes(convert("svg_to_png", svg, scale=0.5, ppi=144))


class _Colors(NamedTuple):
    page: str
    ink: str
    muted: str
    faint: str
    off_target: str

    @classmethod
    def of(cls, dark: bool) -> "_Colors":
        """Return the colours of a light or a dark page."""
        shades = (INK_SHADE, MUTED_SHADE, FAINT_SHADE, OFF_TARGET_SHADE)
        return cls(DARK if dark else LIGHT, *(shade[dark] for shade in shades))


def _card(design: Design, colors: _Colors) -> str:
    title = escape(design.title)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
            f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="{colors.page}"/>',
            *_header(design, colors),
            *_charts(design, colors),
            *_figures(design, colors),
            *_footer(colors),
            "</svg>",
        ]
    )


def _header(design: Design, colors: _Colors) -> list[str]:
    width, request = _RIGHT - _LEFT, request_line(design.config)
    # One line if its letters are at least 15 pixels high, otherwise two lines.
    lines = wrap(request, max(width, 0.6 * text_width(request, 15)), 15)
    places = ((134, 18),) if len(lines) == 1 else ((127, 15), (147, 15))
    judged = verdict(design)
    heavy = judged.weight in (Weight.SHAPE, Weight.OFF_TARGET)
    return [
        _text(_LEFT, 82, design.title, 32, colors.ink, width, bold=True),
        _text(_LEFT, 108, judged.text, 18, colors.off_target if heavy else colors.ink, width),
        *(_text(_LEFT, y, line, size, colors.muted, width) for line, (y, size) in zip(lines, places, strict=True)),
        _rule(_LEFT, _RIGHT, 154, colors.faint),
    ]


def _footer(colors: _Colors) -> list[str]:
    return [
        _text(_LEFT, 872, f"Embedding ratio: {EMBEDDING_RATIO_DEFINITION}.", 15, colors.muted, _CHARTS_PX),
        _text(_RIGHT, 872, "slimlm", 15, colors.muted, _FIGURES_PX, anchor="end"),
    ]


def _charts(design: Design, colors: _Colors) -> list[str]:
    """Draw the allocation chart above the layer profile, as large as both fit."""
    allocation, profile = (chart(design).to_dict() for chart in (allocation_chart, layer_profile_chart))
    # The text lines at the end of the profile repeat the bars above it.
    profile["layer"] = profile["layer"][:-1]
    profile["height"] = max(row["bottom"] for row in profile["layer"][0]["data"]["values"])
    height = _BODY_BOTTOM - _BODY_TOP - _CAPTION_PX
    scale = min(_LARGEST_SCALE, height / (allocation["height"] + profile["height"]))
    below = _BODY_BOTTOM - scale * profile["height"]
    return [
        _body(allocation, colors, _BODY_TOP, scale),
        _text(_LEFT, below - 14, reading_line(design), 16, colors.muted, _CHARTS_PX),
        _body(profile, colors, below, scale),
    ]


def _body(spec: Row, colors: _Colors, top: float, scale: float) -> str:
    """Draw a chart without its title on the card."""
    width = _CHARTS_PX / scale
    bare = {key: value for key, value in spec.items() if key != "title"}
    svg = convert("vegalite_to_svg", bare | {"padding": 0, "width": width, "background": colors.page})
    return f'<g transform="translate({_LEFT},{top:.2f}) scale({scale:.5f})">{svg}</g>'


class _Figure(NamedTuple):
    label: str
    value: str
    detail: str
    off_target: bool = False


def _figures(design: Design, colors: _Colors) -> list[str]:
    arch, (total, *others) = design.architecture, target_texts(design)
    kv_heads = "" if arch.kv_heads == arch.n_heads else f", {arch.kv_heads:,} for keys and values"
    figures = [
        *map(_knob, (total._replace(actual=f"{design.total_params:,}"), *others)),
        _Figure("Depth × width", f"{arch.n_layers:,} × {arch.d_model:,}", "layers × d_model"),
        _Figure("Feed-forward width", f"{arch.d_ff:,}", "d_ff"),
        _Figure("Attention", f"{arch.n_heads:,} × {arch.head_width:,}", f"heads × head_dim{kv_heads}"),
    ]
    # The first label is level with the top of the strip, the last detail with the bottom of the profile.
    step = (_BODY_BOTTOM - _BODY_TOP - _FIGURE_PX) / (len(figures) - 1)
    tops = [_BODY_TOP + step * index for index in range(len(figures))]
    lines = (_figure(figure, top, colors) for figure, top in zip(figures, tops, strict=True))
    rules = (_rule(_RIGHT - _FIGURES_PX, _RIGHT, top - 18, colors.faint) for top in tops[1:])
    return [*(line for group in lines for line in group), *rules]


def _knob(text: TargetText) -> _Figure:
    off_target = text.knob.off_target
    mark = " (off target)" if off_target else ""
    return _Figure(text.label, text.actual, f"target {text.target} · {format_miss(text.knob.miss)}{mark}", off_target)


def _figure(figure: _Figure, top: float, colors: _Colors) -> list[str]:
    x, detail = _RIGHT - _FIGURES_PX, colors.off_target if figure.off_target else colors.muted
    return [
        _text(x, top + 13, figure.label, 16, colors.muted, _FIGURES_PX),
        _text(x, top + 49, figure.value, 32, colors.ink, _FIGURES_PX, bold=True),
        _text(x, top + _FIGURE_PX, figure.detail, 16, detail, _FIGURES_PX),
    ]


def _text(
    x: float, y: float, words: str, size: float, fill: str, width: float, *, bold: bool = False, anchor: str = "start"
) -> str:
    """Return one line of text, in a smaller size if it would exceed the width."""
    fitting = min(size, size * width / (text_width(words, size) * (1.06 if bold else 1)))
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x}" y="{y:.2f}" font-family="{FONT}" font-size="{fitting:.2f}"{weight} fill="{fill}" '
        f'text-anchor="{anchor}">{escape(words)}</text>'
    )


def _rule(left: float, right: float, y: float, stroke: str) -> str:
    return f'<path d="M{left},{y:.2f}H{right}" stroke="{stroke}" stroke-width="1"/>'
