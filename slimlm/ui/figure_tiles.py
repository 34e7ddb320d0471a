"""Tiles of figures: a label, a value and a detail."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

_FITS, _LONGEST = 10, 18
"""Characters of a value that fits in the narrowest tile at its usual size, and of the longest value that is drawn."""

_AS_HIGH_AS_OTHERS = """
  [class*="st-key-long_value_"] [data-testid="stMetricValue"] { display: flex; align-items: baseline; }
  [class*="st-key-long_value_"] [data-testid="stMetricValue"]::after { content: "\\200b"; }
"""
# A digit is some 0.56 of the size of its type wide; padding and border take 2.1rem of a tile.
LONG_VALUES_STYLE = _AS_HIGH_AS_OTHERS + "\n".join(
    f'  [class*="st-key-long_value_{length}_"] {{ container-type: inline-size; }} '
    f'[class*="st-key-long_value_{length}_"] [data-testid="stMetricValue"] > * '
    f"{{ font-size: min(1em, calc((100cqi - 2.1rem) / {0.56 * length:.2f})); }}"
    for length in range(_FITS + 1, _LONGEST + 1)
)
"""Style sheet by which long values are set in a smaller type, so that they are whole."""


def figure_tile(
    column: "DeltaGenerator", label: str, value: str, detail: str, color: Literal["off", "orange"] = "off"
) -> None:
    """Show a figure, of at most 18 characters, and a detail below it."""
    place = column.container(key=f"long_value_{len(value)}_{label}") if len(value) > _FITS else column
    place.metric(label, value, detail, delta_color=color, delta_arrow="off", border=True)
