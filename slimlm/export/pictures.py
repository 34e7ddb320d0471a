"""Charts as PNG and SVG."""

import json
import re
from functools import lru_cache
from typing import Any, Literal

from slimlm.charts.theme import Figure, Row, for_export
from slimlm.utils.optional import PICTURES, need

Format = Literal["png", "svg"]

_PICTURE = "a picture"


def convert(function: str, source: str | Row, **options: float) -> Any:
    """Call a function of the picture converter."""
    need(_PICTURE, PICTURES)
    import vl_convert

    try:
        return getattr(vl_convert, function)(source, **options)
    except Exception as error:  # the converter raises errors of many types
        reason = " ".join(str(error).split())[:200]
        raise RuntimeError(f"vl-convert-python failed to draw the picture: {reason}") from error


def picture(chart: Figure, *, format: Format, dark: bool = False, width: int = 960, scale: float = 2) -> bytes:
    """Return a chart as SVG, or as PNG at `scale` times its size in pixels, with a DPI tag that keeps the size.

    Raises RuntimeError if the picture converter is missing, broken or fails.
    """
    need(_PICTURE, PICTURES)
    svg = svg_of(json.dumps(for_export(chart, dark=dark, width=width).to_dict()))
    return svg.encode() if format == "svg" else bytes(convert("svg_to_png", svg, ppi=72 * scale, scale=1))


@lru_cache(maxsize=16)
def svg_of(spec: str) -> str:
    """Return the SVG of a Vega-Lite specification in JSON; PNG, SVG and reports of one chart share it."""
    return str(convert("vegalite_to_svg", spec))


def inline_svg(chart: Figure, *, dark: bool = False) -> str:
    """Return a chart as an SVG element for HTML, without namespace declarations.

    Raises RuntimeError if the picture converter is missing, broken or fails.
    """
    return re.sub(r' xmlns(?::xlink)?="[^"]*"', "", picture(chart, format="svg", dark=dark).decode())
