"""The account of mixtures and latents equals the real module, the closed form, and published counts."""

from typing import Any

import pytest
from hypothesis import given, settings

from slimlm.core.accounting import account, count_total
from slimlm.core.architecture import Architecture
from slimlm.core.describe import shape_line, structure_words
from slimlm.core.table import count_components
from slimlm.model.language_model import LanguageModel
from tests.core.test_accounting import expanded
from tests.strategies import closed_form, mixtures

MIXTRAL = Architecture(
    vocab_size=32_000,
    d_model=4096,
    d_ff=14_336,
    n_layers=32,
    n_heads=32,
    n_kv_heads=8,
    norm="rmsnorm",
    positions="rope",
    tied_lm_head=False,
    n_experts=8,
)
DEEPSEEK_V3 = Architecture(
    vocab_size=129_280,
    d_model=7168,
    d_ff=2048,
    n_layers=61,
    n_heads=128,
    head_dim=128,
    norm="rmsnorm",
    positions="rope",
    tied_lm_head=False,
    n_experts=256,
    experts_per_token=8,
    n_shared_experts=1,
    n_dense_layers=3,
    d_dense=18_432,
    router="sigmoid",
    routed_scale=2.5,
    n_expert_groups=8,
    groups_per_token=4,
    kv_lora_rank=512,
    q_lora_rank=1536,
)


@given(mixtures())
@settings(deadline=None, max_examples=60)
def test_tensors_are_those_of_the_real_module(arch: Architecture) -> None:
    model, found = LanguageModel(arch, device="meta"), account(arch)
    real = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    listed: dict[str, tuple[int, ...]] = {}
    for component in found.components:
        tensors = _numbered(expanded(component), component.first_layer) if component.per_layer else expanded(component)
        assert not tensors.keys() & listed.keys(), "a tensor belongs to one component"
        listed |= tensors
    assert listed == real
    assert count_components(model, found) == {part.key: part.params for part in found.components}


def _numbered(tensors: dict[str, tuple[int, ...]], first: int) -> dict[str, tuple[int, ...]]:
    """Count the layers from the first that has the component."""
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in tensors.items():
        outer, number, inner = name.split(".", 2)
        found[f"{outer}.{int(number) + first}.{inner}"] = shape
    return found


@given(mixtures(max_layers=200))
@settings(deadline=None)
def test_counts_follow_the_closed_form(arch: Architecture) -> None:
    found = account(arch)
    assert found.total_params == count_total(arch) == closed_form(arch, *arch.dims)
    assert found.active_params == closed_form(arch, *arch.dims, active=True)
    d_model, d_ff, n_layers = arch.dims
    assert found.layer_params == closed_form(arch, d_model, d_ff, n_layers + 1) - found.total_params


@given(mixtures())
@settings(deadline=None)
def test_formulas_evaluate_to_the_count_of_one_copy(arch: Architecture) -> None:
    names = arch.concrete()
    for component in account(arch).components:
        python = component.formula.removesuffix(" (tied)").replace("·", "*").replace("²", "**2")
        assert eval(python, names) == component.copy_params, component.key


@pytest.mark.parametrize(
    ("arch", "total", "active"),
    [(MIXTRAL, 46_702_792_704, 12_879_925_248), (DEEPSEEK_V3, 671_026_404_352, 37_552_282_624)],
)
def test_published_mixtures_have_their_counts(arch: Architecture, total: int, active: int) -> None:
    found = account(arch)
    assert (found.total_params, found.active_params) == (total, active)


def test_components_come_in_the_order_in_which_a_token_meets_them() -> None:
    keys = [part.key for part in account(DEEPSEEK_V3).components if part.per_layer]
    assert keys == ["attention", "dense_ffn", "router", "experts", "shared_experts", "norms"]
    layers = {part.key: part.layers for part in account(DEEPSEEK_V3).components if part.per_layer}
    assert (layers["dense_ffn"], layers["experts"], layers["norms"]) == (range(3), range(3, 61), range(61))


def test_a_dense_model_uses_all_of_its_parameters() -> None:
    found = account(Architecture(d_model=216, d_ff=544, n_layers=12))
    assert found.active_params == found.total_params
    assert "active" not in shape_line(found)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"n_experts": 8}, ["8 experts (2 per token)"]),
        (
            {"n_experts": 8, "n_shared_experts": 1, "d_shared": 9, "shared_expert_gate": True, "n_dense_layers": 1},
            ["8 experts (2 per token)", "1 shared expert of 9 with a gate", "1 dense layer"],
        ),
        (
            {"n_experts": 8, "router": "sigmoid", "normalise_router": False, "routed_scale": 2.5},
            ["8 experts (2 per token)", "sigmoid router", "router not normalised", "routed experts × 2.5"],
        ),
        (
            {"n_experts": 8, "n_expert_groups": 4, "groups_per_token": 2},
            ["8 experts (2 per token)", "2 of 4 expert groups"],
        ),
        ({"kv_lora_rank": 64, "positions": "rope"}, ["latent attention (KV 64)", "RoPE"]),
        (
            {"kv_lora_rank": 64, "q_lora_rank": 96, "positions": "rope"},
            ["latent attention (KV 64, queries 96)", "RoPE"],
        ),
    ],
)
def test_what_is_not_at_its_default_is_named(choices: dict[str, Any], words: list[str]) -> None:
    arch = Architecture(**{"d_model": 64, "d_ff": 32, "n_layers": 3} | choices)
    assert structure_words(arch) == words


def test_a_title_says_what_is_active() -> None:
    line = "46.70B parameters (12.88B active) · 32 layers × d_model 4,096 · d_ff 14,336 · 32 heads (8 KV)"
    assert shape_line(account(MIXTRAL)) == line
