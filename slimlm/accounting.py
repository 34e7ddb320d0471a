"""The account: every component of an architecture, with its tensors and what they count.

Shapes are the truth and counts follow from them. The names of the tensors are those of the real module's parameters
(`*` stands for the number of the layer), so that the account can be compared with the module tensor by tensor.
"""

from dataclasses import dataclass, replace
from math import prod

from slimlm.architecture import Architecture

Shape = tuple[int, ...]

EMBEDDING_RATIO_DEFINITION = "share of parameters in vocabulary-sized tables (embedding, LM head if untied)"


@dataclass(frozen=True, kw_only=True)
class Component:
    """One row of the account: `copies` times the tensors in `shapes`."""

    key: str
    """Stable identifier: token_embedding, position_embedding, attention, ffn, norms, final_norm or lm_head."""
    name: str
    """What people call it."""
    formula: str
    """The count of one copy, in words."""
    shapes: dict[str, Shape]
    """Parameter name in the real module (`*` for the layer) → shape."""
    copies: int = 1
    """How often the tensors occur: n_layers for what every layer has."""
    per_layer: bool = False
    """Whether every layer has a copy."""
    note: str = ""
    """Why the count is zero."""
    share: float = 0.0
    """params over the account's total."""

    @property
    def copy_params(self) -> int:
        """Parameters in one copy."""
        return sum(map(prod, self.shapes.values()))

    @property
    def params(self) -> int:
        """Parameters in all copies."""
        return self.copies * self.copy_params


@dataclass(frozen=True)
class Account:
    """The components of an architecture, from input to output, and their sum."""

    architecture: Architecture
    components: tuple[Component, ...]
    total_params: int

    def __getitem__(self, key: str) -> Component:
        """Return the component with this key; raises KeyError when there is none."""
        return {component.key: component for component in self.components}[key]

    @property
    def layer_params(self) -> int:
        """Parameters of one transformer block."""
        return sum(component.copy_params for component in self.components if component.per_layer)

    @property
    def embedding_ratio(self) -> float:
        """Share of all parameters in vocabulary-sized matrices (`EMBEDDING_RATIO_DEFINITION`)."""
        return self["token_embedding"].share + self["lm_head"].share


def account(architecture: Architecture) -> Account:
    """List the components of an architecture, in the order in which a token meets them.

    >>> found = account(Architecture(d_model=216, d_ff=544, n_layers=12))
    >>> found.total_params, found["token_embedding"].params, found["lm_head"].note
    (10047024, 3456000, 'tied to the token embedding')
    """
    components = _components(architecture)
    total = sum(component.params for component in components)
    return Account(architecture, tuple(replace(part, share=part.params / total) for part in components), total)


def count_total(architecture: Architecture) -> int:
    """Return the number of parameters alone."""
    return sum(component.params for component in _components(architecture))


def _components(arch: Architecture) -> tuple[Component, ...]:
    d_model, d_ff, n_layers = arch.d_model, arch.d_ff, arch.n_layers
    vocabulary = (arch.vocab_size, d_model)
    return (
        Component(
            key="token_embedding",
            name="Token embedding",
            formula="vocab_size · d_model",
            shapes={"token_embedding.weight": vocabulary},
        ),
        Component(
            key="position_embedding",
            name="Position embedding",
            formula="max_seq_length · d_model",
            shapes={"position_embedding.weight": (arch.max_seq_length, d_model)},
        ),
        Component(
            key="attention",
            name="Attention",
            formula="4 · d_model²",
            shapes={f"blocks.*.attention.{name}_proj.weight": (d_model, d_model) for name in "qkvo"},
            copies=n_layers,
            per_layer=True,
        ),
        Component(
            key="ffn",
            name="SwiGLU",
            formula="3 · d_model · d_ff",
            shapes={
                "blocks.*.ffn.gate_proj.weight": (d_ff, d_model),
                "blocks.*.ffn.up_proj.weight": (d_ff, d_model),
                "blocks.*.ffn.down_proj.weight": (d_model, d_ff),
            },
            copies=n_layers,
            per_layer=True,
        ),
        Component(
            key="norms",
            name="LayerNorms",
            formula="4 · d_model",
            shapes=_layer_norm("blocks.*.attention_norm", d_model) | _layer_norm("blocks.*.ffn_norm", d_model),
            copies=n_layers,
            per_layer=True,
        ),
        Component(
            key="final_norm",
            name="Final LayerNorm",
            formula="2 · d_model",
            shapes=_layer_norm("final_norm", d_model),
        ),
        Component(
            key="lm_head",
            name="LM head",
            formula="0 (tied)" if arch.tied_lm_head else "vocab_size · d_model",
            shapes={} if arch.tied_lm_head else {"lm_head.weight": vocabulary},
            note="tied to the token embedding" if arch.tied_lm_head else "",
        ),
    )


def _layer_norm(name: str, d_model: int) -> dict[str, Shape]:
    return {f"{name}.weight": (d_model,), f"{name}.bias": (d_model,)}
