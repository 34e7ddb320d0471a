"""Controls of a study: outcomes that are known before, and the order of the cells under other conditions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from slimlm.ranking.result import Control
from slimlm.ranking.statistics import Comparison, compare, kendall
from slimlm.ranking.wording import cell_label, cells_of, decimals, signed, with_interval
from slimlm.study.cells import StudyCell, middle_cell
from slimlm.study.schedule import BAD_FACTOR, Group, Schedule
from slimlm.utils.text import shown

NAMES: dict[Group, str] = {
    "again": "A/A pair",
    "bad": "Bad cell",
    "second_recipe": "Second recipe",
    "second_horizon": "Second horizon",
}


def study_controls(schedule: Schedule, comparison: Comparison | None, unit: str) -> tuple[Control, ...]:
    """Return the controls of a study so far; none where the study has none.

    `comparison` is that of the ranked cells, whose pooled standard deviation the pairs are judged by.
    """
    if not schedule.study.request.controls:
        return ()
    pair = _Pair(schedule, comparison, unit)
    return (
        pair.again(),
        pair.bad(),
        _Orders(schedule, "second_recipe", unit).control(),
        _Orders(schedule, "second_horizon", unit).control(),
    )


def losses_of(schedule: Schedule, group: Group, key: str) -> list[float]:
    """Return the losses of a cell's runs in a group, of those that are over, in the order of the seeds."""
    specs = schedule.runs(group).get(key, ())
    return [schedule.outcomes[spec.key].loss for spec in specs if spec.key in schedule.outcomes]


@dataclass(frozen=True)
class _Pair:
    """The middle cell, trained again in one way that should not matter, and in one that must."""

    schedule: Schedule
    comparison: Comparison | None
    unit: str

    @property
    def cell(self) -> StudyCell:
        return middle_cell(self.schedule.study.cells)

    def again(self) -> Control:
        label = cell_label(self.schedule.study, self.cell)
        if waiting := self._waiting("again"):
            return Control("again", NAMES["again"], None, waiting)
        losses = losses_of(self.schedule, "again", self.cell.key)
        if lost := sum(map(math.isinf, losses)):
            words = f"{lost} of {len(losses)} runs of {label} with other seeds diverged: the cell is not stable."
            return Control("again", NAMES["again"], False, words, {"diverged": lost})
        difference, half_width = self._difference(losses)
        passed = abs(difference) <= half_width
        end = (
            "not significant, as it should be"
            if passed
            else "significant, by chance (in one study of twenty) or because the error bars are too narrow"
        )
        amount = f"{with_interval(abs(difference), half_width)} {self.unit}"
        words = f"Runs of {label} with other seeds differ by {amount}: {end}."
        return Control("again", NAMES["again"], passed, words, _figures(difference, half_width))

    def bad(self) -> Control:
        label = f"{cell_label(self.schedule.study, self.cell)} with a learning rate {BAD_FACTOR} times lower"
        if waiting := self._waiting("bad"):
            return Control("bad", NAMES["bad"], None, waiting)
        losses = losses_of(self.schedule, "bad", self.cell.key)
        if lost := sum(map(math.isinf, losses)):
            words = f"{label} diverged in {lost} of {len(losses)} runs."
            return Control("bad", NAMES["bad"], True, words, {"diverged": lost})
        difference, half_width = self._difference(losses)
        amount = f"{with_interval(difference, half_width)} {self.unit}"
        if passed := difference > half_width:
            words = f"{label} is worse by {amount}: the study sees it."
        else:
            words = f"{label} is not significantly worse ({amount}): the study cannot see even that."
        return Control("bad", NAMES["bad"], passed, words, _figures(difference, half_width))

    def _waiting(self, group: Group) -> str:
        """Say why a pair cannot be judged; empty when it can."""
        seeds, key = self.schedule.study.request.seeds, self.cell.key
        label = cell_label(self.schedule.study, self.cell)
        rate = self.schedule.rates.get(key)
        if rate is not None and rate.rate is None:
            return f"Not run: the learning rate of {label} is not bracketed."
        if min(len(losses_of(self.schedule, name, key)) for name in ("ranking", group)) < seeds:
            return f"Runs of {label} are missing."
        if any(map(math.isinf, losses_of(self.schedule, "ranking", key))):
            return f"Not judged: runs of {label} diverged in the ranking."
        return ""

    def _difference(self, losses: Sequence[float]) -> tuple[float, float]:
        """Return how much higher these losses are than those of the ranking, and the half-width (Student)."""
        usual = losses_of(self.schedule, "ranking", self.cell.key)
        own = self.comparison or compare({"usual": usual, "other": losses})
        return _mean(losses) - _mean(usual), own.planned(len(usual), len(losses))


