"""The account: every component of an architecture with its tensors and parameter counts.

Counts are computed from shapes. Tensors have the names of the parameters of the PyTorch model (`*` stands for the
number of the layer), so that tests can compare the two tensor by tensor.
"""

from dataclasses import dataclass
from functools import cached_property, partial

from slimlm.core.architecture import Architecture
from slimlm.core.component import (
    NORM_TENSORS,
    Component,
    Shape,
    feed_forward_shapes,
    linear_shapes,
    norm_shapes,
    sum_of,
    times,
)
from slimlm.core.expert_account import (
    expert_components,
    latent_attention_formula,
    latent_attention_shapes,
    latent_norm_formula,
    latent_norm_shapes,
)
from slimlm.core.names import COMPONENT_NAMES, OPTION_NAMES

__all__ = [
    "BIASED",
    "BLOCK_NORMS",
    "EMBEDDING_RATIO_DEFINITION",
    "Account",
    "Component",
    "Shape",
    "account",
    "components_of",
    "count_total",
    "norm_name",
]

EMBEDDING_RATIO_DEFINITION = "share of parameters in vocabulary-sized tables (embedding, LM head if untied)"


@dataclass(frozen=True)
class Account:
    """Components of an architecture, from input to output, and their total."""

    architecture: Architecture
    components: tuple[Component, ...]
    total_params: int

    def __getitem__(self, key: str) -> Component:
        """Return the component with this key; raises KeyError when there is none."""
        return {component.key: component for component in self.components}[key]

    @property
    def layer_params(self) -> int:
        """Parameters of one transformer block; of one with experts where there are some."""
        last = self.architecture.n_layers - 1
        return sum(component.copy_params for component in self.components if last in component.layers)

    @cached_property
    def active_params(self) -> int:
        """Parameters that one token uses: of the routed experts those that it is routed to, of everything else all."""
        if not self.architecture.is_mixture:
            return self.total_params
        return sum(component.active_params for component in self.components)

    @property
    def embedding_params(self) -> int:
        """Parameters in vocabulary-sized matrices: the embedding, and the LM head if it is untied."""
        arch = self.architecture
        return arch.vocabulary_tables * arch.vocab_size * arch.d_model

    @property
    def non_embedding_params(self) -> int:
        """Parameters outside the vocabulary-sized matrices; positions and the LM head's bias are among them."""
        return self.total_params - self.embedding_params

    @property
    def embedding_ratio(self) -> float:
        """Share of all parameters in vocabulary-sized matrices (`EMBEDDING_RATIO_DEFINITION`)."""
        return self.embedding_params / self.total_params


def account(architecture: Architecture) -> Account:
    """Return the components of an architecture, from input to output.

    >>> found = account(Architecture(d_model=216, d_ff=544, n_layers=12))
    >>> found.total_params, found["token_embedding"].params, found["lm_head"].note
    (10047024, 3456000, 'tied to the token embedding')
    """
    components = components_of(architecture)
    params = [component.params for component in components]
    total = sum(params)
    return Account(architecture, tuple(map(_with_share, components, (count / total for count in params))), total)


def _with_share(part: Component, share: float) -> Component:
    """Return a component with its share: what `dataclasses.replace` does, in a fifth of the time."""
    found = object.__new__(type(part))
    vars(found).update(vars(part), share=share)
    return found


def count_total(architecture: Architecture) -> int:
    """Return the number of parameters without the components."""
    return sum(component.params for component in components_of(architecture))


def components_of(arch: Architecture) -> tuple[Component, ...]:
    """Return the components of an architecture without their shares."""
    return (
        Component(
            key="token_embedding",
            name=COMPONENT_NAMES["token_embedding"],
            formula="vocab_size · d_model",
            shapes={"token_embedding.weight": (arch.vocab_size, arch.d_model)},
        ),
        _position_embedding(arch),
        _attention(arch),
        *(expert_components(arch) if arch.is_mixture else (_ffn(arch),)),
        _norms(arch),
        _final_norm(arch),
        _lm_head(arch),
    )


_NO_POSITION_TABLE = {
    "rope": "rotary positions have no parameters",
    "alibi": "ALiBi's biases have no parameters",
    "none": "no positions",
}


def _position_embedding(arch: Architecture) -> Component:
    learned = arch.positions == "learned"
    length = arch.max_seq_length + arch.position_offset
    rows = "(max_seq_length + position_offset)" if arch.position_offset else "max_seq_length"
    return Component(
        key="position_embedding",
        name=COMPONENT_NAMES["position_embedding"],
        formula=f"{rows} · d_model" if learned else "0",
        shapes={"position_embedding.weight": (length, arch.d_model)} if learned else {},
        note="" if learned else _NO_POSITION_TABLE[arch.positions],
    )


def _attention(arch: Architecture) -> Component:
    d_model, query, key = arch.d_model, arch.n_heads * arch.head_width, arch.kv_heads * arch.head_width
    rows, biased = {"q": query, "k": key, "v": key}, BIASED[arch.bias]
    if arch.has_latents:
        biases = "qkv" in biased, "output" in biased
        return _attention_row(arch, latent_attention_formula(arch, *biases), latent_attention_shapes(arch, *biases))
    shapes: dict[str, Shape] = {}
    for name in "qkv":
        shapes |= linear_shapes(f"blocks.*.attention.{name}_proj", rows[name], d_model, "qkv" in biased)
    shapes |= linear_shapes("blocks.*.attention.o_proj", d_model, query, "output" in biased)
    if query == key == d_model:
        matrices, of_qkv = "4 · d_model²", "3 · d_model"
    else:
        matrices = "2 · d_model · (n_heads + n_kv_heads) · head_dim"
        of_qkv = "(n_heads + 2 · n_kv_heads) · head_dim"
    formula = sum_of(matrices, of_qkv if "qkv" in biased else "", "d_model" if "output" in biased else "")
    return _attention_row(arch, formula, shapes)


