"""The verdict of a study in sentences: which allocations may be best, and how much worse the others are."""

from collections import Counter
from collections.abc import Mapping, Sequence

from slimlm.ranking.result import CellResult, Ranking
from slimlm.ranking.statistics import Comparison
from slimlm.ranking.wording import cells_of, decimals, rounded, sentence, signed, some_cells, with_interval
from slimlm.serialization.fields import Value
from slimlm.sweep.axis_values import label_value
from slimlm.utils.text import listed

_MOST_VALUES = 3
"""Most values of an axis whose differences are written out."""


def study_answer(ranking: Ranking, comparison: Comparison) -> str:
    """Say which cells may be best, as a clause without a capital and a full stop.

    Whole values of an axis are named where none of their cells may be best and all cells of the grid are ranked: their
    mean is compared with that of the other values (Scheffé's interval, because the values are chosen by the losses).
    """
    ranked = [cell for cell in ranking.cells if cell.ranked]
    if all(cell.may_be_best for cell in ranked):
        if comparison.all_pairs == 0:
            return "no two cells differ: all of their runs have one loss"
        amount = f"{rounded(comparison.all_pairs)} {ranking.unit}"
        return f"no two cells differ significantly: {comparison.seeds} seeds show differences of {amount} and more"
    alone = sum(cell.may_be_best for cell in ranked) == 1
    return ("" if alone else _by_axes(ranking, comparison)) or _by_cells(ranking, comparison, ranked)


def _by_axes(ranking: Ranking, comparison: Comparison) -> str:
    grid = [cell for cell in ranking.cells if cell.x is not None]
    beside = [cell for cell in ranking.cells if cell.x is None]
    if not all(cell.ranked for cell in grid) or any(cell.may_be_best for cell in beside):
        return ""
    found = [(axis, *sides) for axis in (0, 1) if (sides := _separated(grid, axis, comparison))]
    if not found:
        return ""
    best = " with ".join(_values(ranking, axis, kept) for axis, kept, _ in found)
    subject = f"{best} may be best ({cells_of(sum(cell.may_be_best for cell in grid), len(grid))})"
    worse = [_worse(ranking, axis, others, named=len(found) > 1) for axis, _, others in found]
    beside_clause = [_beside(ranking, comparison, beside)] if any(cell.ranked for cell in beside) else []
    return "; ".join([subject, *_with_unit(worse, ranking.unit), *beside_clause])


def _with_unit(clauses: Sequence[str], unit: str) -> list[str]:
    return [*clauses[:-1], f"{clauses[-1]} {unit}"]


_Difference = tuple[float, float]


def _separated(
    grid: Sequence[CellResult], axis: int, comparison: Comparison
) -> tuple[list[Value], dict[Value, _Difference]] | None:
    """Return the values of an axis that may be best, and the others with how much worse each is; None without any."""
    rows: dict[Value, list[CellResult]] = {}
    for cell in grid:
        value = cell.y if axis else cell.x
        rows.setdefault(value, []).append(cell)
    kept = [value for value, cells in rows.items() if any(cell.may_be_best for cell in cells)]
    if len(kept) == len(rows):
        return None
    better = [cell.key for value in kept for cell in rows[value]]
    others = {
        value: comparison.contrast(better, [cell.key for cell in cells])
        for value, cells in rows.items()
        if value not in kept
    }
    if any(difference <= half_width for difference, half_width in others.values()):
        return None
    return kept, others


def _values(ranking: Ranking, axis: int, values: Sequence[Value]) -> str:
    labels = [label_value(ranking.axes[axis], value) for value in values]
    return f"{ranking.axis_names[axis]} {some_cells(labels)}"


def _worse(ranking: Ranking, axis: int, others: Mapping[Value, _Difference], *, named: bool) -> str:
    """Say how much worse some values of an axis are than those that may be best."""
    name = f"{ranking.axis_names[axis]} " if named else ""
    amounts = {label_value(ranking.axes[axis], value): with_interval(*found) for value, found in others.items()}
    if len(others) > _MOST_VALUES:
        nearest = label_value(ranking.axes[axis], min(others, key=lambda value: others[value][0]))
        return f"the best of the other {len(others)}, {name}{nearest}, is worse by {amounts[nearest]}"
    (label, amount), *rest = amounts.items()
    return listed([f"{name}{label} is worse by {amount}", *(f"{label} by {amount}" for label, amount in rest)])


