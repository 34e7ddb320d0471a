"""Attention: grouped queries, on the fused kernel or with a cap on the scores.

Grouped-query attention (Ainslie et al. 2023, "GQA").

Shapes: B batch, T tokens, D d_model, H n_heads, G n_kv_heads, K head_dim.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from slimlm.model.positions import Rotary, rotate
from slimlm.utils.validation import check_whole


class MultiHeadAttention(nn.Module):
    """Multi-head, grouped-query or multi-query attention, without a cap on the fused kernel.

    `qk_norm` returns the norm of queries and keys for a width. `full_qk_norm` applies it to the whole projection, else
    it is applied to each head. Attention weights and the output have separate dropout rates. `scale` multiplies the
    scores (None: 1 / √head_dim); `softcap` limits them by tanh, for which there is no fused kernel.

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
        scale: float | None = None,
        softcap: float | None = None,
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
        self.attention_dropout, self.scale, self.softcap = attention_dropout, scale, softcap
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
        a query without any such key gets zeros. `rotary` rotates queries and keys. `score_bias`, which is causal
        itself, is added to the scores, (1, H, T, T), or says which keys a query attends to, boolean (1, 1, T, T).
        """
        q = self._heads(self.q_proj(x), self.n_heads, self.q_norm, rotary)  # (B, H, T, K)
        k = self._heads(self.k_proj(x), self.n_kv_heads, self.k_norm, rotary)  # (B, G, T, K)
        v = self._heads(self.v_proj(x), self.n_kv_heads, None, None)
        heads = self._attend(q, k, v, mask, score_bias, is_causal=is_causal)
        out: Tensor = self.dropout(self.o_proj(heads.transpose(1, 2).flatten(2)))  # (B, T, D)
        return out

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, score_bias: Tensor | None, *, is_causal: bool
    ) -> Tensor:
        dropout = self.attention_dropout if self.training else 0.0
        combined = _attention_mask(mask, score_bias, q.shape[2] if is_causal else None)
        causal_alone = is_causal and combined is None  # without a mask tensor, the fastest kernel
        if self.softcap is not None:
            allowed = _causal(q.shape[2], q.device) if causal_alone else combined
            scale = self.head_dim**-0.5 if self.scale is None else self.scale
            return capped_attention(q, k, v, allowed, scale=scale, softcap=self.softcap, dropout=dropout)
        return F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=combined,
            dropout_p=dropout,
            is_causal=causal_alone,
            scale=self.scale,
            enable_gqa=self.n_kv_heads != self.n_heads,
        )

    def _heads(self, x: Tensor, heads: int, norm: nn.Module | None, rotary: Rotary | None) -> Tensor:
        if norm is not None and self.full_qk_norm:
            x = norm(x)
        x = x.reshape(*x.shape[:2], heads, self.head_dim)
        if norm is not None and not self.full_qk_norm:
            x = norm(x)
        # Rotated before the transposition: then the output of attention is flattened without a copy.
        return (x if rotary is None else rotate(x, rotary)).transpose(1, 2)


def capped_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, *, scale: float, softcap: float, dropout: float = 0.0
) -> Tensor:
    """Return attention (B, H, T, K) whose scores are softcap · tanh(scale · q·k / softcap) (Gemma 2, arXiv 2408.00118).

    `mask` broadcasts to (B, H, T, T): boolean, or a bias that is added after the cap, −∞ where a query may not attend.
    Softmax is in fp32. A query without any key gets zeros.
    """
    shared = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(shared, dim=1), v.repeat_interleave(shared, dim=1)
    scores = softcap * torch.tanh(scale * (q @ k.transpose(-1, -2)) / softcap)
    if mask is None:
        return F.dropout(scores.softmax(-1, dtype=torch.float32).to(q.dtype), dropout) @ v
    allowed = mask if mask.dtype == torch.bool else mask > -math.inf
    if mask is not allowed:
        scores = scores + mask.masked_fill(~allowed, 0)
    weights = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min).softmax(-1, dtype=torch.float32)
    return F.dropout(weights.masked_fill(~allowed, 0).to(q.dtype), dropout) @ v


def _attention_mask(mask: Tensor | None, score_bias: Tensor | None, causal_tokens: int | None) -> Tensor | None:
    """Combine a mask with causality over a number of tokens, or with biases or reach, which are causal."""
    if mask is None:
        return score_bias
    if score_bias is not None and score_bias.dtype == torch.bool:
        return score_bias & (mask != 0)
    if score_bias is not None:
        return score_bias.masked_fill(mask == 0, -math.inf)
    if causal_tokens is None:
        return mask != 0
    return (mask != 0) & _causal(causal_tokens, mask.device)


def _causal(tokens: int, device: torch.device) -> Tensor:
    return torch.ones(tokens, tokens, dtype=torch.bool, device=device).tril()
