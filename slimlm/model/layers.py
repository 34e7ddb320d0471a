"""Layers of the PyTorch model: norms and the transformer block; attention and feed-forwards have files of their own.

Shapes: B batch, T tokens, D d_model.
"""

from typing import Any

from torch import Tensor, nn

from slimlm.core.accounting import BIASED, BLOCK_NORMS
from slimlm.model.attention import MultiHeadAttention
from slimlm.model.feed_forwards import FEED_FORWARDS
from slimlm.model.positions import Rotary
from slimlm.utils.validation import check_whole

__all__ = ["MultiHeadAttention", "TransformerBlock", "make_norm"]


def make_norm(kind: str, width: int, eps: float) -> nn.Module:
    """Return a norm over the last dimension, of size `width`; `kind` is one of `Architecture.norm`.

    Raises ValueError for a width below 1.
    """
    check_whole(width=width)
    if kind == "rmsnorm":
        return nn.RMSNorm(width, eps=eps)
    return nn.LayerNorm(width, eps=eps, elementwise_affine=kind != "layernorm_no_params", bias=kind == "layernorm")


class TransformerBlock(nn.Module):
    """Attention and feed-forward around a residual stream.

    The default is pre-norm: x + attention(norm(x)), then x + ffn(norm(x)). `block` and the other choices are those of
    `Architecture`. Norms that a block does not have are identities. `residual_scale` multiplies what attention and
    feed-forward add.

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
        attention_scale: float | None = None,
        attention_softcap: float | None = None,
        residual_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.residual_scale = residual_scale
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
            scale=attention_scale,
            softcap=attention_softcap,
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
            x = self._add(x, self.attention(self.attention_norm(shared), mask, **options))
            x = self._add(x, self.ffn(self.ffn_norm(shared)))
        else:
            x = self._add(x, self.attention_output_norm(self.attention(self.attention_norm(x), mask, **options)))
            x = self._add(x, self.ffn_output_norm(self.ffn(self.ffn_norm(x))))
        return x

    def _add(self, x: Tensor, out: Tensor) -> Tensor:
        return x + (out if self.residual_scale == 1 else self.residual_scale * out)
