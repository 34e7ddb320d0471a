"""What the budget of a request counts: all parameters, those outside the vocabulary, those used per token, or bytes.

The solver works with a number of parameters and the window around it. A budget of bytes becomes the number of
parameters that fit into it, every parameter in `budget_precision`, norms and biases included and no scales counted.
"""

from slimlm.core.accounting import Account, account, components_of, count_total
from slimlm.core.architecture import Architecture, Choices
from slimlm.core.config import Budget, ModelConfig
from slimlm.core.precision import BITS

_STEP = 200
"""A design is within a 200th of its budget: ±0.5 %."""

_BYTE = 8
"""Bits of a byte: amounts are compared in bits, which are whole in every precision."""


def counted_params(account: Account, budget: Budget) -> int:
    """Return the parameters of an account that a budget counts; a budget of bytes counts all."""
    if budget == "non_embedding":
        return account.non_embedding_params
    return account.active_params if budget == "active" else account.total_params


def count_params(architecture: Architecture, budget: Budget) -> int:
    """Return the same for an architecture; the total alone needs no account."""
    if budget in ("total", "bytes"):
        return count_total(architecture)
    return counted_params(account(architecture), budget)


def count_with_layer(architecture: Architecture, budget: Budget) -> tuple[int, int]:
    """Return the same, and what one more layer adds to it."""
    components = components_of(architecture)
    last = architecture.n_layers - 1
    active, total, layer = budget == "active", 0, 0
    for component in components:
        params, copy = component.params, component.copy_params if last in component.layers else 0
        total += component.active_copies(params) if active else params
        layer += component.active_copies(copy) if active else copy
    if budget == "non_embedding":
        total -= table_params(architecture, architecture.d_model)
    return total, layer


def target_params(config: ModelConfig) -> int:
    """Return the number of parameters that a request asks for: of bytes, what fits into them, at least one.

    >>> target_params(ModelConfig(total_params=1001, budget="bytes", budget_precision="bf16"))
    500
    """
    return max(1, _BYTE * config.total_params // _bits(config))


def window(config: ModelConfig) -> tuple[int, int]:
    """Return the lowest and the highest number of counted parameters that a request accepts, within ±0.5 %."""
    bits, asked = _bits(config), _BYTE * config.total_params
    slack = asked // _STEP
    return -((slack - asked) // bits), (asked + slack) // bits


def in_budget_unit(config: ModelConfig, params: int) -> int | float:
    """Return a number of counted parameters in the unit of a request's budget: itself, or its bytes.

    >>> [in_budget_unit(ModelConfig(budget="bytes", budget_precision="int4"), params) for params in (1000, 1001)]
    [500, 500.5]
    """
    whole, rest = divmod(_bits(config) * params, _BYTE)
    return whole + rest / _BYTE if rest else whole


def _bits(config: ModelConfig) -> int:
    """Return the bits of a parameter in a budget of bytes; those of a byte where parameters count themselves."""
    return BITS[config.budget_precision] if config.budget == "bytes" else _BYTE


def table_params(config: Choices, d_model: int) -> int:
    """Return the parameters of the vocabulary-sized tables at a width."""
    return config.vocabulary_tables * config.vocab_size * d_model


def total_at(config: ModelConfig, d_model: float) -> float:
    """Return all parameters of a design of a width that meets the budget exactly.

    Only a budget that leaves the vocabulary out makes the total depend on the width.
    """
    if config.budget != "non_embedding":
        return target_params(config)
    return config.total_params + config.vocabulary_tables * config.vocab_size * d_model


def target_table_params(config: ModelConfig) -> float:
    """Return the parameters of the vocabulary-sized tables at the asked embedding ratio r.

    r · total where the budget counts them; where it leaves them out, N other parameters are a share of 1 − r, so that
    the tables have N · r / (1 − r).

    Raises TypeError for a ratio of "auto", which follows from the shape.
    """
    ratio = config.embedding_ratio
    if ratio == "auto":
        raise TypeError(f"embedding_ratio={ratio!r} has no target")
    if config.budget == "non_embedding":
        return config.total_params * ratio / (1 - ratio)
    return target_params(config) * ratio


def ratio_at(config: ModelConfig, d_model: int) -> float:
    """Return the embedding ratio of a design of a width that meets the budget exactly."""
    return table_params(config, d_model) / total_at(config, d_model)
