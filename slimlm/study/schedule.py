"""The runs of a study by what they are for, and which of them are needed next, given the outcomes so far.

Everything here is a pure function of the study and the outcomes. A study that was interrupted, or whose folders were
copied together from several machines, therefore goes on exactly where it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from slimlm.runs.lr_search import LearningRateSweep, sweep_of, wanted_exponents
from slimlm.runs.recipe import TrainRecipe
from slimlm.study.cells import StudyCell, middle_cell, spread
from slimlm.study.learning_rates import (
    MOST_ANCHORS,
    VERIFIED,
    CellRate,
    RateLaw,
    fit_law,
    law_holds,
    tidy_rate,
)
from slimlm.study.outcome import Outcome
from slimlm.study.request import CONTROL_CELLS, OTHER_SEEDS
from slimlm.study.spec import RunSpec
from slimlm.study.study import Study

Group = Literal["ranking", "again", "bad", "second_recipe", "second_horizon"]
"""What a set of runs is for: the ranking, the A/A pair, the bad cell, the second recipe, the second horizon."""

BAD_FACTOR = 16
"""The bad cell is trained with a learning rate this many times lower."""


@dataclass(frozen=True)
class Schedule:
    """A study with the outcomes of its runs so far, by key."""

    study: Study
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)

    @cached_property
    def rates(self) -> dict[str, CellRate]:
        """The learning rate of each cell by its key, as far as it is known."""
        return self._rates(self.study.cells, self.study.request.recipe)

    @cached_property
    def second_rates(self) -> dict[str, CellRate]:
        """The learning rate under the second recipe of each cell that is trained with it."""
        found = ((cell, self._search(cell, self.study.request.other_recipe)) for cell in self.control_cells)
        return {cell.key: _searched(search) for cell, search in found if search}

    @cached_property
    def control_cells(self) -> tuple[StudyCell, ...]:
        """Cells of the second recipe and of the second horizon; none without controls."""
        return tuple(spread(self.study.cells, CONTROL_CELLS)) if self.study.request.controls else ()

    def runs(self, group: Group) -> dict[str, tuple[RunSpec, ...]]:
        """Return the runs of a group by cell, one for each seed, without cells whose learning rate is not known."""
        return self._runs[group]

    @cached_property
    def _runs(self) -> dict[Group, dict[str, tuple[RunSpec, ...]]]:
        request, cells = self.study.request, {cell.key: cell for cell in self.study.cells}
        known = {key: found.rate for key, found in self.rates.items() if found.rate is not None}
        runs: dict[Group, dict[str, tuple[RunSpec, ...]]] = {
            "ranking": {key: self._seeds(cells[key], request.recipe, rate) for key, rate in known.items()},
            "again": {}, "bad": {}, "second_recipe": {}, "second_horizon": {},
        }  # fmt: skip
        if not request.controls:
            return runs
        middle = middle_cell(self.study.cells)
        if rate := known.get(middle.key):
            runs["again"] = {middle.key: self._seeds(middle, request.recipe, rate, first=OTHER_SEEDS)}
            runs["bad"] = {middle.key: self._seeds(middle, request.recipe, tidy_rate(rate / BAD_FACTOR))}
        for cell in self.control_cells:
            second = self.second_rates.get(cell.key)
            if second and second.rate is not None:
                runs["second_recipe"][cell.key] = self._seeds(cell, request.other_recipe, second.rate)
            if rate := known.get(cell.key):
                horizon = request.second_horizon
                runs["second_horizon"][cell.key] = self._seeds(cell, request.recipe, rate, horizon=horizon)
        return runs

    @property
    def wanted(self) -> tuple[RunSpec, ...]:
        """Runs that are needed now and not over, each once, the longest first.

        Empty when the study is complete; else the outcomes of these runs may show that more are needed.
        """
        missing = {spec.key: spec for spec in self._needed() if spec.key not in self.outcomes}
        return tuple(sorted(missing.values(), key=lambda spec: (-spec.flops, spec.key)))

    @cached_property
    def specs(self) -> dict[str, RunSpec]:
        """All runs that are known to belong to the study, over or not, by key: those of searches included."""
        recipe, second = self.study.request.recipe, self.study.request.other_recipe
        searched = [(cell, recipe) for cell in self._to_search(self.study.cells, recipe)]
        searched += [(cell, second) for cell in self.control_cells]
        specs = [self._at_rate(cell, own, n) for cell, own in searched for n in self._losses(cell, own)]
        return {spec.key: spec for spec in (*specs, *self._needed())}

    def _needed(self) -> Iterator[RunSpec]:
        recipe, second = self.study.request.recipe, self.study.request.other_recipe
        for cell in self._to_search(self.study.cells, recipe):
            yield from self._next_of_search(cell, recipe)
        for cell in self.control_cells:
            yield from self._next_of_search(cell, second)
        for group in self._runs.values():
            for specs in group.values():
                yield from specs

    # Learning rates.

    def _rates(self, cells: Sequence[StudyCell], recipe: TrainRecipe) -> dict[str, CellRate]:
        searched = self._to_search(cells, recipe)
        found = {cell.key: _searched(search) for cell in searched if (search := self._search(cell, recipe))}
        law = self.law
        if law is None:
            return found
        rest = {
            cell.key: CellRate(law.rate(cell.architecture), "interpolated", law=law.rate(cell.architecture))
            for cell in cells
            if cell not in searched
        }
        known = {cell.key: law.rate(cell.architecture) for cell in cells}
        return {key: replace(rate, law=known[key]) for key, rate in found.items()} | rest

    def _to_search(self, cells: Sequence[StudyCell], recipe: TrainRecipe) -> list[StudyCell]:
        """Return the cells with a search of their own: the anchors, those that verify, or all of them."""
        grid = [cell for cell in cells if cell.in_grid]
        beside = [cell for cell in cells if not cell.in_grid]
        anchors, checking = self._anchors(grid)
        if any(self._search(cell, recipe) is None for cell in anchors):
            return [*anchors, *beside]
        if not checking:
            return [*grid, *beside]
        law = self._law_of(anchors, recipe)
        if law is None:
            return [*grid, *beside]
        searches = {cell.architecture: self._search(cell, recipe) for cell in checking}
        if None in searches.values():
            return [*anchors, *checking, *beside]
        best = {arch: search.best for arch, search in searches.items() if search}
        holds = None not in best.values() and law_holds(law, {arch: rate for arch, rate in best.items() if rate})
        return [*anchors, *checking, *beside] if holds else [*grid, *beside]

    def _anchors(self, grid: Sequence[StudyCell]) -> tuple[list[StudyCell], list[StudyCell]]:
        """Return the cells that the law is fitted to and those that verify it; none verify where all are searched."""
        if len(grid) <= MOST_ANCHORS + VERIFIED:
            return list(grid), []
        chosen = spread(grid, MOST_ANCHORS + VERIFIED)
        return chosen[:MOST_ANCHORS], chosen[MOST_ANCHORS:]

    @cached_property
    def law(self) -> RateLaw | None:
        """The law that interpolates; None where every cell is searched, and while the anchors are not."""
        cells, recipe = self.study.cells, self.study.request.recipe
        anchors, checking = self._anchors([cell for cell in cells if cell.in_grid])
        searched = self._to_search(cells, recipe)
        done = all(self._search(cell, recipe) for cell in (*anchors, *checking))
        if not checking or not done or len(searched) == len(cells):
            return None
        return self._law_of(anchors, recipe)

    def _law_of(self, anchors: Sequence[StudyCell], recipe: TrainRecipe) -> RateLaw | None:
        """Return the law through the best rates of the anchors; None unless all are bracketed."""
        best = [(cell.architecture, search.best) for cell in anchors if (search := self._search(cell, recipe))]
        known = [(architecture, rate) for architecture, rate in best if rate is not None]
        return fit_law(known) if len(known) == len(anchors) else None

    def _search(self, cell: StudyCell, recipe: TrainRecipe) -> LearningRateSweep | None:
        """Return the search of a cell when it is over."""
        losses = self._losses(cell, recipe)
        if wanted_exponents(losses):
            return None
        return sweep_of(recipe.learning_rate, {n: (loss,) for n, loss in losses.items()})

    def partial_search(self, cell: StudyCell, recipe: TrainRecipe) -> dict[float, float]:
        """Return the losses of a search so far, by learning rate."""
        return {self._rate_at(recipe, n): loss for n, loss in sorted(self._losses(cell, recipe).items())}

    def _losses(self, cell: StudyCell, recipe: TrainRecipe) -> dict[int, float]:
        losses: dict[int, float] = {}
        while wanted := wanted_exponents(losses):
            specs = {n: self._at_rate(cell, recipe, n) for n in wanted}
            known = {n: self.outcomes[spec.key].loss for n, spec in specs.items() if spec.key in self.outcomes}
            losses |= known
            if len(known) < len(wanted):
                break
        return losses

    def _next_of_search(self, cell: StudyCell, recipe: TrainRecipe) -> list[RunSpec]:
        return [self._at_rate(cell, recipe, n) for n in wanted_exponents(self._losses(cell, recipe))]

    def _rate_at(self, recipe: TrainRecipe, exponent: int) -> float:
        return recipe.learning_rate * 2.0**exponent

    def _at_rate(self, cell: StudyCell, recipe: TrainRecipe, exponent: int) -> RunSpec:
        return self._spec(cell, recipe, self._rate_at(recipe, exponent), recipe.seed)

    # Runs.

    def _seeds(
        self, cell: StudyCell, recipe: TrainRecipe, rate: float, *, first: int = 0, horizon: float = 1.0
    ) -> tuple[RunSpec, ...]:
        seeds = (recipe.seed + first + number for number in range(self.study.request.seeds))
        return tuple(self._spec(cell, recipe, rate, seed, horizon) for seed in seeds)

    def _spec(self, cell: StudyCell, recipe: TrainRecipe, rate: float, seed: int, horizon: float = 1.0) -> RunSpec:
        batch = recipe.batch_tokens
        tokens = max(1, round(cell.tokens * horizon / batch)) * batch
        own = replace(recipe, learning_rate=rate, seed=seed, tokens=tokens)
        digest = self.study.data[cell.architecture.vocab_size].digest
        return RunSpec(cell.architecture, own, digest, tokens * cell.flops_per_token)


def _searched(search: LearningRateSweep) -> CellRate:
    if search.best is None:
        return CellRate(None, "not bracketed", search)
    return CellRate(tidy_rate(search.best), "searched", search)
