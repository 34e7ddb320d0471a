"""Solve a request for the nearest design, or suggest changes that make it feasible."""

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from slimlm.core.architecture import ModelDims
from slimlm.core.budget import count_params, in_budget_unit, window
from slimlm.core.budget_text import budget_noun
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.solver.search import SearchSpace, smallest
from slimlm.solver.shape_search import nearest, search_space
from slimlm.utils.formatting import format_size

Knob = int | bool | None


@dataclass(frozen=True)
class Suggestion:
    """One change to a request that makes it feasible."""

    field: str
    value: Knob
    config: ModelConfig
    """The changed request, which `solve` meets."""

    def __str__(self) -> str:
        """Write the change: "vocab_size=123456"."""
        shown = format_size(self.value) if type(self.value) is int else repr(self.value)
        return f"{self.field}={shown}"


class BudgetError(ValueError):
    """No model meets the request. Each of `suggestions` changes one field and makes it feasible."""

    def __init__(self, problem: str, suggestions: tuple[Suggestion, ...]) -> None:
        super().__init__(problem, suggestions)
        self.problem, self.suggestions = problem, suggestions

    def __str__(self) -> str:
        remedies = ", ".join(map(str, self.suggestions))
        return f"{self.problem}; any one of these would work: {remedies}" if remedies else self.problem


def solve(config: ModelConfig) -> Design:
    """Return the design nearest to the request among all whose total lies within ±0.5 % of it.

    The total is what the request's budget counts (`slimlm.core.budget`). Nearest means the smallest
    `slimlm.core.design.distance`; ties go to the smaller miss of the total, then to fewer layers, then to the smaller
    d_model. The search is exact unless it has many millions of widths: it then becomes coarser, so that its work stays
    bounded (`slimlm.solver.search.MOST_WORK`).

    Raises BudgetError when no design meets the total.
    """
    design = nearest_design(config)
    if design is None:
        raise _budget_error(config)
    return design


def nearest_design(config: ModelConfig) -> Design | None:
    """Return the design of `solve`, or None when no design meets the total.

    It skips the search for suggestions, which takes longer than the search for the design.
    """
    found = nearest(config)
    return Design(config, found, solved=True) if found else None


def compute_model_dims(config: ModelConfig) -> ModelDims:
    """Return the solved (d_model, d_ff, n_layers) alone.

    >>> d_model, d_ff, n_layers = compute_model_dims(ModelConfig())
    >>> d_model, d_ff, n_layers
    (216, 544, 12)

    Raises BudgetError when no design meets the total.
    """
    return solve(config).dims


def _budget_error(config: ModelConfig) -> BudgetError:
    space = search_space(config)
    totals = tuple(math.ceil(in_budget_unit(config, total)) for total in space.nearest_totals())
    suggestions = _suggestions(config, totals)
    clash = [s.field for s in suggestions if s.field != "total_params"]
    knobs = ", ".join(f"{field}={getattr(config, field)}" for field in dict.fromkeys(clash))
    clashes = f"clashes with {knobs}" if knobs else "is out of reach"
    unit = "" if config.budget == "total" else f" ({budget_noun(config)})"
    return BudgetError(f"total_params={config.total_params:,}{unit} {clashes}: {_reason(space, totals)}", suggestions)


def _reason(space: SearchSpace, totals: tuple[int, ...]) -> str:
    config, model = space.config, smallest(space.config)
    if model is None:
        groups = "" if config.n_kv_heads is None else f" in groups of n_kv_heads={config.n_kv_heads}"
        return f"no d_model that is a multiple of {config.multiple_of} has heads from 16 to 256 wide{groups}"
    if (total := count_params(model, config.budget)) <= space.high:
        return f"the nearest such totals are {' and '.join(f'{total:,}' for total in totals)}"
    return (
        f"the smallest such model (d_model={model.d_model}, d_ff={model.d_ff}, n_layers={model.n_layers}) "
        f"has {in_budget_unit(config, total):,} {budget_noun(config)}"
    )


def _suggestions(config: ModelConfig, totals: tuple[int, ...]) -> tuple[Suggestion, ...]:
    """Return changes of one field each: the smallest change of each kind that makes the request feasible."""
    proposals: list[tuple[str, Iterable[Knob]]] = [("total_params", (total,)) for total in reversed(totals)]
    proposals += [(field, _largest(config, field)) for field in ("vocab_size", "max_seq_length")]
    proposals += [(field, _customary(config, field)) for field in ("n_heads", "n_kv_heads", "head_dim", "multiple_of")]
    if config.n_layers is not None:
        proposals += [("n_layers", _largest(config, "n_layers")), ("n_layers", (None,))]
    if not config.tied_lm_head:
        proposals.append(("tied_lm_head", (True,)))
    tried = (_first_met(config, field, values) for field, values in proposals)
    return tuple(suggestion for suggestion in tried if suggestion)


def _first_met(config: ModelConfig, field: str, values: Iterable[Knob]) -> Suggestion | None:
    """Return the first value of a field that makes the request feasible, as a change."""
    for value in values:
        with suppress(ValueError):  # outside the field's limits, or excluded by another choice
            changed = _change(config, field, value)
            if _fits(changed) and search_space(changed).has_design():
                return Suggestion(field, value, changed)
    return None


def _change(config: ModelConfig, field: str, value: Knob) -> ModelConfig:
    return ModelConfig(**vars(config) | {field: value})


def _fits(config: ModelConfig) -> bool:
    model = smallest(config)
    return model is not None and count_params(model, config.budget) <= window(config)[1]


def _largest(config: ModelConfig, field: str) -> tuple[int, ...]:
    """Return the largest value below the requested one with which a model fits, for a field that costs parameters.

    The smallest model's total is linear in each of these fields, so that two totals determine all.
    """
    least = {"vocab_size": 2, "n_layers": config.n_dense_layers + 1}.get(field, 1)
    requested = getattr(config, field)
    models = [smallest(_change(config, field, value)) for value in (least, least + 1)]
    first, second = (count_params(model, config.budget) if model else 0 for model in models)
    room = window(config)[1] - first
    if not first or room < 0:
        return ()
    fitting = least + room // (second - first) if second > first else requested
    return (min(fitting, requested - 1),) if requested > least else ()


def _customary(config: ModelConfig, field: str) -> Iterator[int]:
    """Yield the customary values below the requested one, largest first."""
    requested = getattr(config, field)
    return (
        value
        for value in (512, 256, 128, 64, 32, 16, 12, 8, 6, 4, 2, 1)
        if type(requested) is int and value < requested
    )