@dataclass(frozen=True)
class _Orders:
    """The order of a few cells in the ranking, and under another condition."""

    schedule: Schedule
    group: Group
    unit: str

    def control(self) -> Control:
        name, condition = NAMES[self.group], self._condition()
        if self._waiting():
            return Control(self.group, name, None, f"{condition}: runs are missing.")
        first, second = self._losses("ranking"), self._losses(self.group)
        both = [key for key in first if key in second]
        if len(both) < 2:
            words = f"{condition}: no two cells have a bracketed learning rate and runs that all ended."
            return Control(self.group, name, None, words)
        one, two = compare({key: first[key] for key in both}), compare({key: second[key] for key in both})
        return self._judged(condition, one, two)

    def _judged(self, condition: str, one: Comparison, two: Comparison) -> Control:
        usual, other = list(one.means.values()), list(two.means.values())
        shift, spread, tau = _mean(other) - _mean(usual), max(usual) - min(usual), kendall(usual, other)
        pairs, turned = _reversed(one, two)
        words = (
            f"{condition}, {self._order(len(usual), tau, pairs, turned)}. {self._move(shift, spread, one.all_pairs)}"
        )
        if left_out := len(self.schedule.control_cells) - len(usual):
            words += f" {cells_of(left_out)} could not be compared."
        figures = {"shift": shift, "spread": spread, "cells": len(usual), "pairs": pairs, "reversed": turned}
        passed = turned == 0 if pairs else None
        found = figures | ({} if tau is None else {"tau": tau})
        return Control(self.group, NAMES[self.group], passed, words, found)

    def _order(self, cells: int, tau: float | None, pairs: int, turned: int) -> str:
        agreement = "" if tau is None else f" agrees with that of the ranking with Kendall τ = {signed(tau, 2)}"
        if not pairs:
            fate = "no two of them differ significantly in the ranking"
        elif turned:
            fate = f"{turned} of {pairs} significant pairs {'is' if turned == 1 else 'are'} reversed"
        else:
            fate = "no significant pair is reversed"
        return f"the order of {cells_of(cells)}{agreement}; {fate}" if agreement else f"{cells_of(cells)}: {fate}"

    def _move(self, shift: float, spread: float, half_width: float) -> str:
        places, cause = min(4, decimals(half_width)), "recipe" if self.group == "second_recipe" else "horizon"
        move = f"{'' if shift < 0 else '+'}{signed(shift, places)}"
        return f"The {cause} moves the loss by {move}, these cells differ by {signed(spread, places)} {self.unit}."

    def _condition(self) -> str:
        request = self.schedule.study.request
        if self.group == "second_horizon":
            return f"After {request.second_horizon:g} × the tokens"
        changes = [f"{name}={shown(value)}" for name, value in request.recipe_changes.items()]
        return f"Under the second recipe ({', '.join(changes) or 'the same'})"

    def _waiting(self) -> bool:
        specs, rates = self.schedule.runs(self.group), self.schedule.rates
        wanted = {spec.key for spec in self.schedule.wanted}
        runs = [*specs.values(), *(self.schedule.runs("ranking").get(key, ()) for key in specs)]
        second = self.schedule.second_rates if self.group == "second_recipe" else rates
        known = all(cell.key in second and cell.key in rates for cell in self.schedule.control_cells)
        return not known or any(spec.key in wanted for one in runs for spec in one)

    def _losses(self, group: Group) -> dict[str, list[float]]:
        found = {cell.key: losses_of(self.schedule, group, cell.key) for cell in self.schedule.control_cells}
        seeds = self.schedule.study.request.seeds
        return {key: runs for key, runs in found.items() if len(runs) == seeds and all(map(math.isfinite, runs))}


def _reversed(one: Comparison, two: Comparison) -> tuple[int, int]:
    """Return the number of pairs that differ significantly, and of those that differ the other way in the second."""
    pairs = turned = 0
    for left, right in combinations(one.means, 2):
        before, after = one.means[left] - one.means[right], two.means[left] - two.means[right]
        pairs += abs(before) > one.all_pairs
        turned += before * after < 0 and abs(before) > one.all_pairs and abs(after) > two.all_pairs
    return pairs, turned


def _figures(difference: float, half_width: float) -> Mapping[str, float]:
    return {"difference": difference, "half_width": half_width}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
