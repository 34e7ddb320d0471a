"""Layers of the PyTorch model: norms, attention, and the transformer block.

Grouped-query attention (Ainslie et al. 2023, "GQA").

Shapes: B batch, T tokens, D d_model, H n_heads, G n_kv_heads, K head_dim.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from slimlm.core.accounting import BIASED, BLOCK_NORMS
from slimlm.model.feed_forwards import FEED_FORWARDS
from slimlm.model.positions import Rotary, rotate
from slimlm.utils.validation import check_whole


def make_norm(kind: str, width: int, eps: float) -> nn.Module:
    """Return a norm over the last dimension, of size `width`; `kind` is one of `Architecture.norm`.

    Raises ValueError for a width below 1.
    """
    check_whole(width=width)
    if kind == "rmsnorm":
        return nn.RMSNorm(width, eps=eps)
    return nn.LayerNorm(width, eps=eps, elementwise_affine=kind != "layernorm_no_params", bias=kind == "layernorm")


class MultiHeadAttention(nn.Module):
    """Multi-head, grouped-query or multi-query attention on the fused kernel.

    `qk_norm` returns the norm of queries and keys for a width. `full_qk_norm` applies it to the whole projection, else
    it is applied to each head. Attention weights and the output have separate dropout rates.

    Raises ValueError for an integer below 1, when n_heads does not divide d_model (and head_dim is None), and when
    n_kv_heads does not divide n_heads.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        *,
        n_kv_heads: int | None = None,
        head_dim: int | None = None,
        qkv_bias: bool = False,
        output_bias: bool = False,
        qk_norm: Callable[[int], nn.Module] | None = None,
        full_qk_norm: bool = False,
    ) -> None:
        optional = {"n_kv_heads": n_kv_heads, "head_dim": head_dim}
        given = {name: value for name, value in optional.items() if value is not None}
        check_whole(d_model=d_model, n_heads=n_heads, **given)
        if head_dim is None and d_model % n_heads:
            raise ValueError(f"d_model={d_model} must be a multiple of n_heads={n_heads}")
        super().__init__()
        self.n_heads, self.n_kv_heads = n_heads, given.get("n_kv_heads", n_heads)
        if n_heads % self.n_kv_heads:
            raise ValueError(f"n_kv_heads={n_kv_heads} must divide n_heads={n_heads}")
        self.head_dim = given.get("head_dim", d_model // n_heads)
        self.attention_dropout = attention_dropout
        queries, keys = self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim
        self.q_proj = nn.Linear(d_model, queries, bias=qkv_bias)
        self.k_proj = nn.Linear(d_model, keys, bias=qkv_bias)
        self.v_proj = nn.Linear(d_model, keys, bias=qkv_bias)
        self.o_proj = nn.Linear(queries, d_model, bias=output_bias)
        self.full_qk_norm = full_qk_norm
        self.q_norm = qk_norm(queries if full_qk_norm else self.head_dim) if qk_norm else None
        self.k_norm = qk_norm(keys if full_qk_norm else self.head_dim) if qk_norm else None
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        *,
        is_causal: bool = False,
        rotary: Rotary | None = None,
        score_bias: Tensor | None = None,
    ) -> Tensor:
        """Map (B, T, D) to (B, T, D).

        `mask` broadcasts to (B, H, T, T): nonzero where a query (row) may attend to a key (column). `is_causal` allows
        each token to attend to itself and to earlier tokens. With both, a query attends to the keys that both allow;
        a query without any such key gets zeros. `rotary` rotates queries and keys. `score_bias` (1, H, T, T), which is
        causal itself, is added to the scores.
        """
        q = self._heads(self.q_proj(x), self.n_heads, self.q_norm, rotary)  # (B, H, T, K)
        k = self._heads(self.k_proj(x), self.n_kv_heads, self.k_norm, rotary)  # (B, G, T, K)
        v = self._heads(self.v_proj(x), self.n_kv_heads, None, None)
        heads = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=_attention_mask(mask, score_bias, x.shape[1] if is_causal else None),
            dropout_p=self.attention_dropout if self.training else 0.0,
            is_causal=is_causal and mask is None and score_bias is None,  # without a mask tensor, the fastest kernel
            enable_gqa=self.n_kv_heads != self.n_heads,
        )
        out: Tensor = self.dropout(self.o_proj(heads.transpose(1, 2).flatten(2)))  # (B, T, D)
        return out

    def _heads(self, x: Tensor, heads: int, norm: nn.Module | None, rotary: Rotary | None) -> Tensor:
        if norm is not None and self.full_qk_norm:
            x = norm(x)
        x = x.reshape(*x.shape[:2], heads, self.head_dim)
        if norm is not None and not self.full_qk_norm:
            x = norm(x)
        # Rotated before the transposition: then the output of attention is flattened without a copy.
        return (x if rotary is None else rotate(x, rotary)).transpose(1, 2)