def _attention_row(arch: Architecture, formula: str, shapes: dict[str, Shape]) -> Component:
    return Component(
        key="attention",
        name=COMPONENT_NAMES["attention"],
        formula=formula,
        shapes=shapes,
        copies=arch.n_layers,
        per_layer=True,
    )


def _ffn(arch: Architecture) -> Component:
    d_model, d_ff, bias = arch.d_model, arch.d_ff, "ffn" in BIASED[arch.bias]
    linear = partial(linear_shapes, bias=bias)
    shapes = feed_forward_shapes(arch.is_gated, "blocks.*.ffn", linear, d_model, d_ff)
    matrices, biases = ("3 · d_model · d_ff", "2 · d_ff") if arch.is_gated else ("2 · d_model · d_ff", "d_ff")
    return Component(
        key="ffn",
        name=OPTION_NAMES["ffn"][arch.ffn].phrase,
        formula=sum_of(matrices, *((biases, "d_model") if bias else ())),
        shapes=shapes,
        copies=arch.n_layers,
        per_layer=True,
    )


BLOCK_NORMS = {
    "pre_norm": ("attention_norm", "ffn_norm"),
    "sandwich_norm": ("attention_norm", "attention_output_norm", "ffn_norm", "ffn_output_norm"),
    "output_norm": ("attention_output_norm", "ffn_output_norm"),
    "parallel": ("attention_norm", "ffn_norm"),
    "parallel_one_norm": ("shared_norm",),
}
"""Norms of each kind of block, by their names in the PyTorch model."""


def _norms(arch: Architecture) -> Component:
    names, tensors = BLOCK_NORMS[arch.block], len(NORM_TENSORS[arch.norm])
    shapes: dict[str, Shape] = {}
    for name in names:
        shapes |= norm_shapes(arch.norm, f"blocks.*.{name}", arch.d_model)
    if arch.qk_norm != "none":
        heads = (arch.n_heads, arch.kv_heads) if arch.qk_norm == "full" else (1, 1)
        for name, count in zip("qk", heads, strict=True):
            shapes |= norm_shapes(arch.norm, f"blocks.*.attention.{name}_norm", count * arch.head_width)
    if arch.has_latents:
        shapes |= latent_norm_shapes(arch)
    of_qk = {
        "none": "",
        "head": f"{2 * tensors} · head_dim",
        "full": times(tensors, "(n_heads + n_kv_heads) · head_dim"),
    }
    of_attention = latent_norm_formula(arch, tensors) if arch.has_latents else of_qk[arch.qk_norm]
    return Component(
        key="norms",
        name=f"{norm_name(arch)}s",
        formula=sum_of(times(tensors * len(names), "d_model"), of_attention) if tensors else "0",
        shapes=shapes,
        copies=arch.n_layers,
        per_layer=True,
        note="" if tensors else _NO_NORM_PARAMETERS,
    )


_NO_NORM_PARAMETERS = "norms without weight and bias"


def _final_norm(arch: Architecture) -> Component:
    """Return the norms outside the blocks: the final norm, and the embedding norm if there is one."""
    tensors = len(NORM_TENSORS[arch.norm])
    shapes = norm_shapes(arch.norm, "embedding_norm", arch.d_model) if arch.embedding_norm else {}
    shapes |= norm_shapes(arch.norm, "final_norm", arch.d_model)
    return Component(
        key="final_norm",
        name=f"{'Embedding and final' if arch.embedding_norm else 'Final'} {norm_name(arch)}",
        formula=times(tensors * (2 if arch.embedding_norm else 1), "d_model") if tensors else "0",
        shapes=shapes,
        note="" if tensors else _NO_NORM_PARAMETERS,
    )


def _lm_head(arch: Architecture) -> Component:
    shapes: dict[str, Shape] = {} if arch.tied_lm_head else {"lm_head.weight": (arch.vocab_size, arch.d_model)}
    if arch.lm_head_bias:
        shapes["lm_head.bias"] = (arch.vocab_size,)
    matrix = "" if arch.tied_lm_head else "vocab_size · d_model"
    formula = sum_of(matrix, "vocab_size" if arch.lm_head_bias else "")
    return Component(
        key="lm_head",
        name=COMPONENT_NAMES["lm_head"],
        formula=formula or "0 (tied)",
        shapes=shapes,
        note="" if shapes else "tied to the token embedding",
    )


def norm_name(arch: Architecture) -> str:
    """Return the display name of the kind of norm."""
    return "RMSNorm" if arch.norm == "rmsnorm" else "LayerNorm"


BIASED = {
    "none": (),
    "qkv": ("qkv",),
    "attention": ("qkv", "output"),
    "ffn": ("ffn",),
    "output_ffn": ("output", "ffn"),
    "all": ("qkv", "output", "ffn"),
}
"""`Architecture.bias` → projections with a bias: of q, k and v, of attention's output, of the feed-forward."""
