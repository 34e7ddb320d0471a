"""Component colours and inks, readable in light and dark and by colour-blind readers."""

import altair as alt
import pandas  # noqa: F401 (Altair takes it as it finds it, by halves when another visitor's thread is importing it)

COMPONENT_COLORS: dict[str, str] = {
    "token_embedding": "#425989",
    "position_embedding": "#9A85CD",
    "attention": "#C59157",
    "ffn": "#26806F",
    "norms": "#8D9DA5",
    "final_norm": "#824038",
    "lm_head": "#99C7E6",
}
"""The one colour of each component, by key: the same in every chart and on every page.

Found by a search for the largest smallest CIEDE2000 distance between any two of them, in normal vision and under
simulated protanopia, deuteranopia and tritanopia, among calm colours that show on white and on near-black.
"""


LIGHT, DARK = "#FFFFFF", "#0E1117"
"""Page colours of exported pictures."""

ON_LIGHT = "luminance(background) > 0.5"
INK = alt.ExprRef(f"{ON_LIGHT} ? '#1F2328' : '#F5F5F5'")
"""Colour of text that stands on the page, light or dark."""

MUTED = alt.ExprRef(f"{ON_LIGHT} ? '#59636E' : '#A9B2BC'")
"""Colour of what is said second."""

FAINT = alt.ExprRef(f"{ON_LIGHT} ? '#C9CFD6' : '#474D55'")
"""Colour of lines that only guide the eye."""

PAGE = alt.ExprRef("background")
"""The page itself: gaps between fills are drawn in it."""

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
    """Return black or white, whichever is read more easily on the fill.

    >>> ink_on("#425989"), ink_on("#99C7E6")
    ('#FFFFFF', '#000000')
    """
    return max(("#FFFFFF", "#000000"), key=lambda ink: contrast(ink, fill))
