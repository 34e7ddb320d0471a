"""Families as one choice: transformers builds the class of that family, of the same size."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.basic_choices import FeedForward
from slimlm.core.config import ModelConfig
from slimlm.core.families import MODEL_FAMILIES, family, family_of, in_family
from slimlm.core.published import published_models
from slimlm.interop.hf import to_hf_config
from slimlm.solver.solver import solve
from slimlm.utils.validation import FieldError
from tests.hf_judge import count, load

CLASSES = {
    "llama": "LlamaForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "gemma": "Gemma3ForCausalLM",
    "gpt2": "GPT2LMHeadModel",
}
every_family = pytest.mark.parametrize("name", MODEL_FAMILIES)

KEPT = ("total_params", "vocab_size", "embedding_ratio", "glu_expansion", "n_heads", "n_layers", "max_seq_length")


@every_family
def test_transformers_builds_the_class_of_the_family_with_as_many_parameters(name: str) -> None:
    for changes in ({}, {"tied_lm_head": False, "n_heads": 6}):
        design = solve(family(name, 3_000_000, vocab_size=4096, **changes))
        config = json.loads(json.dumps(to_hf_config(design.architecture)))
        assert config["architectures"] == [CLASSES[name]]
        assert sum(count(load(config)).values()) == design.total_params


@every_family
def test_a_family_keeps_sizes_and_ratios(name: str) -> None:
    asked = ModelConfig(
        total_params=30_000_000,
        vocab_size=8192,
        embedding_ratio="auto",
        glu_expansion=3.0,
        n_heads=6,
        n_layers=10,
        max_seq_length=1024,
        multiple_of=8,
    )
    found = in_family(asked, name)
    assert {field: getattr(found, field) for field in KEPT} == {field: getattr(asked, field) for field in KEPT}
    assert found.multiple_of == 8
    assert family_of(found) == name


@every_family
@given(
    block=st.sampled_from(["pre_norm", "parallel_one_norm"]),
    head_dim=st.none() | st.integers(16, 33),
    n_kv_heads=st.sampled_from([None, 1, 4]),
)
@settings(max_examples=20, deadline=None)
def test_any_request_becomes_one_of_the_family(
    name: str, block: str, head_dim: int | None, n_kv_heads: int | None
) -> None:
    asked = ModelConfig(block=block, head_dim=head_dim, n_kv_heads=n_kv_heads, lm_head_bias=True, position_offset=2)  # type: ignore[arg-type]
    assert family_of(asked) is None
    assert family_of(in_family(asked, name)) == name


def test_a_family_is_known_by_its_published_models() -> None:
    found = {model.name: family_of(model.architecture) for model in published_models()}
    assert found["SmolLM2-135M"] == found["Llama-3.2-1B"] == "llama"
    assert found["Qwen3-0.6B"] == "qwen3"
    assert found["gemma-3-270m"] == "gemma"
    assert found["gpt2"] == "gpt2"
    assert found["TinyStories-1M"] is None


@pytest.mark.parametrize(("name", "kinds"), [("gpt2", ("gelu", "gelu_tanh")), ("gemma", ("geglu", "geglu_tanh"))])
def test_a_family_with_gelu_is_known_by_either_kind(name: str, kinds: tuple[FeedForward, ...]) -> None:
    assert {family_of(replace(family(name), ffn=ffn)) for ffn in kinds} == {name}
    assert family_of(replace(family(name), ffn="relu")) is None


def test_fields_override_the_family() -> None:
    found = family("llama", 20_000_000, tied_lm_head=False, rope_theta=10_000.0)
    assert (found.total_params, found.tied_lm_head, found.rope_theta) == (20_000_000, False, 10_000.0)
    assert family_of(found) == "llama"
    assert family_of(family("llama", bias="all")) is None


def test_an_unknown_family_is_refused_with_those_that_are_known() -> None:
    sentence = "family='lama' is not allowed: it must be a family known here; family='llama' or family='qwen3' or "
    with pytest.raises(FieldError, match=f"^{re.escape(sentence)}"):
        family("lama")


@every_family
def test_a_family_sets_the_windows_of_its_example_or_takes_them_away(name: str) -> None:
    asked = ModelConfig(positions="rope", window=8, layer_pattern="wnf", window_rope_theta=500.0, rotary_share=0.5)
    found = in_family(asked, name)
    windows = (found.window, found.layer_pattern, found.window_rope_theta, found.rotary_share)
    assert windows == ((512, "wwwwwf", 10_000.0, 1.0) if name == "gemma" else (None, "f", None, 1.0))
    assert family_of(found) == family_of(replace(found, window=None, layer_pattern="f", window_rope_theta=None)) == name
