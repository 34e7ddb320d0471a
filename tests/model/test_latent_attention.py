"""Multi-head latent attention: against its formula, with masks, windows, caps and gradients."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from slimlm.core.architecture import Architecture
from slimlm.model.language_model import LanguageModel
from slimlm.model.latent_attention import LatentAttention
from slimlm.model.positions import rotary_angles, rotate

B, T, D, H, K, R, W = 2, 7, 12, 3, 4, 6, 5


def attention(q_rank: int | None = 8, **choices: Any) -> LatentAttention:
    torch.manual_seed(0)
    widths: dict[str, Any] = {"head_dim": K, "rope_dim": R, "value_dim": W, "kv_rank": 9, "q_rank": q_rank}
    made = LatentAttention(D, H, latent_norm=nn.RMSNorm, **widths, **choices)
    return made.to(torch.float64)


def by_hand(layer: LatentAttention, x: Tensor, allowed: Tensor) -> Tensor:
    """Compute attention head by head, as the paper writes it."""
    angles = rotary_angles(T, R, 10_000.0, dtype=x.dtype)
    latent = layer.kv_a_proj(x)
    k_turned = rotate(latent[..., None, 9:], angles)[:, :, 0]
    up = layer.kv_b_proj(layer.kv_a_norm(latent[..., :9])).view(B, T, H, K + W)
    if layer.q_proj:
        queries = layer.q_proj(x)
    else:
        assert layer.q_a_proj and layer.q_a_norm and layer.q_b_proj
        queries = layer.q_b_proj(layer.q_a_norm(layer.q_a_proj(x)))
    q = queries.view(B, T, H, K + R)
    heads = []
    for head in range(H):
        turned = rotate(q[:, :, head : head + 1, K:], angles)[:, :, 0]
        scores = q[:, :, head, :K] @ up[:, :, head, :K].transpose(1, 2) + turned @ k_turned.transpose(1, 2)
        weights = (scores / (K + R) ** 0.5).masked_fill(~allowed, -torch.inf).softmax(-1)
        heads.append(weights @ up[:, :, head, K:])
    out: Tensor = layer.o_proj(torch.cat(heads, -1))
    return out


@pytest.mark.parametrize("q_rank", [8, None])
def test_it_follows_its_formula(q_rank: int | None) -> None:
    layer, x = attention(q_rank), torch.randn(B, T, D, dtype=torch.float64)
    rotary = rotary_angles(T, R, 10_000.0, dtype=torch.float64)
    causal = torch.ones(T, T, dtype=torch.bool).tril()
    torch.testing.assert_close(layer(x, is_causal=True, rotary=rotary), by_hand(layer, x, causal))
    window = causal & ~causal.tril(-3)
    torch.testing.assert_close(layer(x, rotary=rotary, score_bias=window[None, None]), by_hand(layer, x, window))


def test_a_scale_and_a_cap_act_on_the_scores() -> None:
    layer, x = attention(), torch.randn(B, T, D, dtype=torch.float64)
    plain = layer(x, is_causal=True)
    layer.scale, layer.softcap = (K + R) ** -0.5, 1e6
    torch.testing.assert_close(layer(x, is_causal=True), plain)
    layer.softcap = 0.1
    assert not torch.allclose(layer(x, is_causal=True), plain)


def test_every_weight_has_a_gradient() -> None:
    arch = Architecture(
        vocab_size=50, max_seq_length=8, d_model=16, d_ff=8, n_layers=2, n_heads=2, positions="rope", bias="attention",
        kv_lora_rank=6, q_lora_rank=4, qk_rope_head_dim=4, v_head_dim=3, dropout=0.0, attention_dropout=0.0,
    )  # fmt: skip
    model, ids = LanguageModel(arch), torch.randint(50, (2, 8))
    _, loss = model(ids, ids)
    assert loss is not None
    loss.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    silent = [name for name, grad in gradients.items() if grad is None or not grad.abs().sum() > 0]
    assert silent == [name for name in silent if name.endswith("kv_a_proj.bias")], silent


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^kv_rank=0 is not allowed: it must be a whole number of at least 1"):
        LatentAttention(D, H, head_dim=K, rope_dim=R, value_dim=W, kv_rank=0, q_rank=None, latent_norm=nn.RMSNorm)
