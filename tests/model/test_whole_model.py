"""Whole models beside an independent reference, in every structure."""

import math
from math import prod
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.model.language_model import LanguageModel
from slimlm.model.layers import MultiHeadAttention
from slimlm.model.positions import alibi_bias, rotary_angles, rotate
from tests import reference
from tests.model.structures import STRUCTURES
from tests.model.test_layers import CAUSAL, D, H, T, close, tokens
from tests.strategies import attention_options, structures, width_grain

pytestmark = pytest.mark.usefixtures("seeded_on_one_thread")


# LanguageModel


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    structure = draw(structures(most_heads=4))
    if draw(st.booleans()):
        structure |= draw(attention_options(structure["positions"]))
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
    if "kv_lora_rank" in structure:  # the kernel takes queries, keys and values of one width
        structure = structure | {"v_head_dim": 16 // 4 + structure["qk_rope_head_dim"]}
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
