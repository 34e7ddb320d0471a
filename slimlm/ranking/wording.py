"""Names of cells and axes, and figures with their intervals, as text."""

import math
from collections.abc import Sequence

from slimlm.core.describe import expansion_name
from slimlm.serialization.fields import KNOBS
from slimlm.study.cells import StudyCell
from slimlm.study.study import Study
from slimlm.sweep.axis_values import label_value
from slimlm.sweep.describe import mid_sentence
from slimlm.utils.text import listed, one_line

_MOST_CELLS = 4
_LONGEST_NAME = 60


def axis_names(study: Study) -> tuple[str, str]:
    """Return the names of the two axes inside a sentence: "embedding ratio", "GLU expansion"."""
    return field_name(study, study.request.x.name), field_name(study, study.request.y.name)


def field_name(study: Study, field: str) -> str:
    """Return the name of a knob inside a sentence."""
    if field == "glu_expansion":
        return expansion_name(study.request.base)
    return mid_sentence(KNOBS[field].label) if field in KNOBS else field.replace("_", " ")


def cell_label(study: Study, cell: StudyCell) -> str:
    """Return a short name of a cell: its two values, or the name of a model on one line."""
    if not cell.in_grid:
        return one_line(cell.key, _LONGEST_NAME) or "(unnamed)"
    return f"{label_value(study.request.x.name, cell.x)} · {label_value(study.request.y.name, cell.y)}"


def some_cells(labels: Sequence[str]) -> str:
    """List a few labels.

    >>> some_cells(["0.25 · 2", "0.25 · 3"]), some_cells(list("abcdef"))
    ('0.25 · 2 and 0.25 · 3', 'a, b, c and 3 more')
    """
    if len(labels) <= _MOST_CELLS:
        return listed(labels)
    return f"{', '.join(labels[: _MOST_CELLS - 1])} and {len(labels) - _MOST_CELLS + 1} more"


def decimals(half_width: float) -> int:
    """Return the decimals that show two significant digits of a half-width, six at most.

    >>> decimals(0.0447), decimals(0.0996), decimals(12.0), decimals(0.0)
    (3, 2, 0, 6)
    """
    if half_width <= 0 or not math.isfinite(half_width):
        return 6
    exponent = int(f"{half_width:.1e}".partition("e")[2])
    return min(6, max(0, 1 - exponent))


def with_interval(value: float, half_width: float) -> str:
    """Write a figure with two significant digits of its half-width.

    >>> with_interval(0.23167, 0.0447), with_interval(-0.004, 0.0141), with_interval(0.5, 0.0)
    ('0.232 ± 0.045', '−0.004 ± 0.014', '0.5 ± 0')
    """
    places = decimals(half_width)
    if half_width == 0:
        return f"{signed(value, places).rstrip('0').rstrip('.')} ± 0"
    return f"{signed(value, places)} ± {half_width:.{places}f}"


def signed(value: float, places: int) -> str:
    """Write a figure with a true minus sign, and none for a zero."""
    text = f"{abs(value):.{places}f}"
    return f"−{text}" if value < 0 and float(text) else text


def rounded(value: float) -> str:
    """Write a positive figure with two significant digits.

    >>> rounded(0.0351), rounded(0.12), rounded(1.0)
    ('0.035', '0.12', '1.0')
    """
    return signed(value, decimals(abs(value)) if value else 0)


def sentence(text: str) -> str:
    """Start a clause with a capital, and end it with a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def cells_of(count: int, of: int | None = None) -> str:
    """Count cells: "3 of 12 cells", "1 cell"."""
    if of is not None:
        return f"{count} of {of} cells"
    return f"{count} cell{'' if count == 1 else 's'}"
