"""Component: one row of an account, with its tensors; and the tensors of linear layers and norms."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Component:
    """One row of the account: `copies` times the tensors in `shapes`."""

    key: str
    """Stable identifier, one of `slimlm.core.names.COMPONENT_NAMES`."""
    name: str
    """Display name."""
    formula: str
    """Parameters of one copy, as a formula of the architecture's fields."""
    shapes: dict[str, Shape]
    """Parameter name in the PyTorch model (`*` for the layer) → shape."""
    copies: int = 1
    """Number of copies of the tensors: the number of layers that have them, for a component of the layers."""
    per_layer: bool = False
    """Whether layers have copies."""
    first_layer: int = 0
    """The first layer that has a copy, counted from 0; the layers after it have the others."""
    active_of: tuple[int, int] = (1, 1)
    """Copies of a tensor that a token uses, and copies that there are: experts per token, and routed experts."""
    note: str = ""
    """Reason for a count of zero."""
    share: float = 0.0
    """params / total of the account."""

    @property
    def copy_params(self) -> int:
        """Parameters in one copy."""
        return sum(map(prod, self.shapes.values()))

    @property
    def params(self) -> int:
        """Parameters in all copies."""
        return self.copies * self.copy_params

    @property
    def active_params(self) -> int:
        """Parameters that one token uses: of routed experts those of its own, of everything else all."""
        return self.active_copies(self.params)

    def active_copies(self, params: int) -> int:
        """Return how many of some parameters of this component one token uses."""
        used, present = self.active_of
        return params * used // present

    @property
    def layers(self) -> range:
        """Numbers of the layers that have a copy, from 0; empty for a component outside the layers."""
        return range(self.first_layer, self.first_layer + self.copies) if self.per_layer else range(0)


def linear_shapes(name: str, rows: int, columns: int, bias: bool = False) -> dict[str, Shape]:
    """Return the tensors of a linear layer."""
    weight: dict[str, Shape] = {f"{name}.weight": (rows, columns)}
    return weight | {f"{name}.bias": (rows,)} if bias else weight


NORM_TENSORS = {
    "layernorm": ("weight", "bias"),
    "rmsnorm": ("weight",),
    "layernorm_no_bias": ("weight",),
    "layernorm_no_params": (),
}
"""Tensors of each kind of norm."""


def norm_shapes(kind: str, name: str, width: int) -> dict[str, Shape]:
    """Return the tensors of a norm."""
    return {f"{name}.{tensor}": (width,) for tensor in NORM_TENSORS[kind]}


def feed_forward_shapes(
    gated: bool, name: str, linear: Callable[[str, int, int], dict[str, Shape]], d_model: int, d_ff: int
) -> dict[str, Shape]:
    """Return the tensors of a feed-forward; `linear` returns those of one of its projections."""
    shapes: dict[str, Shape] = {}
    for projection in ("gate_proj", "up_proj") if gated else ("up_proj",):
        shapes |= linear(f"{name}.{projection}", d_ff, d_model)
    return shapes | linear(f"{name}.down_proj", d_model, d_ff)


def sum_of(*terms: str) -> str:
    """Join the terms of a formula that are not empty."""
    return " + ".join(filter(None, terms))


def times(factor: int, term: str) -> str:
    """Multiply a term of a formula."""
    return term if factor == 1 else f"{factor} · {term}"
