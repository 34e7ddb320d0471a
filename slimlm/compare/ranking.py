"""The quantities in which models differ, ranked by the size of the difference."""

import math
from collections.abc import Iterator

from slimlm.compare.comparison import Comparison
from slimlm.compare.line import Line
from slimlm.compare.shape_lines import DETAILS

_HEADINGS = ("By a factor of 2 or more", "By 10 % or more", "By less than 10 %")
_OTHERS = "Choices, and parts below 1 % or only in some models"


def ranked(comparison: Comparison) -> Iterator[tuple[str, list[Line]]]:
    """Yield headings with the lines that differ, the largest difference from the baseline first."""
    differing = [line for line in comparison.lines if not line.equal]
    ratios = {line.key: _ratios(line, comparison) for line in differing}
    differing.sort(key=lambda line: -max(abs(math.log(ratio)) for ratio in ratios[line.key] or [1.0]))
    headings = {line.key: _heading(ratios[line.key]) for line in differing}
    for heading in (*_HEADINGS, _OTHERS):
        if lines := [line for line in differing if headings[line.key] == heading]:
            yield heading, lines


def _heading(ratios: list[float]) -> str:
    if not ratios:
        return _OTHERS
    if max(ratios) >= 2 or min(ratios) <= 1 / 2:
        return _HEADINGS[0]
    return _HEADINGS[1] if any(abs(ratio - 1) >= 0.1 for ratio in ratios) else _HEADINGS[2]


def _ratios(line: Line, comparison: Comparison) -> list[float]:
    """Return every value over the baseline's; nothing where the ratios of the values say nothing."""
    places, base = range(len(line.values)), line.values[comparison.baseline]
    changes = [line.change(place, comparison.baseline) for place in places]
    if None in changes or line.key in DETAILS or _is_small(line, comparison):
        return []
    if line.quantity.unit == "miss":  # of either sign: the difference in points, as if from 100 %
        return [1 + abs(change) for change in changes]  # type: ignore[arg-type]
    return [value / base for value in line.values] if all(line.values) else []  # type: ignore[operator]


def _is_small(line: Line, comparison: Comparison) -> bool:
    """Whether a component has less than 1 % of the parameters of every model."""
    pairs = zip(line.values, comparison.pins, strict=True)
    return line.quantity.unit == "params" and all(value < 0.01 * pin.subject.total_params for value, pin in pairs)  # type: ignore[operator]
