"""The solver: from a request to the nearest design, to what would work instead, and to other good designs nearby."""

from dataclasses import dataclass, replace
from functools import cached_property
from math import gcd

from slimlm.config import ModelConfig
from slimlm.design import Design
from slimlm.search import ModelDims, SearchSpace, architecture
from slimlm.units import format_count, format_size


class BudgetError(ValueError):
    """No model meets the request. `suggestions` are requests that a model does meet, each one knob away."""

    def __init__(self, message: str, suggestions: tuple["Suggestion", ...]) -> None:
        super().__init__(message)
        self.suggestions = suggestions


@dataclass(frozen=True)
class Suggestion:
    """One change to a request that makes it possible."""

    field: str
    value: int | bool | None
    config: ModelConfig
    """The request with the change applied; `solve` meets it."""

    def __str__(self) -> str:
        """Name the change: "total_params=2.1M"."""
        shown = format_size(self.value) if type(self.value) is int else repr(self.value)
        return f"{self.field}={shown}"


def solve(config: ModelConfig) -> Design:
    """Return the design nearest to the request among all whose total lies within ±0.5 % of it.

    Nearest means the least `slimlm.design.distance`; ties go to the smaller miss of the total, then to fewer layers,
    then to the smaller d_model. No better design exists.

    Raises BudgetError when no design meets the total.
    """
    space = SearchSpace(config)
    dims = space.nearest()
    if dims is None:
        raise _budget_error(config, space)
    return Design(config, architecture(config, dims))


def compute_model_dims(config: ModelConfig) -> ModelDims:
    """Return the solved (d_model, d_ff, n_layers) alone.

    >>> d_model, d_ff, n_layers = compute_model_dims(ModelConfig())
    >>> d_model, d_ff, n_layers
    (216, 544, 12)

    Raises BudgetError when no design meets the total.
    """
    arch = solve(config).architecture
    return ModelDims(arch.d_model, arch.d_ff, arch.n_layers)
