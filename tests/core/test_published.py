"""Published models and laws: counts and predictions, each judged by facts from elsewhere.

`published_counts.csv` lists what others counted in each model, component by component; transformers builds every model
from its configuration.
"""

import csv
import math
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from slimlm.core.architecture import Architecture
from slimlm.core.published import LEFT_OUT, PublishedModel, published_model, published_models, published_near
from slimlm.core.shape_law import levine_shape
from slimlm.notes.published_laws import critical_depths, tao_vocabulary_params

MODELS = published_models()

TESTS = Path(__file__).parents[1]
with (TESTS / "published_counts.csv").open(encoding="utf-8", newline="") as lines:
    COUNTS = {row["name"]: row for row in csv.DictReader(lines)}

every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


# The models


def test_the_table_is_whole_and_sorted() -> None:
    assert len(MODELS) == len({model.name for model in MODELS}) == 60
    assert {model.name for model in MODELS} == COUNTS.keys()
    assert [model.total_params for model in MODELS] == sorted(model.total_params for model in MODELS)
    assert LEFT_OUT.keys() == {"opt-350m"}


def test_every_column_of_the_table_is_read() -> None:
    table = TESTS.parent / "slimlm" / "core" / "published.csv"
    header = table.read_text(encoding="utf-8").splitlines()[0].split(",")
    known = {field.name for cls in (Architecture, PublishedModel) for field in fields(cls)} - {"architecture"} | {
        "note"
    }
    assert len(header) == len(set(header))
    assert set(header) <= known | {"note"}


@every_model
def test_the_account_has_the_published_counts(model: PublishedModel) -> None:
    account, counts = model.account, COUNTS[model.name]
    keys = ("token_embedding", "position_embedding", "attention", "ffn", "lm_head")
    assert {key: account[key].params for key in keys} == {key: int(counts[key]) for key in keys}
    assert account["norms"].params + account["final_norm"].params == int(counts["norms"])
    assert model.total_params == model.published_params


OWN_NAMES = {
    "gpt2": {"intermediate_size": "n_inner"},
    "opt": {"intermediate_size": "ffn_dim"},
    "falcon": {"intermediate_size": "ffn_hidden_size"},
    "mpt": {"hidden_size": "d_model", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads"},
}
"""What a kind of configuration calls the common fields by another name."""

OWN_CHOICES: dict[str, dict[str, Any]] = {
    "falcon": {"alibi": True, "bias": True, "multi_query": False, "parallel_attn": False},
    "stablelm": {"use_qkv_bias": True},
}
"""What published models of a kind choose otherwise than their kind's default."""


def transformers_config(kind: str, arch: Architecture) -> Any:
    from transformers import AutoConfig

    common: dict[str, Any] = {
        "vocab_size": arch.vocab_size,
        "hidden_size": arch.d_model,
        "intermediate_size": arch.d_ff,
        "num_hidden_layers": arch.n_layers,
        "num_attention_heads": arch.n_heads,
        "num_key_value_heads": arch.kv_heads,
        "max_position_embeddings": arch.max_seq_length,
        "tie_word_embeddings": arch.tied_lm_head,
        "pad_token_id": None,
    }
    if kind != "falcon":  # which derives it
        common["head_dim"] = arch.head_width
    named = {OWN_NAMES.get(kind, {}).get(name, name): value for name, value in common.items()}
    if kind == "gpt_neo":
        named["attention_types"] = [[["global"], arch.n_layers]]
    return AutoConfig.for_model(kind, **named, **OWN_CHOICES.get(kind, {}))


@every_model
def test_transformers_builds_a_model_of_the_size(model: PublishedModel) -> None:
    from transformers import AutoModelForCausalLM

    build: Any = AutoModelForCausalLM.from_config
    with torch.device("meta"):
        built = build(transformers_config(COUNTS[model.name]["model_type"], model.architecture))
    assert sum(parameter.numel() for parameter in built.parameters()) == model.total_params
    embedding = model.account["token_embedding"]
    assert tuple(built.get_input_embeddings().weight.shape) == embedding.shapes["token_embedding.weight"]


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
        ("phi-1", 15),
    ],
)
def test_embedding_ratios_known_from_the_literature(name: str, percent: int) -> None:
    assert round(100 * published_model(name).embedding_ratio) == percent


def test_aspect_ratio_is_width_over_depth() -> None:
    assert published_model("MobileLLM-125M").aspect_ratio == pytest.approx(19.2)
    assert published_model("gpt2").aspect_ratio == 64


@pytest.mark.parametrize("name", ["TinyStories-1M", "TinyStories-3M", "TinyStories-33M"])
def test_notes_on_names_have_the_right_factor(name: str) -> None:
    model = published_model(name)
    said = re.match(r"has (\d\.\d) times the parameters of its name$", model.note)
    assert said is not None
    assert float(said[1]) == round(model.total_params / int(name.split("-")[1].removesuffix("M")) / 1e6, 1)


def test_heads_are_32_to_256_wide_but_in_tinystories() -> None:
    narrow_or_wide = {model.name for model in MODELS if not 32 <= model.architecture.head_width <= 256}
    assert narrow_or_wide == {"TinyStories-1M", "TinyStories-3M"}


