"""The layers and the model that they make: each equals its equation in `tests.reference`."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture, Positions
from slimlm.model.language_model import LanguageModel
from slimlm.model.layers import GeGLU, MultiHeadAttention, PlainFeedForward, SwiGLU, TransformerBlock, make_norm
from slimlm.model.positions import alibi_bias, rotary_angles, rotate
from tests import reference
from tests.model.structures import STRUCTURES
from tests.strategies import structures, width_grain

B, T, D, H, D_FF = 2, 5, 12, 3, 20
CAUSAL = torch.ones(T, T).tril()


@pytest.fixture(autouse=True)
def seeded_on_one_thread() -> Iterator[None]:
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads make tiny matrices slower, by far where other work keeps the cores busy
    yield
    torch.set_num_threads(threads)


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
    assert (block.attention.dropout.p, block.ffn.dropout.p, block.attention.attention_dropout) == expected


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


# LanguageModel


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    structure = draw(structures(most_heads=4))
    grain = width_grain(structure["n_heads"], structure["head_dim"], structure["positions"])
    return Architecture(
        **structure,
        vocab_size=draw(st.integers(2, 60)),
        max_seq_length=draw(st.integers(2, 12)),
        d_model=grain * draw(st.integers(1, 6)),
        d_ff=draw(st.integers(1, 30)),
        n_layers=draw(st.integers(1, 3)),
        tied_lm_head=draw(st.booleans()),
        layer_norm_eps=draw(st.sampled_from([1e-6, 1e-3])),
    )


def random_model(arch: Architecture) -> LanguageModel:
    """Build a model with weights large enough for every part to matter."""
    model = LanguageModel(arch).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model


@given(arch=architectures(), seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_logits_equal_an_independent_reference(arch: Architecture, seed: int) -> None:
    torch.manual_seed(seed)
    model, ids = random_model(arch), torch.randint(arch.vocab_size, (2, arch.max_seq_length))
    logits, loss = model(ids)
    assert loss is None
    assert logits.shape == (*ids.shape, arch.vocab_size)
    torch.testing.assert_close(logits.double(), reference.logits(model, ids, arch), rtol=1e-3, atol=1e-3)


@given(arch=architectures(), seed=st.integers(0, 2**32), data=st.data())
@settings(max_examples=60, deadline=None)
def test_later_tokens_leave_earlier_logits_untouched(arch: Architecture, seed: int, data: st.DataObject) -> None:
    torch.manual_seed(seed)
    model, ids = random_model(arch), torch.randint(arch.vocab_size, (2, arch.max_seq_length))
    changed, cut = ids.clone(), data.draw(st.integers(1, arch.max_seq_length - 1))
    changed[:, cut:] = (changed[:, cut:] + 1) % arch.vocab_size
    before, after = model(ids)[0], model(changed)[0]
    torch.testing.assert_close(after[:, :cut], before[:, :cut], rtol=1e-5, atol=1e-5)
    if arch.d_model > 2:  # a LayerNorm over one or two numbers forgets them but for their order
        assert (after[:, cut:] != before[:, cut:]).any()


@given(arch=architectures(), batch=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_forward_costs_the_flops_of_its_matrix_products(arch: Architecture, batch: int) -> None:
    model, tokens = LanguageModel(arch, device="meta"), arch.max_seq_length
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(torch.zeros(batch, tokens, dtype=torch.long, device="meta"))
    parts = account(arch)
    matrices = [
        prod(shape) * part.copies
        for part in parts.components
        for name, shape in part.shapes.items()
        if part.per_layer and len(shape) == 2
    ]
    products = sum(matrices) + arch.vocab_size * arch.d_model
    attention = 4 * tokens**2 * arch.n_heads * arch.head_width * arch.n_layers * batch
    assert counter.get_total_flops() == 2 * products * batch * tokens + attention


# Every structure


class Kernels(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers the names of the operations that run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda structure: "-".join(map(str, structure.values())))
def test_attention_runs_on_the_fused_kernel_in_every_structure(structure: dict[str, Any]) -> None:
    arch = Architecture(vocab_size=20, max_seq_length=8, d_model=16, d_ff=12, n_layers=2, n_heads=4, **structure)
    model, ids = random_model(arch), torch.randint(20, (2, 8))
    with Kernels() as kernels, torch.no_grad():
        model(ids)
    fused = [name for name in kernels.names if "flash_attention" in name]
    assert len(fused) == arch.n_layers
    assert not any("softmax" in name or "bmm" in name for name in kernels.names)


def test_a_mask_and_alibi_work_together() -> None:
    layer, x = MultiHeadAttention(D, H), tokens()
    arch = Architecture(d_model=D, d_ff=1, n_layers=1, n_heads=H, positions="alibi")
    window = CAUSAL * torch.ones(T, T).triu(-2)
    expected = reference.attention(reference.weights_of(layer), x.double(), arch, window)
    close(layer(x, window, score_bias=alibi_bias(H, T)), expected)


def test_rotary_scores_depend_on_distance_alone() -> None:
    q, k = torch.randn(1, 1, 1, 8).double(), torch.randn(1, 1, 1, 8).double()
    cos, sin = rotary_angles(20, 8, 100.0, dtype=torch.float64)

    def score(i: int, j: int) -> float:
        turned = [rotate(x, (cos[[place]], sin[[place]])) for x, place in ((q, i), (k, j))]
        return float((turned[0] * turned[1]).sum())

    assert score(7, 3) == pytest.approx(score(14, 10), abs=1e-5)
    assert score(7, 3) != pytest.approx(score(7, 4), abs=1e-3)


@pytest.mark.parametrize(("n_heads", "slopes"), [(2, [2**-4, 2**-8]), (3, [2**-4, 2**-8, 2**-2]), (1, [2**-8])])
def test_alibi_slopes_are_those_of_the_paper(n_heads: int, slopes: list[float]) -> None:
    bias = alibi_bias(n_heads, 3)
    assert bias.shape == (1, n_heads, 3, 3)
    assert bias[0, :, 2, 0].tolist() == [-2 * slope for slope in slopes]
    assert bias[0, :, 1, 2].tolist() == [-math.inf] * n_heads


@pytest.mark.parametrize("options", [{"n_kv_heads": 2}, {"n_kv_heads": 4}])
def test_attention_refuses_key_heads_that_do_not_divide_its_heads(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=rf"n_kv_heads={options['n_kv_heads']} must divide n_heads=3"):
        MultiHeadAttention(12, 3, **options)  # type: ignore[arg-type]
