"""Components of a mixture of experts, and tensors of latent attention, for the account."""

from functools import partial

from slimlm.core.architecture import Architecture
from slimlm.core.component import Component, Shape, feed_forward_shapes, linear_shapes, norm_shapes, sum_of, times
from slimlm.core.names import COMPONENT_NAMES

LATENT_NORMS = ("q_a_norm", "kv_a_norm")
"""Norms of the latents of queries and of keys and values, by their names in the PyTorch model."""


def expert_components(arch: Architecture) -> tuple[Component, ...]:
    """Return the feed-forwards of a mixture: of the dense first layers, router, routed experts, shared experts."""
    found = [_dense_layers(arch)] if arch.n_dense_layers else []
    found += [_router(arch), _routed_experts(arch)]
    return (*found, _shared_experts(arch)) if arch.n_shared_experts else tuple(found)


def _dense_layers(arch: Architecture) -> Component:
    return Component(
        key="dense_ffn",
        name=COMPONENT_NAMES["dense_ffn"],
        formula=f"{_matrices(arch)} · d_model · d_dense",
        shapes=feed_forward_shapes(arch.is_gated, "blocks.*.ffn", linear_shapes, arch.d_model, arch.dense_width),
        copies=arch.n_dense_layers,
        per_layer=True,
    )


def _router(arch: Architecture) -> Component:
    return _of_mixture(arch, "router", "n_experts · d_model", {"weight": (arch.n_experts, arch.d_model)})


def _routed_experts(arch: Architecture) -> Component:
    shapes = feed_forward_shapes(arch.is_gated, "", partial(_stacked, arch.n_experts), arch.d_model, arch.d_ff)
    formula = f"{_matrices(arch)} · n_experts · d_model · d_ff"
    return _of_mixture(arch, "experts", formula, shapes, (arch.experts_per_token, arch.n_experts))


def _shared_experts(arch: Architecture) -> Component:
    shapes = feed_forward_shapes(arch.is_gated, "", _plain, arch.d_model, arch.shared_width)
    matrices = f"{_matrices(arch)} · n_shared_experts · d_model · d_shared"
    gate = {"shared_expert_gate.weight": (1, arch.d_model)} if arch.shared_expert_gate else {}
    found = _of_mixture(arch, "shared_experts", sum_of(matrices, "d_model" if gate else ""), shapes)
    return Component(**vars(found) | {"shapes": found.shapes | {f"blocks.*.ffn.{k}": v for k, v in gate.items()}})


def _of_mixture(
    arch: Architecture, key: str, formula: str, shapes: dict[str, Shape], active_of: tuple[int, int] = (1, 1)
) -> Component:
    """Return a component of the layers after the dense ones; `shapes` are named within the part."""
    return Component(
        key=key,
        name=COMPONENT_NAMES[key],
        formula=formula,
        shapes={f"blocks.*.ffn.{key}.{name.lstrip('.')}": shape for name, shape in shapes.items()},
        copies=arch.n_layers - arch.n_dense_layers,
        per_layer=True,
        first_layer=arch.n_dense_layers,
        active_of=active_of,
    )


def _stacked(count: int, name: str, rows: int, columns: int) -> dict[str, Shape]:
    return {name: (count, rows, columns)}


def _plain(name: str, rows: int, columns: int) -> dict[str, Shape]:
    return linear_shapes(name, rows, columns)


def _matrices(arch: Architecture) -> int:
    return 3 if arch.is_gated else 2


def latent_attention_shapes(arch: Architecture, qkv_bias: bool, output_bias: bool) -> dict[str, Shape]:
    """Return the tensors of latent attention without its norms; of q, k and v the projections to latents are biased."""
    heads, rank, rotated = arch.n_heads, arch.kv_lora_rank or 0, arch.qk_rope_head_dim
    queries = heads * (arch.head_width + rotated)
    name = "blocks.*.attention."
    if arch.q_lora_rank is None:
        shapes = linear_shapes(f"{name}q_proj", queries, arch.d_model)
    else:
        shapes = linear_shapes(f"{name}q_a_proj", arch.q_lora_rank, arch.d_model, qkv_bias)
        shapes |= linear_shapes(f"{name}q_b_proj", queries, arch.q_lora_rank)
    shapes |= linear_shapes(f"{name}kv_a_proj", rank + rotated, arch.d_model, qkv_bias)
    shapes |= linear_shapes(f"{name}kv_b_proj", heads * (arch.head_width + arch.value_width), rank)
    return shapes | linear_shapes(f"{name}o_proj", arch.d_model, heads * arch.value_width, output_bias)


def latent_attention_formula(arch: Architecture, qkv_bias: bool, output_bias: bool) -> str:
    """Return the parameters of `latent_attention_shapes` as a formula."""
    query, latent = "n_heads · (head_dim + qk_rope_head_dim)", "kv_lora_rank + qk_rope_head_dim"
    queries = f"d_model · {query}" if arch.q_lora_rank is None else f"q_lora_rank · (d_model + {query})"
    biases = latent if arch.q_lora_rank is None else f"q_lora_rank + {latent}"
    return sum_of(
        queries,
        f"d_model · ({latent})",
        "kv_lora_rank · n_heads · (head_dim + v_head_dim)",
        "n_heads · v_head_dim · d_model",
        biases if qkv_bias else "",
        "d_model" if output_bias else "",
    )


def latent_norm_shapes(arch: Architecture) -> dict[str, Shape]:
    """Return the tensors of the norms of the latents."""
    shapes = {} if arch.q_lora_rank is None else norm_shapes(arch.norm, "blocks.*.attention.q_a_norm", arch.q_lora_rank)
    return shapes | norm_shapes(arch.norm, "blocks.*.attention.kv_a_norm", arch.kv_lora_rank or 0)


def latent_norm_formula(arch: Architecture, tensors: int) -> str:
    """Return the parameters of the norms of the latents as a formula."""
    return times(tensors, "kv_lora_rank" if arch.q_lora_rank is None else "(q_lora_rank + kv_lora_rank)")