def test_every_model_says_where_it_comes_from() -> None:
    assert all(model.family and model.confirmed_by and 2019 <= model.year <= 2025 for model in MODELS)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("GPT2", r"^name='GPT2' is not allowed: it must be one of .*; name='gpt2' or name='gpt2-xl' would work$"),
        ("pythia160m", r"; name='pythia-160m' or .* would work$"),
        ("nothing like it", r"; name='gpt2' would work$"),
        ("opt-350m", r"^name='opt-350m' is not allowed: it is left out, .* no final norm; name='opt-125m' would work$"),
    ],
)
def test_an_unknown_model_is_refused_with_names_like_it(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        published_model(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Mistral-7B-v0.1", {"window": 4096}),
        ("gemma-2-2b", {"window": 4096, "attention_softcap": 50.0, "logit_softcap": 30.0, "attention_scale": None}),
        ("gemma-3-270m", {"rope_theta": 1e6, "window_rope_theta": 1e4, "attention_scale": None}),
        ("pythia-70m", {"rotary_share": 0.25}),
        ("phi-1", {"rotary_share": 0.5}),
        ("stablelm-2-1_6b", {"rotary_share": 0.25}),
        ("gpt-neo-125m", {"window": 256}),
        ("SmolLM3-3B", {}),
    ],
)
def test_windows_caps_and_rotation_are_the_defaults_of_the_classes(name: str, expected: dict[str, Any]) -> None:
    from transformers import AutoConfig

    arch = published_model(name).architecture
    kind = COUNTS[name]["model_type"]
    layers = {} if kind == "gpt_neo" else {"num_hidden_layers": arch.n_layers}
    config = AutoConfig.for_model(kind, **layers)
    assert {field: getattr(arch, field) for field in expected} == expected
    read = {
        "window": getattr(config, "sliding_window", getattr(config, "window_size", None)),
        "attention_softcap": getattr(config, "attn_logit_softcapping", None),
        "logit_softcap": getattr(config, "final_logit_softcapping", None),
    }
    for field in ("window", "attention_softcap", "logit_softcap"):
        if field in expected:
            assert read[field] == expected[field]
    if "rotary_share" in expected:
        assert config.rope_parameters["partial_rotary_factor"] == expected["rotary_share"]
    if "window_rope_theta" in expected:
        assert config.rope_parameters["sliding_attention"]["rope_theta"] == arch.window_rope_theta
        assert config.rope_parameters["full_attention"]["rope_theta"] == arch.rope_theta
    if hasattr(config, "query_pre_attn_scalar"):
        assert config.query_pre_attn_scalar**-0.5 == arch.head_width**-0.5
    assert kinds_of(config, arch) == arch.layer_kinds


def kinds_of(config: Any, arch: Architecture) -> str:
    """Return the kinds of the layers as a configuration of transformers gives them."""
    if hasattr(config, "no_rope_layers"):
        return "".join("f" if rotated else "n" for rotated in config.no_rope_layers)
    if hasattr(config, "attention_layers"):
        kinds = [{"global": "f", "local": "w"}[kind] for kind in config.attention_layers]
        return "".join(kinds * arch.n_layers)[: arch.n_layers]
    if getattr(config, "layer_types", None):
        return "".join({"full_attention": "f", "sliding_attention": "w"}[kind] for kind in config.layer_types)
    return ("w" if getattr(config, "sliding_window", None) else "f") * arch.n_layers


def test_factors_are_those_of_the_papers() -> None:
    for name in ("gemma-2b", "gemma-2-2b", "gemma-3-270m"):
        arch = published_model(name).architecture
        assert arch.embedding_scale == math.sqrt(arch.d_model)
    mup = published_model("MiniCPM-2B").architecture  # scale_emb 12, scale_depth 1.4, dim_model_base 256
    assert mup.embedding_scale == 12
    assert mup.residual_scale == pytest.approx(1.4 / math.sqrt(mup.n_layers))
    assert mup.logit_scale == pytest.approx(256 / mup.d_model)
    assert published_model("gpt-neo-125m").architecture.attention_scale == 1.0


# Neighbours


@given(st.integers(10**5, 10**11), st.floats(1, 100))
def test_near_is_what_lies_within_the_factor_nearest_first(total: int, factor: float) -> None:
    near = published_near(total, factor)
    distances = [abs(math.log(model.total_params / total)) for model in near]
    assert distances == sorted(distances)
    assert all(distance <= math.log(factor) + 1e-9 for distance in distances)
    names = {model.name for model in near}
    outside = [model for model in MODELS if model.name not in names]
    assert all(abs(math.log(model.total_params / total)) >= math.log(factor) - 1e-9 for model in outside)


def test_nothing_is_near_the_smallest_designs() -> None:
    assert published_near(1_000_000) == ()
    assert published_near(10_000_000)[0].name == "TinyStories-3M"
    assert published_near(published_model("gpt2").total_params, 1) == (published_model("gpt2"),)


@pytest.mark.parametrize("factor", [0.5, math.nan])
def test_a_factor_below_one_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match=r"factor=.* at least 1; factor=3 would work"):
        published_near(10_000_000, factor)


# The laws


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
