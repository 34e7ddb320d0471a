"""Published models and laws: counts, shares and predictions, each computed a second time from other facts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.published import (
    PublishedModel,
    critical_depths,
    levine_shape,
    published_models,
    published_near,
    tao_vocabulary_params,
)

BY_NAME = {model.name: model for model in published_models()}

KV_HEADS = {
    "stories15M": 6,
    "llama-68m": 12,
    "AMD-Llama-135m": 12,
    "BabyLlama-16M": 8,
    "GaLore-llama_60m": 8,
    "TinyLlama-1.1B": 4,
    "SmolLM2-135M": 3,
    "SmolLM-360M": 5,
    "SmolLM2-1.7B": 32,
    "SmolLM3-3B": 4,
    "MobileLLM-125M": 3,
    "MobileLLM-1.5B": 5,
    "Llama-2-7b": 32,
    "Llama-3-8B": 8,
    "Llama-3.2-1B": 8,
    "h2o-danube3-500m": 8,
    "Mistral-7B-v0.1": 8,
    "MiniCPM-2B": 36,
    "gemma-2b": 1,
    "Phi-3-mini-4k": 32,
    "OLMo-tiny-20M": 8,
}
"""Key and value heads of models of the plain Llama form: no biases, two RMSNorms and three FFN matrices a layer."""


def test_the_table_is_whole_and_sorted() -> None:
    models = published_models()
    assert len(models) == len(BY_NAME) == 61
    assert [model.total_params for model in models] == sorted(model.total_params for model in models)


@pytest.mark.parametrize(("name", "kv_heads"), KV_HEADS.items())
def test_the_llama_formula_gives_the_total(name: str, kv_heads: int) -> None:
    model = BY_NAME[name]
    attention = 2 * model.d_model * (model.n_heads + kv_heads) * model.head_dim
    layer = attention + 3 * model.d_model * model.d_ff + 2 * model.d_model
    tables = 1 if model.tied_lm_head else 2
    total = tables * model.vocab_size * model.d_model + model.n_layers * layer + model.d_model
    assert model.total_params == total


@pytest.mark.parametrize("name", ["gpt2", "gpt2-medium", "gpt2-xl", "nanoGPT-gpt2-124M(vocab 50304)"])
def test_the_gpt2_formula_gives_the_total(name: str) -> None:
    model = BY_NAME[name]
    d = model.d_model
    assert model.total_params == (model.vocab_size + 1024) * d + model.n_layers * (12 * d * d + 13 * d) + 2 * d


@pytest.mark.parametrize("name", ["pythia-14m", "pythia-70m", "pythia-160m", "pythia-1b", "pythia-1.4b"])
def test_the_neox_formula_gives_the_total(name: str) -> None:
    model = BY_NAME[name]
    d = model.d_model
    assert model.total_params == 2 * model.vocab_size * d + model.n_layers * (12 * d * d + 13 * d) + 2 * d


@pytest.mark.parametrize("model", published_models(), ids=lambda model: model.name)
def test_vocabulary_tables_have_their_size(model: PublishedModel) -> None:
    width = 512 if model.name == "opt-350m" else model.d_model
    bias = model.vocab_size if model.name.startswith("phi-1") else 0
    assert model.token_embedding_params == model.vocab_size * width
    assert model.lm_head_params == (0 if model.tied_lm_head else model.vocab_size * width + bias)
    assert model.token_embedding_params + model.lm_head_params < model.total_params


@pytest.mark.parametrize(
    ("name", "percent"),
    [
        ("pythia-70m", 73),
        ("gemma-3-270m", 63),
        ("gpt2", 31),
        ("Qwen2.5-0.5B", 28),
        ("Llama-3.2-1B", 21),
        ("SmolLM2-135M", 21),
        ("MobileLLM-125M", 15),
        ("OLMo-1B-hf", 9),
        ("opt-350m", 8),
        ("phi-1", 15),
    ],
)
def test_embedding_ratios_known_from_the_literature(name: str, percent: int) -> None:
    assert round(100 * BY_NAME[name].embedding_ratio) == percent


def test_aspect_ratio_is_width_over_depth() -> None:
    assert BY_NAME["MobileLLM-125M"].aspect_ratio == pytest.approx(19.2)
    assert BY_NAME["gpt2"].aspect_ratio == 64


@given(st.integers(10**5, 10**11), st.floats(1, 100))
def test_near_is_what_lies_within_the_factor_nearest_first(total: int, factor: float) -> None:
    near = published_near(total, factor)
    distances = [abs(math.log(model.total_params / total)) for model in near]
    assert distances == sorted(distances)
    assert all(distance <= math.log(factor) + 1e-9 for distance in distances)
    outside = set(published_models()) - set(near)
    assert all(abs(math.log(model.total_params / total)) >= math.log(factor) - 1e-9 for model in outside)


def test_nothing_is_near_the_smallest_designs() -> None:
    assert published_near(1_000_000) == ()
    assert published_near(10_000_000)[0].name == "TinyStories-3M"
    assert published_near(BY_NAME["gpt2"].total_params, 1) == (BY_NAME["gpt2"],)


@pytest.mark.parametrize("factor", [0.5, math.nan])
def test_a_factor_below_one_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match=r"factor=.* at least 1; factor=3 would work"):
        published_near(10_000_000, factor)


@pytest.mark.parametrize(("rest", "millions"), [(10e6, 1.16), (33e6, 3.145728), (125e6, 9.57), (1e9, 54.4)])
def test_tao_predictions(rest: float, millions: float) -> None:
    assert tao_vocabulary_params(rest) / 1e6 == pytest.approx(millions, rel=2e-3)


@pytest.mark.parametrize(("rest", "d_model", "thousand"), [(3e9, 3200, 43), (7e9, 4096, 67), (70e9, 8192, 231)])
def test_tao_law_reproduces_the_vocabularies_of_table_1(rest: float, d_model: int, thousand: int) -> None:
    # The table prints N_nv rounded to one or two digits.
    assert tao_vocabulary_params(rest) / d_model / 1000 == pytest.approx(thousand, rel=0.05)


@pytest.mark.parametrize(
    ("params", "depth", "width"),
    [
        (10e6, 10.7, 279),
        (85e6, 23.0, 554),
        (125e6, 25.6, 638),
        (1e9, 40.2, 1439),
        (175e9, 80.5, 13459),
        (1e12, 94.7, 29657),
    ],
)
def test_levine_predictions(params: float, depth: float, width: int) -> None:
    layers, d_model = levine_shape(params)
    assert (round(layers, 1), round(d_model)) == (depth, width)


@given(st.floats(1e4, 1e13))
def test_levine_shape_solves_its_equations(params: float) -> None:
    layers, d_model = levine_shape(params)
    assert 12 * layers * d_model**2 == pytest.approx(params)
    assert math.log(d_model) == pytest.approx(5.039 + 0.0555 * layers)


@pytest.mark.parametrize(("d_model", "power"), [(256, 11.5), (576, 16.4), (2048, 28.6)])
def test_critical_depths_hold_the_power_law_and_the_logarithm(d_model: int, power: float) -> None:
    assert sorted(critical_depths(d_model)) == list(critical_depths(d_model))
    assert any(round(depth, 1) == power for depth in critical_depths(d_model))
    assert any(depth == pytest.approx(2.43 * math.log(d_model)) for depth in critical_depths(d_model))


def test_critical_depths_meet_the_measured_optimum() -> None:
    assert all(depth == pytest.approx(16, abs=0.9) for depth in critical_depths(512))


def test_heads_are_32_to_256_wide_but_in_tinystories() -> None:
    narrow_or_wide = {model.name for model in published_models() if not 32 <= model.head_dim <= 256}
    assert narrow_or_wide == {"TinyStories-1M", "TinyStories-3M"}
