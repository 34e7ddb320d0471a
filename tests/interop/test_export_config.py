"""`to_hf_config`: which class of transformers an architecture is, what its config says, and what is refused."""

import ast
import json
import re
from dataclasses import replace
from math import isclose, sqrt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.architecture import Architecture
from slimlm.core.attention_choices import shortest_pattern
from slimlm.interop.hf import from_hf_config
from slimlm.interop.hf.export_classes import NativeClass
from slimlm.interop.hf.export_config import ALL_CLASSES, INITIALIZER_RANGE, native_class, to_hf_config
from slimlm.interop.hf.export_experts import EXPERT_CLASSES
from slimlm.interop.hf.tensor_names import TENSORS
from tests.native import BY_TITLE, of_class
from tests.strategies import architectures

DEFAULT = Architecture(d_model=512, d_ff=1362, n_layers=8)
LLAMA = replace(DEFAULT, norm="rmsnorm", positions="rope")
STABLE = replace(DEFAULT, positions="rope")
GPT2 = replace(DEFAULT, ffn="gelu", bias="all")

# Which class


@pytest.mark.parametrize(
    ("arch", "title"),
    [
        (LLAMA, "Llama"),
        (replace(LLAMA, ffn="geglu", bias="all", n_kv_heads=2, head_dim=48), "Llama"),
        (replace(LLAMA, d_model=513, head_dim=64), "Mistral"),
        (replace(LLAMA, bias="qkv"), "Qwen2"),
        (replace(LLAMA, qk_norm="head", bias="attention"), "Qwen3"),
        (replace(LLAMA, qk_norm="full", block="output_norm"), "OLMo 2"),
        (replace(LLAMA, norm="layernorm_no_params", layer_norm_eps=1e-5), "OLMo"),
        (replace(LLAMA, positions="none"), "SmolLM3"),
        (replace(STABLE, bias="qkv", n_kv_heads=4), "StableLM"),
        (replace(STABLE, block="parallel_one_norm"), "StableLM"),
        (replace(STABLE, ffn="gelu", head_dim=48), "StarCoder2"),
        (replace(STABLE, ffn="gelu", bias="all", block="parallel"), "GPT-NeoX"),
        (replace(STABLE, ffn="gelu", bias="all", block="parallel_one_norm", lm_head_bias=True), "Phi"),
        (GPT2, "GPT-2"),
        (replace(GPT2, ffn="relu", position_offset=2, layer_norm_eps=1e-5), "OPT"),
        (replace(LLAMA, window=64, layer_pattern="w"), "Mistral"),
        (replace(LLAMA, bias="qkv", window=64, layer_pattern="ffw"), "Qwen2"),
        (replace(LLAMA, layer_pattern="fffn"), "SmolLM3"),
        (replace(LLAMA, rotary_share=0.5), "Phi-3"),
        (replace(LLAMA, residual_scale=0.22, logit_scale=0.125), "Granite"),
        (replace(LLAMA, block="sandwich_norm", attention_softcap=50.0, window=64, layer_pattern="wf"), "Gemma 2"),
        (replace(LLAMA, norm="layernorm_no_bias", block="parallel_one_norm", logit_scale=0.0625), "Cohere"),
        (
            replace(LLAMA, norm="layernorm_no_bias", block="parallel_one_norm", window=64, layer_pattern="wwwn"),
            "Cohere 2",
        ),
        (replace(GPT2, bias="output_ffn", attention_scale=1.0, window=256, layer_pattern="fw"), "GPT-Neo"),
        (
            replace(DEFAULT, norm="layernorm_no_bias", positions="alibi", ffn="gelu", d_ff=2048, tied_lm_head=False),
            "MPT",
        ),
    ],
)
def test_a_well_known_structure_finds_its_class(arch: Architecture, title: str) -> None:
    assert native_class(arch).title == title


def test_every_class_has_a_name_and_tensors_of_its_own() -> None:
    assert len({native.name for native in ALL_CLASSES}) == len(BY_TITLE) + len(EXPERT_CLASSES) == len(ALL_CLASSES)
    assert {native.model_type for native in ALL_CLASSES} == TENSORS.keys()


# What the config says


def test_the_config_of_a_llama() -> None:
    assert json.dumps(to_hf_config(replace(LLAMA, n_kv_heads=2, tied_lm_head=False), "bfloat16")) == (
        '{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 16000, "hidden_size": 512, '
        '"intermediate_size": 1362, "num_hidden_layers": 8, "num_attention_heads": 8, '
        '"max_position_embeddings": 512, "attention_dropout": 0.1, "num_key_value_heads": 2, "rope_theta": 10000.0, '
        '"head_dim": 64, "rms_norm_eps": 1e-06, "hidden_act": "silu", "attention_bias": false, "mlp_bias": false, '
        '"initializer_range": 0.02, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "bos_token_id": null, '
        '"eos_token_id": null, "pad_token_id": null}'
    )


def test_the_config_of_a_gpt2() -> None:
    config = to_hf_config(GPT2)
    assert (config["n_embd"], config["n_inner"], config["n_layer"], config["n_head"]) == (512, 1362, 8, 8)
    assert (config["n_positions"], config["activation_function"]) == (512, "gelu")
    assert (config["resid_pdrop"], config["embd_pdrop"], config["attn_pdrop"]) == (0.1, 0.1, 0.1)
    assert config["layer_norm_epsilon"] == 1e-6


def test_the_config_of_a_stablelm() -> None:
    config = to_hf_config(replace(STABLE, bias="qkv", block="parallel_one_norm"))
    assert config["partial_rotary_factor"] == 1.0
    assert (config["use_qkv_bias"], config["use_parallel_residual"]) == (True, True)
    assert (config["layer_norm_eps"], config["hidden_dropout"]) == (1e-6, 0.1)


