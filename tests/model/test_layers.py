"""The layers: each equals its equation in `tests.reference`."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from slimlm.core.architecture import Architecture
from slimlm.core.basic_choices import Positions
from slimlm.model.feed_forwards import FEED_FORWARDS, GeGLU, PlainFeedForward, SwiGLU
from slimlm.model.layers import MultiHeadAttention, TransformerBlock, make_norm
from slimlm.model.positions import alibi_bias, rotary_angles
from tests import reference

B, T, D, H, D_FF = 2, 5, 12, 3, 20
pytestmark = pytest.mark.usefixtures("seeded_on_one_thread")

CAUSAL = torch.ones(T, T).tril()


def tokens(*shape: int) -> Tensor:
    return torch.randn(*(shape or (B, T, D)))


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one.double(), other.double(), rtol=1e-4, atol=1e-5)


def plain(n_heads: int, eps: float = 1e-6) -> Architecture:
    return Architecture(d_model=D, d_ff=D_FF, n_layers=1, n_heads=n_heads, layer_norm_eps=eps)


def expected_attention(layer: MultiHeadAttention, x: Tensor, mask: Tensor | None = None) -> Tensor:
    heads = layer.n_heads
    arch = Architecture(d_model=x.shape[-1], d_ff=1, n_layers=1, n_heads=heads)
    return reference.attention(reference.weights_of(layer), x.double(), arch, mask)


# The layers


@given(d_model=st.integers(1, 16), d_ff=st.integers(1, 24), seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_swiglu_is_down_of_silu_gate_times_up(d_model: int, d_ff: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer, x = SwiGLU(d_model, d_ff), torch.randn(2, 3, d_model)
    close(layer(x), reference.feed_forward(reference.weights_of(layer), x.double()))


@pytest.mark.parametrize("kind", FEED_FORWARDS)
def test_every_feed_forward_applies_its_activation(kind: str) -> None:
    layer, x = FEED_FORWARDS[kind](D, D_FF, bias=True), tokens()
    close(layer(x), reference.feed_forward(reference.weights_of(layer), x.double(), kind))


def test_weights_are_matrices_without_biases() -> None:
    swiglu, attention = SwiGLU(D, D_FF).state_dict(), MultiHeadAttention(D, H).state_dict()
    assert {name: tuple(weight.shape) for name, weight in (swiglu | attention).items()} == {
        "gate_proj.weight": (D_FF, D),
        "up_proj.weight": (D_FF, D),
        "down_proj.weight": (D, D_FF),
    } | {f"{name}_proj.weight": (D, D) for name in "qkvo"}


@pytest.mark.parametrize("n_heads", [1, H, D])
def test_attention_without_a_mask_attends_everywhere(n_heads: int) -> None:
    layer, x = MultiHeadAttention(D, n_heads), tokens()
    close(layer(x), expected_attention(layer, x))


def test_causal_attention_attends_to_itself_and_before() -> None:
    layer, x = MultiHeadAttention(D, H), tokens()
    out = layer(x, is_causal=True)
    close(out, expected_attention(layer, x, CAUSAL))
    assert (out - layer(x))[:, :-1].abs().min() > 0
    close(out[:, -1], layer(x)[:, -1])


def test_attention_takes_one_token() -> None:
    layer, x = MultiHeadAttention(D, H), tokens(1, 1, D)
    expected = x @ layer.v_proj.weight.T @ layer.o_proj.weight.T
    close(layer(x), expected)
    close(layer(x, is_causal=True), expected)


@pytest.mark.parametrize("shape", [(T, T), (1, 1, T, T), (B, 1, T, T), (1, H, T, T), (B, H, T, T)])
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32])
def test_mask_broadcasts_and_nonzero_may_attend(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    layer, x = MultiHeadAttention(D, H), tokens()
    allowed = (torch.rand(shape) < 0.5) | torch.eye(T, dtype=torch.bool)  # every query has a key
    assert not allowed.all()
    close(layer(x, allowed.to(dtype)), expected_attention(layer, x, allowed))


@pytest.mark.parametrize("value", [-1.0, 0.25, 7.0, -math.inf])
def test_any_nonzero_mask_value_means_may_attend(value: float) -> None:
    layer, x = MultiHeadAttention(D, H), tokens()
    mask = torch.zeros(T, T).masked_fill(CAUSAL.bool(), value)
    torch.testing.assert_close(layer(x, mask), layer(x, CAUSAL), rtol=0, atol=0)


def test_a_mask_keeps_causality() -> None:
    layer, x = MultiHeadAttention(D, H), tokens()
    close(layer(x, torch.ones(T, T), is_causal=True), expected_attention(layer, x, CAUSAL))
    allowed = (torch.rand(B, 1, T, T) < 0.5) | torch.eye(T, dtype=torch.bool)
    close(layer(x, allowed, is_causal=True), expected_attention(layer, x, allowed & CAUSAL.bool()))


@pytest.mark.parametrize("positions", ["none", "alibi"])
def test_a_padded_causal_batch_does_not_leak(positions: Positions) -> None:
    block, x = block_with_random_norms(1e-6), tokens()
    options = {"score_bias": alibi_bias(H, T)} if positions == "alibi" else {}
    padding = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])[:, None, None]
    out = block(x, padding, is_causal=True, **options)
    arch = replace(plain(H), positions=positions)
    close(out, reference.block(reference.weights_of(block), x.double(), arch, CAUSAL.bool() & padding.bool()))
    changed = x.clone()
    changed[:, 3:] += 1
    torch.testing.assert_close(block(changed, padding, is_causal=True, **options)[:, :3], out[:, :3], rtol=0, atol=0)


@pytest.mark.parametrize("positions", ["none", "alibi"])
def test_a_query_without_a_key_gets_zeros_and_finite_gradients(positions: str) -> None:
    layer, x = MultiHeadAttention(D, H), tokens()
    options = {"score_bias": alibi_bias(H, T)} if positions == "alibi" else {}
    padded_left = torch.tensor([0, 0, 1, 1, 1]).expand(B, 1, 1, T)
    out = layer(x, padded_left, is_causal=True, **options)
    assert (out[:, :2] == 0).all()
    assert (out[:, 2:] != 0).all()
    out.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in layer.parameters())


def test_causal_attention_without_a_mask_passes_no_mask_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    honest, calls = F.scaled_dot_product_attention, list[tuple[Any, bool]]()

    def attention(*args: Any, **options: Any) -> Tensor:
        calls.append((options["attn_mask"], options["is_causal"]))
        return honest(*args, **options)

    monkeypatch.setattr(F, "scaled_dot_product_attention", attention)
    MultiHeadAttention(D, H)(tokens(), is_causal=True)
    assert calls == [(None, True)]


def test_attention_refuses_heads_that_do_not_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"d_model=12 must be a multiple of n_heads=5"):
        MultiHeadAttention(12, 5)


@pytest.mark.parametrize("value", [0, -2, True, 2.0])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("n_kv_heads", lambda value: MultiHeadAttention(64, 8, n_kv_heads=value)),
        ("head_dim", lambda value: MultiHeadAttention(64, 8, head_dim=value)),
        ("n_heads", lambda value: MultiHeadAttention(64, value)),
        ("d_model", lambda value: MultiHeadAttention(value, 1)),
        ("d_model", lambda value: SwiGLU(value, 8)),
        ("d_ff", lambda value: GeGLU(8, value)),
        ("d_ff", lambda value: PlainFeedForward(8, value)),
        ("d_ff", lambda value: TransformerBlock(8, value, 1)),
        ("n_kv_heads", lambda value: TransformerBlock(8, 8, 2, n_kv_heads=value)),
        ("width", lambda value: make_norm("layernorm", value, 1e-6)),
        ("n_heads", lambda value: alibi_bias(value, 3)),
        ("tokens", lambda value: alibi_bias(2, value)),
        ("tokens", lambda value: rotary_angles(value, 8, 100.0)),
        ("head_dim", lambda value: rotary_angles(3, value, 100.0)),
    ],
)
def test_integers_below_one_are_refused(name: str, make: Callable[[Any], object], value: Any) -> None:
    rule = rf"^{name}={value} is not allowed: it must be a whole number of at least 1; {name}=1 would work$"
    with pytest.raises(ValueError, match=rule):
        make(value)


def test_rotary_angles_refuse_an_odd_width() -> None:
    with pytest.raises(ValueError, match=r"^head_dim=3 must be even: RoPE rotates pairs; head_dim=4 would work$"):
        rotary_angles(2, 3, 100.0)


def test_attention_dropout_alone_changes_training_and_not_evaluation() -> None:
    layer, x = MultiHeadAttention(D, H, dropout=0.0, attention_dropout=0.5), tokens()
    full = expected_attention(layer, x)
    close(layer.eval()(x), full)
    dropped = layer.train()(x)
    assert (dropped - full).abs().max() > 1e-3
    assert (dropped != layer(x)).any()  # a new mask


def test_attention_dropout_drops_weights_and_not_outputs() -> None:
    layer, x = MultiHeadAttention(D, 1, attention_dropout=0.5), tokens(1, 1, D)
    full = layer.eval()(x)
    layer.train()
    outcomes = [layer(x) for _ in range(40)]  # one token has one weight: 0 or 1 / (1 − p) as a whole
    assert all(torch.equal(out, torch.zeros_like(out)) or torch.allclose(out, 2 * full) for out in outcomes)
    assert 0 < sum(bool(out.any()) for out in outcomes) < 40


@pytest.mark.parametrize("kind", [SwiGLU, MultiHeadAttention])
def test_output_dropout_alone_drops_elements_of_the_output(kind: type[SwiGLU | MultiHeadAttention]) -> None:
    layer, x = kind(64, 2, dropout=0.5), tokens(4, 8, 64)
    full = layer.eval()(x)
    dropped = layer.train()(x)
    kept = dropped != 0
    assert 0.4 < kept.float().mean() < 0.6
    close(dropped[kept], 2 * full[kept])
    torch.testing.assert_close(layer.eval()(x), full, rtol=0, atol=0)


# TransformerBlock


def block_with_random_norms(eps: float) -> TransformerBlock:
    block = TransformerBlock(D, D_FF, H, layer_norm_eps=eps)
    for norm in (block.attention_norm, block.ffn_norm):
        for parameter in norm.parameters():
            nn.init.normal_(parameter)
    return block.eval()


@pytest.mark.parametrize("eps", [1e-6, 0.1])
def test_block_is_pre_norm(eps: float) -> None:
    block, x = block_with_random_norms(eps), tokens()
    expected = reference.block(reference.weights_of(block), x.double(), plain(H, eps), CAUSAL)
    close(block(x, is_causal=True), expected)


@pytest.mark.parametrize(
    ("dropout", "attention_dropout", "expected"),
    [(0.3, 0.2, (0.3, 0.3, 0.2)), (0.0, 0.2, (0.0, 0.0, 0.2)), (0.3, 0.0, (0.3, 0.3, 0.0))],
)
def test_block_hands_on_its_two_dropouts(
    dropout: float, attention_dropout: float, expected: tuple[float, float, float]
) -> None:
    block = TransformerBlock(D, D_FF, H, dropout, attention_dropout)
    made: Any = (block.attention.dropout.p, block.ffn.dropout.p, block.attention.attention_dropout)  # type: ignore[union-attr]
    assert made == expected


LAYERS: list[Callable[[], nn.Module]] = [
    lambda: SwiGLU(D, D_FF),
    lambda: MultiHeadAttention(D, H),
    lambda: TransformerBlock(D, D_FF, H),
]


@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_reach_every_parameter(layer: Callable[[], nn.Module]) -> None:
    built = layer()
    built(tokens()).square().sum().backward()
    assert all(p.grad is not None and bool((p.grad != 0).any()) for p in built.parameters())
