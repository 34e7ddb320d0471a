"""The best cell of a sweep by a metric, and the sentence that says it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from slimlm.core.describe import counted, shape_phrase
from slimlm.sweep.describe import pair_label
from slimlm.sweep.grid import Sweep
from slimlm.sweep.metrics import Metric, Reports
from slimlm.utils.formatting import Unit

_SHARES: tuple[Unit, ...] = ("share", "miss", "worst_miss")


@dataclass(frozen=True)
class Best:
    """The best cell of a sweep by a metric."""

    place: int
    """Its index among the sweep's cells."""
    value: float
    equals: int
    """Number of other cells of an ordinary shape whose value is the same as far as it is written."""
    odd: int | None
    """Index of the best cell of those with an odd shape and a better value, which do not count; None without one."""


def best_cell(sweep: Sweep, metric: Metric, reports: Reports | None = None) -> Best | None:
    """Return the best cell among those of an ordinary shape; of equal ones the current design, else the first.

    None where the metric has no better direction, where no value is known, where every shape is odd, and where several
    cells have a value and all have the same.
    """
    if metric.better is None:
        return None
    values = sweep.figures(metric, reports)
    ordinary, odd = ([*_ranked(sweep, metric, values, odd)] for odd in (False, True))
    if not ordinary:
        return None
    (_, place), *others = ordinary
    same = [other for _, other in others if _is_alike(sweep, metric, reports or {}, place, other, values)]
    if others and len(same) == len(others):
        return None
    if sweep.in_use in same and not metric.measured:
        place = sweep.in_use
    better = odd[0][1] if odd and odd[0][0] < ordinary[0][0] else None
    return Best(place, _known(values[place]), len(same), better)


def best_line(sweep: Sweep, metric: Metric, reports: Reports | None = None) -> str:
    """Say which cell is best and where the current design stands; empty without a direction and without values.

    >>> from slimlm.core.config import ModelConfig
    >>> from slimlm.sweep import METRICS, sweep
    >>> found = sweep(ModelConfig(), ("embedding_ratio", (0.35, 0.45)), ("glu_expansion", (2.66, 4.0)))
    >>> best_line(found, METRICS["forward_flops_per_token"])
    'Lowest: 22.2 MFLOP at ratio 0.45 · GLU 4, 4 layers × 288; the current design is 14 % above.'
    """
    values = sweep.figures(metric, reports)
    known = [place for place, value in enumerate(values) if value is not None]
    if metric.better is None or not known:
        return ""
    best, end = best_cell(sweep, metric, reports), best_name(metric)
    if best:
        text = partial(sweep.text, metric=metric, reports=reports)
        sentences = [f"{end}: {_where(sweep, best.place, text(best.place))}{_standing(sweep, metric, best, values)}."]
        if best.odd is not None:
            where = _where(sweep, best.odd, text(best.odd))
            sentences.append(f"An odd shape does not count: {where} ({sweep.oddities[best.odd]}).")
        return " ".join(sentences)
    if all(sweep.oddities[place] for place in known):
        return f"No cell counts as {end.lower()}, because every shape is odd: {sweep.oddities[known[0]]}."
    if metric.measured:
        return f"No design is clearly {end.lower()}: all values lie within the spread of the passes."
    return f"All designs of an ordinary shape have the same value: {metric.write(_first_ordinary(sweep, values))}."


def best_name(metric: Metric) -> str:
    """Name the better end of a metric: "Lowest" or "Highest"."""
    return "Highest" if metric.better == "more" else "Lowest"


def _ranked(sweep: Sweep, metric: Metric, values: Sequence[float | None], odd: bool) -> Iterator[tuple[float, int]]:
    """Return the cells with a value, best first, of odd or of ordinary shapes; each with what is to be minimised."""
    sign = -1 if metric.better == "more" else 1
    found = ((place, value) for place, value in enumerate(values) if value is not None)
    return iter(sorted((sign * value, place) for place, value in found if bool(sweep.oddities[place]) == odd))


def _is_alike(
    sweep: Sweep, metric: Metric, reports: Reports, best: int, other: int, values: Sequence[float | None]
) -> bool:
    """Return whether another cell equals the best as far as values are written, or within the quartiles of both."""
    one, two = (metric.quartiles(sweep.design_of(place), reports) for place in (best, other))
    if one and two:
        return one[0] <= two[1] and two[0] <= one[1]
    return metric.write(_known(values[best])) == metric.write(_known(values[other]))


def _where(sweep: Sweep, place: int, text: str) -> str:
    arch = sweep.design_of(place).architecture
    shape = shape_phrase(arch)
    return f"{text} at {pair_label(sweep, place)}, {shape}"


def _standing(sweep: Sweep, metric: Metric, best: Best, values: Sequence[float | None]) -> str:
    """Compare the current design with the best cell; also count the cells that equal the best."""
    others = (
        f", {'not clearly below' if metric.of_quartiles else 'the same as'} {counted(best.equals, 'other cell')}"
        if best.equals
        else ""
    )
    current = values[sweep.in_use] if sweep.in_use is not None else None
    if current is None:
        return others
    if sweep.in_use == best.place:
        return f", the current design{others}"
    return f"{others}; the current design {_difference(metric, current, best.value)}"


def _difference(metric: Metric, current: float, best: float) -> str:
    if metric.unit in _SHARES or best <= 0:
        return f"has {metric.write(current)}"
    ratio = current / best
    if ratio >= 2:
        return f"has {ratio:.1f} times as much"
    percent = f"{100 * abs(ratio - 1):.0f}"
    return f"is {'less than 1' if percent == '0' else percent} % {'above' if ratio > 1 else 'below'}"


def _first_ordinary(sweep: Sweep, values: Sequence[float | None]) -> float:
    return next(value for value, odd in zip(values, sweep.oddities, strict=True) if value is not None and not odd)


def _known(value: float | None) -> float:
    assert value is not None
    return value
