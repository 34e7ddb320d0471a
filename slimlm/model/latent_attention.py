"""Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1).

Keys and values of all heads are projected from one latent, which a KV cache holds in their place. Positions are in a
further part of queries and keys; all heads share that of the key.

Shapes: B batch, T tokens, D d_model, H n_heads, K head_dim, R qk_rope_head_dim, W v_head_dim.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from slimlm.model.attention import Attention
from slimlm.model.positions import Rotary, rotate
from slimlm.utils.validation import check_whole


class LatentAttention(Attention):
    """Multi-head latent attention, without a cap on the fused kernel (on a CPU where values are as wide as queries).

    `head_dim` is the part of queries and keys without positions. `latent_norm` returns the norm of a latent for a
    width. `latent_bias` is that of the projections to the latents; `q_lora_rank` None projects queries directly.

    Raises ValueError for an integer below 1.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        *,
        head_dim: int,
        rope_dim: int,
        value_dim: int,
        kv_rank: int,
        q_rank: int | None,
        latent_norm: Callable[[int], nn.Module],
        latent_bias: bool = False,
        output_bias: bool = False,
        scale: float | None = None,
        softcap: float | None = None,
    ) -> None:
        sizes = {"head_dim": head_dim, "rope_dim": rope_dim, "value_dim": value_dim, "kv_rank": kv_rank}
        check_whole(d_model=d_model, n_heads=n_heads, **sizes)
        super().__init__(head_dim + rope_dim, attention_dropout, scale, softcap)
        self.n_heads, self.plain_dim, self.rope_dim, self.value_dim = n_heads, head_dim, rope_dim, value_dim
        queries = n_heads * (head_dim + rope_dim)
        self.q_proj = nn.Linear(d_model, queries, bias=False) if q_rank is None else None
        self.q_a_proj = None if q_rank is None else nn.Linear(d_model, q_rank, bias=latent_bias)
        self.q_a_norm = None if q_rank is None else latent_norm(q_rank)
        self.q_b_proj = None if q_rank is None else nn.Linear(q_rank, queries, bias=False)
        self.kv_a_proj = nn.Linear(d_model, kv_rank + rope_dim, bias=latent_bias)
        self.kv_a_norm = latent_norm(kv_rank)
        self.kv_b_proj = nn.Linear(kv_rank, n_heads * (head_dim + value_dim), bias=False)
        self.o_proj = nn.Linear(n_heads * value_dim, d_model, bias=output_bias)
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
        """Map (B, T, D) to (B, T, D); the arguments are those of `slimlm.model.attention.MultiHeadAttention`."""
        q, (k, v) = self._queries(x, rotary), self._keys_and_values(x, rotary)
        heads = self._attend(q, k, v, mask, score_bias, is_causal=is_causal)  # (B, H, T, W)
        out: Tensor = self.dropout(self.o_proj(heads.transpose(1, 2).flatten(2)))
        return out

    def _queries(self, x: Tensor, rotary: Rotary | None) -> Tensor:
        """Return queries (B, H, T, K + R)."""
        if self.q_proj is not None:
            q = self.q_proj(x)
        else:
            assert self.q_a_proj is not None and self.q_a_norm is not None and self.q_b_proj is not None
            q = self.q_b_proj(self.q_a_norm(self.q_a_proj(x)))
        q = q.unflatten(-1, (self.n_heads, -1))
        plain, turned = q.split((self.plain_dim, self.rope_dim), dim=-1)
        return torch.cat((plain, _rotated(turned, rotary)), dim=-1).transpose(1, 2)

    def _keys_and_values(self, x: Tensor, rotary: Rotary | None) -> tuple[Tensor, Tensor]:
        """Return keys (B, H, T, K + R) and values (B, H, T, W)."""
        latent, shared = self.kv_a_proj(x).split((self.kv_b_proj.in_features, self.rope_dim), dim=-1)
        both = self.kv_b_proj(self.kv_a_norm(latent)).unflatten(-1, (self.n_heads, -1))
        k, v = both.split((self.plain_dim, self.value_dim), dim=-1)
        turned = _rotated(shared[:, :, None], rotary).expand(-1, -1, self.n_heads, -1)
        return torch.cat((k, turned), dim=-1).transpose(1, 2), v.transpose(1, 2)


def _rotated(x: Tensor, rotary: Rotary | None) -> Tensor:
    return x if rotary is None else rotate(x, rotary)
