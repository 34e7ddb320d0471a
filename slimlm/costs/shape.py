"""Quantities of a model's shape and size."""

from slimlm.costs.quantity import Quantity

_QUANTITIES = (
    Quantity(key="n_layers", name="Layers", unit="whole", of=lambda work: work.account.architecture.n_layers),
    Quantity(key="d_model", name="Width (d_model)", unit="whole", of=lambda work: work.account.architecture.d_model),
    Quantity(
        key="d_ff", name="Feed-forward width (d_ff)", unit="whole", of=lambda work: work.account.architecture.d_ff
    ),
    Quantity(
        key="glu_expansion",
        name="Expansion (d_ff / d_model)",
        unit="real",
        of=lambda work: work.account.architecture.glu_expansion,
    ),
    Quantity(
        key="aspect_ratio",
        name="Aspect ratio (d_model / layers)",
        unit="real",
        of=lambda work: work.account.architecture.d_model / work.account.architecture.n_layers,
    ),
    Quantity(key="total_params", name="Total", unit="params", of=lambda work: work.account.total_params),
    Quantity(
        key="non_embedding_params",
        name="Non-embedding",
        unit="params",
        of=lambda work: work.account.non_embedding_params,
    ),
    Quantity(key="embedding_ratio", name="Embedding ratio", unit="share", of=lambda work: work.account.embedding_ratio),
)

SHAPE_QUANTITIES = {quantity.key: quantity for quantity in _QUANTITIES}
"""Every quantity of shape and size by key."""

ACTIVE_PARAMS = Quantity(
    key="active_params",
    name="Active per token",
    unit="params",
    of=lambda work: work.account.active_params,
    assumptions=("of routed experts those that a token uses, of everything else all",),
)
"""Parameters that a token uses, which differ from all in a mixture of experts."""
