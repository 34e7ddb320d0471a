"""Charts as PNG and SVG."""

import re
from typing import Any, Literal

from slimlm.charts.theme import Figure, Row, for_export
from slimlm.utils.optional import PICTURES, need

Format = Literal["png", "svg"]


def convert(function: str, source: str | Row, **options: float) -> Any:
    """Call a function of the picture converter."""
    need("a picture", PICTURES)
    import vl_convert

    try:
        return getattr(vl_convert, function)(source, **options)
    except Exception as error:  # of many kinds, from a program inside the converter
        told = " ".join(str(error).split())[:200]
        raise RuntimeError(f"the picture could not be drawn by vl-convert-python: {told}") from error


def picture(chart: Figure, *, format: Format, dark: bool = False, width: int = 960, scale: float = 2) -> bytes:
    """Return a chart as a PNG of `scale` times its pixels, tagged to be shown at its own size, or as an SVG.

    Raises RuntimeError, in one sentence, when the picture converter is missing, broken or fails.
    """
    spec = for_export(chart, dark=dark, width=width).to_dict()
    if format == "svg":
        return bytes(convert("vegalite_to_svg", spec), "utf-8")
    return bytes(convert("vegalite_to_png", spec, ppi=72 * scale, scale=1))


def inline_svg(chart: Figure, *, dark: bool = False) -> str:
    """Return a chart as an SVG element to stand inside HTML, where no namespace is declared.

    Raises RuntimeError, in one sentence, when the picture converter is missing, broken or fails.
    """
    return re.sub(r' xmlns(?::xlink)?="[^"]*"', "", picture(chart, format="svg", dark=dark).decode())
