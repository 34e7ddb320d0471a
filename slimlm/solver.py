"""The solver: from a request to the nearest design, or to what would work instead."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

from slimlm.accounting import count_total
from slimlm.config import ModelConfig
from slimlm.design import Design, ModelDims
from slimlm.search import SearchSpace, nearest, smallest, window
from slimlm.units import format_size

Knob = int | bool | None


@dataclass(frozen=True)
class Suggestion:
    """One change to a request that makes it possible."""

    field: str
    value: Knob
    config: ModelConfig
    """The request with the change applied; `solve` meets it."""

    def __str__(self) -> str:
        """Name the change: "vocab_size=123456"."""
        shown = format_size(self.value) if type(self.value) is int else repr(self.value)
        return f"{self.field}={shown}"


class BudgetError(ValueError):
    """No model meets the request; each of `suggestions` changes one of the knobs that clash, and is met."""

    def __init__(self, message: str, suggestions: tuple[Suggestion, ...]) -> None:
        super().__init__(message)
        self.suggestions = suggestions


def solve(config: ModelConfig) -> Design:
    """Return the design nearest to the request among all whose total lies within ±0.5 % of it.

    Nearest means the least `slimlm.design.distance`; ties go to the smaller miss of the total, then to fewer layers,
    then to the smaller d_model. No better design exists.

    Raises BudgetError when no design meets the total.
    """
    found = nearest(config)
    if found is None:
        raise _budget_error(config)
    return Design(config, found)


def compute_model_dims(config: ModelConfig) -> ModelDims:
    """Return the solved (d_model, d_ff, n_layers) alone.

    >>> d_model, d_ff, n_layers = compute_model_dims(ModelConfig())
    >>> d_model, d_ff, n_layers
    (216, 544, 12)

    Raises BudgetError when no design meets the total.
    """
    return solve(config).dims


def _budget_error(config: ModelConfig) -> BudgetError:
    space = SearchSpace(config)
    totals = space.nearest_totals()
    suggestions = tuple(
        Suggestion(field, value, changed) for field, value, changed in _changes(config, totals) if nearest(changed)
    )
    clash = [s.field for s in suggestions if s.field != "total_params"]
    knobs = ", ".join(f"{field}={getattr(config, field)}" for field in dict.fromkeys(clash))
    remedies = ", ".join(map(str, suggestions))
    problem = f"clashes with {knobs}" if knobs else "is out of reach"
    message = f"total_params={config.total_params:,} {problem}: {_reason(space, totals)}"
    return BudgetError(f"{message}; any one of these would work: {remedies}" if remedies else message, suggestions)


def _reason(space: SearchSpace, totals: tuple[int, ...]) -> str:
    model = smallest(space.config)
    if model is None:
        groups = "" if space.config.n_kv_heads is None else f" in groups of n_kv_heads={space.config.n_kv_heads}"
        return f"no d_model that is a multiple of {space.config.multiple_of} has heads from 16 to 256 wide{groups}"
    if (total := count_total(model)) <= space.high:
        return f"the nearest such totals are {' and '.join(f'{total:,}' for total in totals)}"
    return (
        f"the smallest such model (d_model={model.d_model}, d_ff={model.d_ff}, n_layers={model.n_layers}) "
        f"has {total:,} parameters"
    )


def _changes(config: ModelConfig, totals: tuple[int, ...]) -> Iterator[tuple[str, Knob, ModelConfig]]:
    """Propose changes of a single knob, the mildest of each kind that looks possible."""
    proposals: list[tuple[str, Knob]] = [("total_params", total) for total in reversed(totals)]
    proposals += [(field, _largest(config, field)) for field in ("vocab_size", "max_seq_length")]
    proposals += [
        (field, _first_below(config, field)) for field in ("n_heads", "n_kv_heads", "head_dim", "multiple_of")
    ]
    if config.n_layers is not None:
        proposals += [("n_layers", _largest(config, "n_layers")), ("n_layers", None)]
    if not config.tied_lm_head:
        proposals.append(("tied_lm_head", True))
    for field, value in proposals:
        if value is not None or field == "n_layers":
            try:
                yield field, value, _change(config, field, value)
            except ValueError:  # outside the field's limits
                continue


def _change(config: ModelConfig, field: str, value: Knob) -> ModelConfig:
    changes: dict[str, Knob] = {field: value}
    return replace(config, **changes)  # type: ignore[arg-type]


def _fits(config: ModelConfig) -> bool:
    model = smallest(config)
    return model is not None and count_total(model) <= window(config)[1]


def _largest(config: ModelConfig, field: str) -> int | None:
    """Return the largest value below the asked one with which a model fits, for a knob that costs parameters."""
    least = 2 if field == "vocab_size" else 1
    values = range(least, getattr(config, field))
    fitting = bisect_right(values, False, key=lambda value: not _fits(_change(config, field, value)))
    return values[fitting - 1] if fitting else None


def _first_below(config: ModelConfig, field: str) -> int | None:
    """Return the greatest customary value below the asked one with which a model is found."""
    customary = (512, 256, 128, 64, 32, 16, 12, 8, 6, 4, 2, 1)
    asked = getattr(config, field)
    lower = (value for value in customary if isinstance(asked, int) and value < asked)
    return next((value for value in lower if _is_met(config, field, value)), None)


def _is_met(config: ModelConfig, field: str, value: int) -> bool:
    try:
        changed = _change(config, field, value)
        return _fits(changed) and nearest(changed) is not None
    except ValueError:  # it does not go with the other choices
        return False