def _beside(ranking: Ranking, comparison: Comparison, beside: Sequence[CellResult]) -> str:
    """Say how much worse the nearest model beside the grid is than the best cell."""
    ranked = [cell for cell in beside if cell.ranked]
    nearest = min(ranked, key=lambda cell: comparison.means[cell.key])
    amount = with_interval(comparison.means[nearest.key] - min(comparison.means.values()), comparison.with_best)
    of = "" if len(ranked) == 1 else f", the nearest of {len(ranked)} models,"
    return f"{nearest.label}{of} is worse than the best cell by {amount}"


def _by_cells(ranking: Ranking, comparison: Comparison, ranked: Sequence[CellResult]) -> str:
    ordered = sorted(ranked, key=lambda cell: comparison.means[cell.key])
    best = [cell for cell in ordered if cell.may_be_best]
    following = next(cell for cell in ordered if not cell.may_be_best)
    behind = comparison.means[following.key] - comparison.means[ordered[0].key]
    amount = f"{with_interval(behind, comparison.with_best)} {ranking.unit}"
    if len(best) == 1:
        return f"{best[0].label} is best{_key(ranking)}: the next, {following.label}, is worse by {amount}"
    names = some_cells([cell.label for cell in best])
    return (
        f"{cells_of(len(best), len(ranked))} may be best{_key(ranking)}: {names}; "
        f"the next, {following.label}, is worse than the first by {amount}"
    )


def _key(ranking: Ranking) -> str:
    """Say what the two values of a label are."""
    return f" ({' · '.join(ranking.axis_names)})"


def study_verdict(ranking: Ranking) -> str:
    """Return the verdict: the answer first, then what is not ranked, controls that failed, and mixed runs."""
    parts = [sentence(f"{_so_far(ranking)}{_first_clause(ranking)}{_recipe_clause(ranking)}")]
    if ranking.answer and (left_out := _left_out(ranking)):
        parts.append(sentence(f"not ranked: {left_out}"))
    return " ".join([*parts, *_alarms(ranking)])


def _so_far(ranking: Ranking) -> str:
    if ranking.complete:
        return ""
    return f"so far, {ranking.runs_done} of at least {ranking.runs_done + ranking.runs_missing} runs: "


def _first_clause(ranking: Ranking) -> str:
    if ranking.answer:
        return ranking.answer
    return f"no ranking: {_left_out(ranking)}" if ranking.complete else "no two cells can be compared yet"


def _recipe_clause(ranking: Ranking) -> str:
    """Say whether the second recipe moves the loss more than the ranked cells differ.

    Empty while it is not known, and where neither is larger than the smallest significant difference.
    """
    control = next((one for one in ranking.controls if one.key == "second_recipe"), None)
    if not ranking.answer or control is None or "shift" not in control.figures:
        return ""
    means = [cell.mean for cell in ranking.cells if cell.mean is not None]
    shift, spread, least = abs(control.figures["shift"]), max(means) - min(means), ranking.least_difference or 0.0
    if max(shift, spread) <= least:
        return ""
    amounts = [signed(value, min(4, decimals(least))) for value in (shift, spread)]
    if shift > spread:
        return f"; the recipe moves the loss more than the cell does ({amounts[0]} against {amounts[1]})"
    return f"; the cell moves the loss more than the recipe does ({amounts[1]} against {amounts[0]})"


def _left_out(ranking: Ranking) -> str:
    """Count the cells that are not ranked by their reasons; empty when all are."""
    reasons = Counter(cell.reason for cell in ranking.cells if not cell.ranked)
    if not reasons:
        return ""
    if len(reasons) == 1 and (reason := next(iter(reasons))):
        return f"{reason} in {cells_of(reasons[reason], len(ranking.cells))}"
    found = [f"{count} ({reason})" for reason, count in reasons.most_common()]
    return f"{cells_of(sum(reasons.values()), len(ranking.cells))}: {listed(found)}"


_ALARMS = {
    "again": "Two sets of runs of one cell differ significantly: the error bars may be too narrow.",
    "bad": "The bad cell is not significantly worse: the study cannot see even that.",
    "second_recipe": "The order does not survive the second recipe.",
    "second_horizon": "The order does not survive the second horizon.",
}


def _alarms(ranking: Ranking) -> list[str]:
    mixed = [f"The runs have different {listed(ranking.mixed)}."] if ranking.mixed else []
    return [*(_ALARMS[control.key] for control in ranking.controls if control.passed is False), *mixed]
