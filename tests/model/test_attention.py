"""Attention with a cap and within a window: equal to the fused kernel where both exist, and safe with padding."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from slimlm.model.attention import MultiHeadAttention, capped_attention
from slimlm.model.positions import alibi_bias, in_reach, windowed_alibi_bias

B, H, G, T, K = 2, 4, 2, 7, 8
D = H * K

pytestmark = pytest.mark.usefixtures("seeded_on_one_thread")


def heads(count: int) -> Tensor:
    return torch.randn(B, count, T, K, dtype=torch.float64)


@pytest.mark.parametrize("mask", [None, in_reach(3, T), windowed_alibi_bias(H, 3, T).double()], ids=str)
def test_a_cap_that_no_score_nears_is_the_fused_kernel(mask: Tensor | None) -> None:
    q, k, v = heads(H), heads(G), heads(G)
    capped = capped_attention(q, k, v, mask, scale=0.3, softcap=1e9)
    fused = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=0.3, enable_gqa=True)
    torch.testing.assert_close(capped, fused, rtol=1e-6, atol=1e-6)


def test_a_cap_limits_every_score() -> None:
    q, k, v = 100 * heads(H), heads(H), heads(H)
    weights = torch.softmax(2 * torch.tanh(q @ k.transpose(-1, -2) / 2), -1)
    torch.testing.assert_close(
        capped_attention(q, k, v, None, scale=1.0, softcap=2.0), weights @ v, rtol=1e-6, atol=1e-6
    )
    assert (weights.amax(-1) / weights.amin(-1) <= math.exp(4) + 1e-9).all()


@pytest.mark.parametrize("softcap", [None, 5.0])
@pytest.mark.parametrize("alibi", [False, True])
def test_padding_within_a_window_gives_zeros_and_finite_gradients(softcap: float | None, alibi: bool) -> None:
    layer, x = MultiHeadAttention(D, H, n_kv_heads=G, softcap=softcap), torch.randn(B, T, D)
    padded_left = torch.tensor([0, 0, 0, 1, 1, 1, 1]).expand(B, 1, 1, T)
    bias = windowed_alibi_bias(H, 2, T) if alibi else in_reach(2, T)
    out = layer(x, padded_left, is_causal=True, score_bias=bias)
    assert (out[:, :3] == 0).all()
    assert (out[:, 3:] != 0).all()
    out.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in layer.parameters())


@pytest.mark.parametrize("window", [1, 3, T, 2 * T])
def test_the_reach_is_the_window_and_causal(window: int) -> None:
    reach = in_reach(window, T)[0, 0]
    assert reach.tolist() == [[0 <= query - key < window for key in range(T)] for query in range(T)]
    bias = windowed_alibi_bias(H, window, T)
    assert torch.equal(bias > -math.inf, reach.expand(1, H, T, T))
    assert torch.equal(bias[bias > -math.inf], alibi_bias(H, T)[bias > -math.inf])


@pytest.mark.parametrize("name", ["window", "tokens"])
def test_a_reach_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}=0 is not allowed: it must be a whole number of at least 1"):
        in_reach(**{"window": 1, "tokens": 1} | {name: 0})  # type: ignore[arg-type]
