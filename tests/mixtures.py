"""Choices of experts and latents that go together, and an independent count of what they add to a plain decoder."""

from typing import Any

from hypothesis import strategies as st

from slimlm.core.architecture import Choices

DENSE_BIASES = {"ffn": "none", "output_ffn": "none", "all": "attention"}
"""Biases of the feed-forward, which experts do not have, and the bias without them."""


@st.composite
def expert_options(draw: st.DrawFn) -> dict[str, Any]:
    """Draw routed, shared and grouped experts, dense layers and a router that go together."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    of_group = draw(st.integers(1, 4))
    groups_per_token = draw(st.integers(1, groups))
    shared, dense = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    return {
        "n_experts": groups * of_group,
        "experts_per_token": draw(st.integers(1, of_group * groups_per_token)),
        "n_expert_groups": groups,
        "groups_per_token": groups_per_token,
        "n_shared_experts": shared,
        "d_shared": draw(st.none() | st.integers(1, 40)) if shared else None,
        "shared_expert_gate": draw(st.booleans()) if shared else False,
        "n_dense_layers": dense,
        "d_dense": draw(st.none() | st.integers(1, 60)) if dense else None,
        "router": draw(st.sampled_from(["softmax", "sigmoid"])),
        "normalise_router": draw(st.booleans()),
        "routed_scale": draw(st.sampled_from([1.0, 2.5])),
    }


@st.composite
def latent_options(draw: st.DrawFn) -> dict[str, Any]:
    """Draw latent attention, with what it needs of the other choices."""
    return {
        "kv_lora_rank": draw(st.integers(1, 24)),
        "q_lora_rank": draw(st.none() | st.integers(1, 24)),
        "qk_rope_head_dim": 2 * draw(st.integers(1, 6)),
        "v_head_dim": draw(st.none() | st.integers(1, 12)),
        "positions": "rope",
        "position_offset": 0,
        "n_kv_heads": None,
        "qk_norm": "none",
        "rotary_share": 1.0,
    }


def even_heads(structure: dict[str, Any]) -> dict[str, Any]:
    """Return a structure with the head_dim that rotary positions allow."""
    head_dim = structure["head_dim"]
    return structure | {"head_dim": head_dim + head_dim % 2 if head_dim else None}


@st.composite
def extras(draw: st.DrawFn, structure: dict[str, Any]) -> dict[str, Any]:
    """Draw a structure with experts, with latents, or with both."""
    kind = draw(st.sampled_from(["experts", "latents", "both"]))
    found = dict(structure)
    if kind != "experts":
        found = even_heads(found | draw(latent_options()))
    if kind != "latents":
        found |= draw(expert_options()) | {"bias": DENSE_BIASES.get(found["bias"], found["bias"])}
    return found


def expert_params(source: Choices, d_model: int, d_ff: int, n_layers: int, *, active: bool = False) -> int:
    """Count the feed-forwards of all layers of a mixture, as each token uses them where `active`.

    L_dense · m · d · f_dense + (L − L_dense) · (E · d + m · d · (E · f + S · f_shared) + gate), where E becomes the
    experts per token in front of f if `active`.
    """
    m = 3 if source.ffn in ("swiglu", "geglu", "geglu_tanh") else 2
    routed = source.experts_per_token if active else source.n_experts
    shared = source.n_shared_experts * (d_ff if source.d_shared is None else source.d_shared)
    width = routed * d_ff + shared
    sparse = source.n_experts * d_model + m * d_model * width + (d_model if source.shared_expert_gate else 0)
    dense = m * d_model * (4 * d_model if source.d_dense is None else source.d_dense)
    return source.n_dense_layers * dense + (n_layers - source.n_dense_layers) * sparse


def latent_params(source: Choices, d_model: int, k: int, w: int) -> int:
    """Count one layer's latent attention: its matrices, biases and norms of w tensors, with heads of width k."""
    assert source.kv_lora_rank is not None and isinstance(source.n_heads, int)
    h, r, c, v = source.n_heads, source.qk_rope_head_dim, source.kv_lora_rank, source.v_head_dim or k
    q = source.q_lora_rank
    queries = d_model * h * (k + r) if q is None else d_model * q + q * h * (k + r)
    matrices = queries + d_model * (c + r) + c * h * (k + v) + h * v * d_model
    of_latents = (q or 0) + c + r
    biases = {"qkv": of_latents, "attention": of_latents + d_model, "all": of_latents + d_model}
    return matrices + biases.get(source.bias, d_model if source.bias == "output_ffn" else 0) + w * ((q or 0) + c)
