"""Words and numbers of a study on its charts, card and reports."""

import math
import re
from collections.abc import Iterable, Sequence

from slimlm.charts.theme import wrap
from slimlm.core.budget_text import budget_params
from slimlm.core.describe import counted, expansion_name
from slimlm.ranking import wording
from slimlm.ranking.result import CellResult, Ranking
from slimlm.study.study import Study
from slimlm.sweep.axis_values import knob_of, label_value
from slimlm.utils.formatting import format_count
from slimlm.utils.text import cut, listed, one_line

_LONGEST = 40
_USUAL_DECIMALS, _MOST_DECIMALS = 3, 5


def tidy(text: str, most: int = 400) -> str:
    """Return text from a file as one line of printable characters."""
    return cut(one_line(text, most + 1), most)


def cell_label(cell: CellResult) -> str:
    """Return the short name of a cell for a chart."""
    return tidy(cell.label, _LONGEST) or "unnamed"


def said_label(cell: CellResult) -> str:
    """Return the short name of a cell inside a heading, which is not broken at the dot between its values."""
    return unbroken(cell_label(cell))


def unbroken(sentence: str) -> str:
    """Return a sentence whose lines are not broken inside cells' names, "0.25 · 2", and intervals."""
    return sentence.replace(" · ", "\u00a0·\u00a0").replace(" ± ", "\u00a0±\u00a0")


def operations(value: float) -> str:
    """Write a number of operations with a prefix: charts have no superscripts in their font.

    >>> operations(822e12), operations(1.05e15), operations(84e18)
    ('822 TFLOP', '1.05 PFLOP', '84 EFLOP')
    """
    scale = max(0, min(6, math.floor(math.log10(max(value, 1.0) * (1 + 5e-4)) / 3)))
    scaled = value / 1000.0**scale
    number = f"{scaled:,.0f}" if scaled >= 999.5 else f"{scaled:.3g}"
    return f"{number} {' kMGTPE'[scale].strip()}FLOP"


def sentence_lines(sentence: str, width: float, font_size: int) -> list[str]:
    """Break a sentence into lines, but neither inside cells' names nor inside intervals."""
    return [line.replace("\u00a0", " ") for line in wrap(unbroken(sentence), width, font_size)]


def first_clause(verdict: str) -> str:
    """Return the verdict up to its first full stop, colon or semicolon.

    >>> first_clause("0.35 and 0.45 may be best; 0.25 is worse by 0.07 ± 0.02. The recipe matters more.")
    '0.35 and 0.45 may be best'
    >>> first_clause("4 of 11 cells may be best (ratio · expansion): 0.45 · 2, …")
    '4 of 11 cells may be best'
    """
    clause = re.split(r"[.;:](?:\s|$)", tidy(verdict), maxsplit=1)[0]
    return unbroken(cut(re.sub(r" \([^()]*\)$", "", clause), 160)) or "No verdict yet"


def decimals_of(ranking: Ranking) -> int:
    """Return the decimals of losses: enough for two digits of the smallest half-width."""
    widths = [cell.half_width for cell in ranking.cells if cell.half_width and math.isfinite(cell.half_width)]
    if not widths:
        return _USUAL_DECIMALS
    return min(_MOST_DECIMALS, max(2, 1 - math.floor(math.log10(min(widths)))))


def interval(cell: CellResult, decimals: int) -> str:
    """Write the mean of a ranked cell with its half-width: "1.761 ± 0.009"."""
    assert cell.mean is not None
    mean = f"{cell.mean:.{decimals}f}"
    return mean if cell.half_width is None else f"{mean} ± {cell.half_width:.{decimals}f}"


def lowest_of(ranking: Ranking) -> CellResult | None:
    """Return the ranked cell with the lowest mean; None while no cell is ranked."""
    means = [(cell.mean, place) for place, cell in enumerate(ranking.cells) if cell.mean is not None]
    return ranking.cells[min(means)[1]] if means else None


def difference(cell: CellResult, lowest: CellResult | None, decimals: int) -> str:
    """Write how far a cell lies above the lowest mean; "lowest mean" for that cell, empty where it is not ranked."""
    if cell.mean is None or lowest is None or lowest.mean is None:
        return ""
    return "lowest mean" if cell is lowest else f"+{cell.mean - lowest.mean:.{decimals}f}"


def axis_names(study: Study) -> tuple[str, str]:
    """Return the display names of the two axes."""
    request = study.request
    x, y = (
        expansion_name(request.base) if axis.name == "glu_expansion" else knob_of(axis.name).label
        for axis in (request.x, request.y)
    )
    return x, y


def by_axes(study: Study) -> str:
    """Name the two axes inside a sentence."""
    return listed(wording.axis_names(study))


def axis_labels(study: Study) -> tuple[list[str], list[str]]:
    """Return the labels of the values of both axes."""
    axes = study.request.x, study.request.y
    x, y = ([label_value(axis.name, value) for value in axis.values] for axis in axes)
    return x, y


def data_names(study: Study) -> str:
    """Return the names of the data, each once."""
    names = dict.fromkeys(tidy(data.name, _LONGEST) for data in study.data.values())
    return listed(names) if names else "no data"


def setting_line(study: Study, ranking: Ranking) -> str:
    """Return what all cells have in common: size, vocabulary, tokens, data and seeds, on one line."""
    base, swept = study.request.base, {study.request.x.name, study.request.y.name}
    parts = [
        "" if "total_params" in swept else budget_params(base),
        "" if "vocab_size" in swept else f"vocabulary {base.vocab_size:,}",
        f"{_span([cell.tokens for cell in ranking.cells])} training tokens",
        data_names(study),
        counted(ranking.seeds, "seed"),
    ]
    return " · ".join(filter(None, parts))


def _span(counts: Iterable[int]) -> str:
    found = sorted(set(counts)) or [0]
    low, high = format_count(found[0]), format_count(found[-1])
    return low if low == high else f"{low}–{high}"


def runs_line(ranking: Ranking) -> str:
    """Return the runs that are over, diverged and missing, on one line."""
    parts = [f"{counted(ranking.runs_done, 'run')} done"]
    if ranking.runs_diverged:
        parts.append(f"{ranking.runs_diverged:,} of them diverged")
    if ranking.runs_missing:
        parts.append(f"{ranking.runs_missing:,} known to be missing")
    return " · ".join(parts)


def per_unit(ranking: Ranking) -> str:
    """Return the unit of losses: "bits per byte"."""
    return tidy(ranking.unit, _LONGEST)


def order_of(cells: Sequence[CellResult]) -> list[CellResult]:
    """Return the ranked cells, the lowest mean first, then the others in their order."""
    return sorted(cells, key=lambda cell: (cell.mean is None, cell.mean or 0.0))