def _attention_mask(mask: Tensor | None, score_bias: Tensor | None, causal_tokens: int | None) -> Tensor | None:
    """Combine a mask with causality over a number of tokens, or with biases, which are causal."""
    if mask is None:
        return score_bias
    if score_bias is not None:
        return score_bias.masked_fill(mask == 0, -math.inf)
    if causal_tokens is None:
        return mask != 0
    return (mask != 0) & torch.ones(causal_tokens, causal_tokens, dtype=torch.bool, device=mask.device).tril()


class TransformerBlock(nn.Module):
    """Attention and feed-forward around a residual stream.

    The default is pre-norm: x + attention(norm(x)), then x + ffn(norm(x)). `block` and the other choices are those of
    `Architecture`. Norms that a block does not have are identities.

    Raises ValueError as `MultiHeadAttention` does, and for a d_ff below 1.
    """

    shared_norm: nn.Module
    attention_norm: nn.Module
    attention_output_norm: nn.Module
    ffn_norm: nn.Module
    ffn_output_norm: nn.Module

    def __init__(
        self,
        d_model: int,
        d_ff: int,
        n_heads: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        layer_norm_eps: float = 1e-6,
        *,
        n_kv_heads: int | None = None,
        head_dim: int | None = None,
        norm: str = "layernorm",
        ffn: str = "swiglu",
        bias: str = "none",
        qk_norm: str = "none",
        block: str = "pre_norm",
    ) -> None:
        super().__init__()
        for name in ("shared_norm", "attention_norm", "attention_output_norm", "ffn_norm", "ffn_output_norm"):
            present = name in BLOCK_NORMS[block]
            setattr(self, name, make_norm(norm, d_model, layer_norm_eps) if present else nn.Identity())
        self.is_parallel = block.startswith("parallel")
        self.attention = MultiHeadAttention(
            d_model,
            n_heads,
            dropout,
            attention_dropout,
            n_kv_heads=n_kv_heads,
            head_dim=head_dim,
            qkv_bias="qkv" in BIASED[bias],
            output_bias="output" in BIASED[bias],
            qk_norm=None if qk_norm == "none" else lambda width: make_norm(norm, width, layer_norm_eps),
            full_qk_norm=qk_norm == "full",
        )
        self.ffn = FEED_FORWARDS[ffn](d_model, d_ff, dropout, bias="ffn" in BIASED[bias])

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        *,
        is_causal: bool = False,
        rotary: Rotary | None = None,
        score_bias: Tensor | None = None,
    ) -> Tensor:
        """Map (B, T, D) to (B, T, D); the arguments are those of `MultiHeadAttention`."""
        options: dict[str, Any] = {"is_causal": is_causal, "rotary": rotary, "score_bias": score_bias}
        if self.is_parallel:
            shared = self.shared_norm(x)
            x = x + self.attention(self.attention_norm(shared), mask, **options)
            x = x + self.ffn(self.ffn_norm(shared))
        else:
            x = x + self.attention_output_norm(self.attention(self.attention_norm(x), mask, **options))
            x = x + self.ffn_output_norm(self.ffn(self.ffn_norm(x)))
        return x