def test_weights_are_drawn_alike() -> None:
    from slimlm.model.initialisation import INIT_STD

    assert to_hf_config(LLAMA)["initializer_range"] == INITIALIZER_RANGE == INIT_STD


@pytest.mark.parametrize("title", BY_TITLE)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_a_config_describes_its_architecture(title: str, data: st.DataObject) -> None:
    arch = data.draw(of_class(BY_TITLE[title]))
    config = json.loads(json.dumps(to_hf_config(arch)))
    found = from_hf_config(config)
    kept = {name: getattr(found, name) for name in ("dropout", "attention_dropout")}
    for name, rate in kept.items():
        assert rate in (0.0, getattr(arch, name))
    if native_class(arch).model_type in ("gemma2", "gemma3_text"):  # the exported embeddings make up for it
        assert found.embedding_scale == sqrt(arch.d_model)
        kept["embedding_scale"] = found.embedding_scale
    assert found == replace(shortened(arch), **kept)


def shortened(arch: Architecture) -> Architecture:
    """Return the same architecture with the shortest pattern, and without windows that no layer has."""
    kinds = arch.layer_kinds
    changes: dict[str, Any] = {}
    if set(kinds) == {"n"}:
        return replace(arch, layer_pattern="f", window=None, window_rope_theta=None, positions="none")
    if "w" not in kinds:
        changes = {"window": None, "window_rope_theta": None}
    elif arch.window_rope_theta == arch.rope_theta:
        changes = {"window_rope_theta": None}
    scale = arch.attention_scale
    if scale is not None and isclose(scale, 1 / sqrt(arch.head_width), rel_tol=1e-6):
        changes["attention_scale"] = None
    return replace(arch, layer_pattern=shortest_pattern(kinds), **changes)


# What is refused

KEEPS = "; slimlm's save_pretrained keeps any design"


@pytest.mark.parametrize(
    ("arch", "sentence"),
    [
        (
            DEFAULT,
            "norm='layernorm' with positions='learned', ffn='swiglu' and bias='none' has no class in transformers; "
            "positions='rope' leads to StableLM, ffn='gelu' with bias='all' to GPT-2",
        ),
        (
            replace(GPT2, n_kv_heads=2),
            "norm='layernorm' with positions='learned', ffn='gelu' and n_kv_heads=2 has no class in transformers; "
            "positions='rope' leads to StarCoder2, n_kv_heads=8 to GPT-2",
        ),
        (
            replace(LLAMA, block="output_norm"),
            "norm='rmsnorm' with positions='rope', ffn='swiglu', block='output_norm' and qk_norm='none' has no class "
            "in transformers; block='pre_norm' leads to Llama, qk_norm='full' to OLMo 2",
        ),
        (
            replace(LLAMA, window=64, layer_pattern="w", attention_scale=0.3),
            "norm='rmsnorm' with positions='rope', ffn='swiglu', attention_scale=0.3, layer_pattern='w' and window=64 "
            "has no class in transformers; attention_scale=None leads to Mistral, window=None with layer_pattern='f' "
            "to Granite",
        ),
        (
            replace(LLAMA, logit_softcap=30.0),
            "norm='rmsnorm' with positions='rope', ffn='swiglu', block='pre_norm' and logit_softcap=30.0 has no class "
            "in transformers; logit_softcap=None leads to Llama, block='sandwich_norm' to Gemma 2",
        ),
        (
            replace(DEFAULT, positions="rope", head_dim=48),
            "norm='layernorm' with positions='rope', ffn='swiglu' and head_dim=48 has no class in transformers; "
            "norm='rmsnorm' leads to Llama, head_dim=64 to StableLM",
        ),
        (
            replace(DEFAULT, d_model=500, n_heads=5, n_kv_heads=5, head_dim=25, embedding_norm=True),
            "norm='layernorm' with positions='learned', ffn='swiglu', bias='none', embedding_norm=True and head_dim=25 "
            "has no class in transformers; embedding_norm=False with positions='rope' and head_dim=100 leads to "
            "StableLM, embedding_norm=False with ffn='gelu', head_dim=100 and bias='all' to GPT-2",
        ),
    ],
)
def test_a_structure_without_a_class_is_refused(arch: Architecture, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence + KEEPS)}$"):
        to_hf_config(arch)


def ways_out(sentence: str) -> dict[str, dict[str, Any]]:
    """Return the changes that a refusal offers, by the class that they lead to."""
    has, offered, kept = sentence.split("; ")
    assert has.endswith(" has no class in transformers")
    assert f"; {kept}" == KEEPS
    titles = "|".join(sorted(BY_TITLE, key=len, reverse=True))
    return {
        title: {name: ast.literal_eval(value) for name, value in re.findall(r"(\w+)=('\w+'|[\w.e-]+)", changes)}
        for changes, title in re.findall(rf"(.+?) (?:leads )?to ({titles})(?:, |$)", offered)
    }


@given(arch=architectures())
@settings(max_examples=300, deadline=None)
def test_an_architecture_has_a_class_or_ways_to_one(arch: Architecture) -> None:
    try:
        native: NativeClass = native_class(arch)
    except ValueError as error:
        offers = ways_out(str(error))
        assert offers
        for title, changes in offers.items():
            assert all(getattr(arch, name) != value for name, value in changes.items())
            assert BY_TITLE[title].changes(replace(arch, **changes)) == {}
            to_hf_config(replace(arch, **changes))
    else:
        assert to_hf_config(arch)["architectures"] == [native.name]
