"""Colours of components, text and guide lines on light and dark pages, safe for colour-blind readers."""

from typing import NamedTuple

import altair as alt
import pandas  # noqa: F401 (import it first: Altair fails on a pandas that another thread has half imported)

COMPONENT_COLORS: dict[str, str] = {
    "token_embedding": "#425989",
    "position_embedding": "#9A85CD",
    "attention": "#C59157",
    "ffn": "#26806F",
    "norms": "#8D9DA5",
    "final_norm": "#824038",
    "lm_head": "#99C7E6",
    "dense_ffn": "#26806F",
    "experts": "#8A6E21",
    "shared_experts": "#DDC7B4",
    "router": "#C5D461",
}
"""Colour of each component by key, the same in every chart and on every page; both kinds of feed-forward share one.

A search over calm colours that show on white and on near-black maximised the smallest CIEDE2000 distance between any
two of them, in normal vision and under simulated protanopia, deuteranopia and tritanopia.
"""


LIGHT, DARK = "#FFFFFF", "#0E1117"
"""Page colours of exported pictures."""


class Shade(NamedTuple):
    """One colour for light pages and one for dark pages; index it by whether the page is dark."""

    light: str
    dark: str

    @property
    def expression(self) -> str:
        """The Vega expression that selects the colour by the page's background."""
        return f"luminance(background) > 0.5 ? '{self.light}' : '{self.dark}'"

    @property
    def css(self) -> str:
        """The CSS colour that follows the page's colour scheme."""
        return f"light-dark({self.light}, {self.dark})"

    @property
    def reference(self) -> alt.ExprRef:
        """The expression as a mark property."""
        return alt.ExprRef(self.expression)


INK_SHADE = Shade("#1F2328", "#F5F5F5")
MUTED_SHADE = Shade("#59636E", "#A9B2BC")
FAINT_SHADE = Shade("#C9CFD6", "#474D55")
OFF_TARGET_SHADE = Shade("#8A5A00", "#E3B341")
OFF_TARGET_TEXT = Shade("#A04D00", "#FFB366")

VERDICT_SHADES = {
    "shape": Shade("#C62828", "#FF8A80"),
    "off_target": OFF_TARGET_TEXT,
    "alignment": Shade("#35618F", "#8FBBE8"),
    "good": Shade("#2E7D32", "#81C784"),
}
"""Colour of a verdict by the name of its weight in lower case."""

LINE_SHADE = Shade("#425989", "#8FABE0")
"""Colour of a curve."""

BEST_SHADE = Shade("#B5651D", "#E8A964")
"""Colour of the best point of a curve."""

INK = INK_SHADE.reference
"""Colour of text on the page."""

MUTED = MUTED_SHADE.reference
"""Colour of secondary text."""

FAINT = FAINT_SHADE.reference
"""Colour of guide lines."""

PAGE = alt.ExprRef("background")
"""Colour of the page, for the lines between filled areas."""

COLOR_SCALE = alt.Scale(domain=list(COMPONENT_COLORS), range=list(COMPONENT_COLORS.values()))


def luminance(color: str) -> float:
    """Return the relative luminance of a colour written as #RRGGBB (WCAG 2).

    >>> luminance("#000000"), luminance("#FFFFFF")
    (0.0, 1.0)
    """
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return round(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2], 12)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def ink_on(fill: str) -> str:
    """Return black or white, whichever has more contrast with the fill.

    >>> ink_on("#425989"), ink_on("#99C7E6")
    ('#FFFFFF', '#000000')
    """
    return max(("#FFFFFF", "#000000"), key=lambda ink: contrast(ink, fill))
