"""Blocks of an architecture: dense ones, those with experts, and those with latent attention."""

from torch import nn

from slimlm.core.accounting import BIASED
from slimlm.core.architecture import Architecture
from slimlm.model.experts import MixtureOfExperts, Router
from slimlm.model.latent_attention import LatentAttention
from slimlm.model.layers import TransformerBlock, make_norm


def make_block(arch: Architecture, layer: int) -> TransformerBlock:
    """Return the block of a layer, counted from 0."""
    is_mixture = arch.is_mixture and layer >= arch.n_dense_layers
    return TransformerBlock(
        arch.d_model,
        arch.dense_width if arch.is_mixture else arch.d_ff,
        arch.n_heads,
        arch.dropout,
        arch.attention_dropout,
        arch.layer_norm_eps,
        n_kv_heads=arch.kv_heads,
        head_dim=arch.head_width,
        norm=arch.norm,
        ffn=arch.ffn,
        bias=arch.bias,
        qk_norm=arch.qk_norm,
        block=arch.block,
        attention_scale=arch.attention_scale,
        attention_softcap=arch.attention_softcap,
        residual_scale=arch.residual_scale,
        attention=_latent_attention(arch) if arch.has_latents else None,
        feed_forward=_mixture(arch) if is_mixture else None,
    )


def _mixture(arch: Architecture) -> MixtureOfExperts:
    router = Router(
        arch.d_model,
        arch.n_experts,
        arch.experts_per_token,
        kind=arch.router,
        normalise=arch.normalise_router,
        scale=arch.routed_scale,
        n_groups=arch.n_expert_groups,
        groups_per_token=arch.groups_per_token,
    )
    return MixtureOfExperts(
        arch.d_model,
        arch.d_ff,
        router,
        arch.dropout,
        ffn=arch.ffn,
        d_shared=arch.shared_width,
        shared_gate=arch.shared_expert_gate,
    )


def _latent_attention(arch: Architecture) -> LatentAttention:
    assert arch.kv_lora_rank is not None

    def latent_norm(width: int) -> nn.Module:
        return make_norm(arch.norm, width, arch.layer_norm_eps)

    return LatentAttention(
        arch.d_model,
        arch.n_heads,
        arch.dropout,
        arch.attention_dropout,
        head_dim=arch.head_width,
        rope_dim=arch.qk_rope_head_dim,
        value_dim=arch.value_width,
        kv_rank=arch.kv_lora_rank,
        q_rank=arch.q_lora_rank,
        latent_norm=latent_norm,
        scale=arch.attention_scale,
        softcap=arch.attention_softcap,
        latent_bias="qkv" in BIASED[arch.bias],
        output_bias="output" in BIASED[arch.bias],
    )
