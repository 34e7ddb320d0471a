"""The request that leads to a given architecture."""

from dataclasses import fields

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture, Choices
from slimlm.core.config import ModelConfig
from slimlm.solver.solver import BudgetError, solve
from slimlm.utils.formatting import parse_number
from slimlm.utils.validation import nearest_allowed


def nearest_request(architecture: Architecture) -> ModelConfig:
    """Return the request with the total, ratio, expansion and depth of an architecture, rounded as in a link.

    Values outside a request's limits are moved to the limit, so that its design may differ: see `request_like`.
    """
    counted = account(architecture)
    realised = {
        "total_params": counted.total_params,
        "embedding_ratio": _as_written(counted.embedding_ratio),
        "glu_expansion": _as_written(architecture.glu_expansion),
    }
    values = architecture.concrete()
    chosen = {field.name: values[field.name] for field in fields(Choices)}
    if architecture.n_heads * architecture.head_width == architecture.d_model:
        chosen["head_dim"] = None
    if architecture.kv_heads == architecture.n_heads:
        chosen["n_kv_heads"] = None
    # Widths that are left open follow the design.
    chosen |= {name: getattr(architecture, name) for name in ("d_shared", "d_dense", "v_head_dim")}
    allowed = {name: nearest_allowed(ModelConfig, name, value) for name, value in realised.items()}
    return ModelConfig(**chosen, **allowed, n_layers=architecture.n_layers)  # type: ignore[arg-type]


def _as_written(value: float) -> float:
    """Round as a link does."""
    return parse_number(f"{value:.10g}")


def request_like(architecture: Architecture) -> ModelConfig:
    """Return a request for which `solve` finds exactly this architecture.

    >>> wide = Architecture(d_model=768, d_ff=3072, n_layers=12, n_heads=12, ffn="gelu", bias="all")
    >>> solve(request_like(wide)).architecture == wide
    True

    Raises ValueError when there is none: its ratio or expansion is outside the limits or the precision of a request.
    """
    request = nearest_request(architecture)
    try:
        found = solve(request).architecture
    except BudgetError:
        found = None
    if found != architecture:
        ratio, expansion = account(architecture).embedding_ratio, architecture.glu_expansion
        raise ValueError(
            f"no request gives exactly this architecture: its embedding ratio {ratio:g} or its expansion {expansion:g} "
            "is beyond the limits or the six decimals of a request"
        )
    return request
