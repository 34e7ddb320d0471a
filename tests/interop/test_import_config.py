"""Architectures read from Hugging Face configs, judged by what transformers builds of the same config."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedConfig
from transformers.activations import ACT2FN
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.core.published import published_model, published_models
from slimlm.interop.hf import FAMILIES, from_hf_config, parse_hf_config, unmodelled
from slimlm.interop.hf.defaults import default_fields
from slimlm.interop.hf.export_config import native_class, to_hf_config
from slimlm.model.feed_forwards import FEED_FORWARDS
from tests.hf_judge import OPTIONS, count, load, real_configs, small_configs

TYPES = sorted(OPTIONS)


def counted(architecture: Architecture) -> dict[str, int]:
    return {part.key: part.params for part in account(architecture).components if part.params}


def test_the_types_that_are_judged_are_those_that_are_read() -> None:
    assert sorted(FAMILIES) == TYPES


@pytest.mark.parametrize("name", real_configs())
def test_a_published_model_has_the_parameters_that_are_known_of_it(name: str) -> None:
    config, known = real_configs()[name]
    architecture = from_hf_config(config)
    assert account(architecture).total_params == known
    assert counted(architecture) == count(load(config))


@pytest.mark.parametrize("name", real_configs())
def test_a_published_config_reads_the_same_as_transformers_writes_it_today(name: str) -> None:
    config, _ = real_configs()[name]
    found = load(config)
    for whole_or_changes in (False, True):
        written = parse_hf_config(found.to_json_string(use_diff=whole_or_changes))
        assert from_hf_config(written) == from_hf_config(config)


@pytest.mark.parametrize("model_type", TYPES)
def test_a_type_alone_has_the_defaults_of_transformers(model_type: str) -> None:
    assert counted(from_hf_config({"model_type": model_type})) == count(load({"model_type": model_type}))


def declared_defaults(model_type: str) -> dict[str, Any]:
    """Return what the configuration class of transformers declares, and what it makes of rotary positions."""
    config = load({"model_type": model_type})
    declared = {field.name: field.default for field in dataclasses.fields(config)}
    if model_type == "mpt":
        declared |= {f"attn_config.{field.name}": field.default for field in dataclasses.fields(config.attn_config)}
    rope = rotary(config)
    of_neox = {"rotary_emb_base": rope.get("rope_theta"), "rotary_pct": rope.get("partial_rotary_factor")}
    of_others = {key: rope.get(key) for key in ("rope_theta", "partial_rotary_factor")}
    return declared | (of_neox if model_type == "gpt_neox" else of_others)


def rotary(config: PreTrainedConfig) -> dict[str, Any]:
    found = getattr(config, "rope_parameters", None) or {}
    full: dict[str, Any] = found.get("full_attention", found)
    return full


@pytest.mark.parametrize("model_type", TYPES)
def test_every_default_is_the_one_of_the_configuration_class(model_type: str) -> None:
    family, declared = FAMILIES[model_type], declared_defaults(model_type)
    ours = family.defaults | {key: family.rope[key] for key in {"rope_theta"} & family.rope.keys()}
    both = ours.keys() & declared.keys()
    assert {key: ours[key] for key in both} == {key: declared[key] for key in both}
    assert ours.keys() - both <= UNDECLARED


UNDECLARED = {
    *("head_dim", "seq_length", "norm_type", "mlp_type", "sliding_window_pattern", "rope_local_base_freq"),
    *(
        "attention_dropout",
        "clip_qkv",
        "use_sliding_window",
        "share_embedding",
        "layer_sharing",
        "num_nextn_predict_layers",
    ),
    "tie_word_embeddings",
}
"""Keys that configuration classes read, or models of remote code have, without declaring them."""


@pytest.mark.parametrize("model_type", TYPES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_config_has_the_components_that_transformers_builds(model_type: str, data: st.DataObject) -> None:
    config = data.draw(small_configs(model_type))
    architecture, found = from_hf_config(config), load(config)
    assert counted(architecture) == count(found)
    assert from_hf_config(json.loads(found.to_json_string(use_diff=False))) == architecture
    assert from_hf_config(json.loads(found.to_json_string(use_diff=True))) == architecture


def sizes_and_switches(model_type: str) -> set[str]:
    family = FAMILIES[model_type]
    sizes = {family.keys[field].split()[0] for field in default_fields(model_type)}
    return (sizes | family.switches.keys()) & declared_defaults(model_type).keys()


def counted_by_transformers(config: dict[str, Any]) -> dict[str, int] | None:
    """Return the components of a config's model; None when transformers refuses the config."""
    try:
        return count(load(config))
    except (StrictDataclassError, KeyError):  # KeyError: an activation of no name
        return None


@pytest.mark.parametrize("model_type", TYPES)
def test_null_means_what_it_means_to_transformers(model_type: str) -> None:
    for key in sizes_and_switches(model_type):
        config = {"model_type": model_type, key: None}
        expected = counted_by_transformers(config)
        if expected:
            assert counted(from_hf_config(config)) == expected
        else:
            with pytest.raises(ValueError, match=f"^{key}=null is not"):
                from_hf_config(config)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "llama", "rope_theta": 500_000.0},
        {"model_type": "llama", "rope_parameters": {"rope_theta": 500_000.0, "rope_type": "default"}},
        {"model_type": "llama", "rope_parameters": {"rope_theta": 500_000.0}, "rope_theta": 7.0},
        {"model_type": "llama", "rope_scaling": {"rope_type": "linear", "factor": 2.0}, "rope_theta": 500_000.0},
        {"model_type": "gpt_neox", "rotary_emb_base": 500_000.0},
        {"model_type": "gpt_neox", "rope_theta": 500_000.0},
        {"model_type": "smollm3"},
        {"model_type": "gemma3_text", "rope_theta": 500_000.0, "rope_local_base_freq": 7.0},
        {"model_type": "gemma3_text", "rope_parameters": {"full_attention": {"rope_theta": 500_000.0}}},
    ],
)
def test_the_rotary_base_is_found_where_transformers_finds_it(config: dict[str, Any]) -> None:
    assert from_hf_config(config).rope_theta == rotary(load(config))["rope_theta"]


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "gpt2", "hidden_size": 96, "num_hidden_layers": 2, "num_attention_heads": 6}
        | {"max_position_embeddings": 9},
        {"model_type": "gpt_neo", "num_attention_heads": 8, "num_hidden_layers": 24},
        {"model_type": "bloom", "n_embed": 96, "num_hidden_layers": 3, "num_attention_heads": 6},
        {"model_type": "bloom", "n_embed": None},
        {"model_type": "falcon", "n_embed": 96, "num_attention_heads": 6},
        {"model_type": "mpt", "hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 6},
        {"model_type": "phi", "head_dim": 32},
    ],
)
def test_a_key_is_known_by_its_other_names(config: dict[str, Any]) -> None:
    assert counted(from_hf_config(config)) == count(load(config))


@pytest.mark.parametrize("model_type", TYPES)
def test_a_config_without_a_type_is_known_by_its_class(model_type: str) -> None:
    name, *others = FAMILIES[model_type].classes.split()
    assert MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(model_type, name) in (name, *others)
    assert from_hf_config({"architectures": [name]}) == from_hf_config({"model_type": model_type})
    assert not any("another class" in phrase for phrase in unmodelled({"architectures": [name]}))


@pytest.mark.parametrize("name", sorted(real_configs().keys() & {model.name for model in published_models()}))
def test_a_published_config_is_the_architecture_in_the_table_of_published_models(name: str) -> None:
    assert from_hf_config(real_configs()[name][0]) == published_model(name).architecture


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "falcon"}, "rope gelu none none parallel_one_norm"),
        ({"model_type": "falcon", "parallel_attn": False, "alibi": True}, "alibi gelu none none pre_norm"),
        ({"model_type": "falcon", "new_decoder_architecture": True}, "rope gelu none none parallel"),
        ({"model_type": "granite", "attention_bias": True}, "rope swiglu attention none pre_norm"),
        ({"model_type": "granite", "mlp_bias": True, "hidden_act": "gelu"}, "rope geglu ffn none pre_norm"),
        ({"model_type": "llama", "attention_bias": True, "mlp_bias": True}, "rope swiglu all none pre_norm"),
        ({"model_type": "gpt_neox", "use_parallel_residual": False}, "rope gelu all none pre_norm"),
        ({"model_type": "gpt_neox", "attention_bias": False}, "rope gelu ffn none parallel"),
        ({"model_type": "stablelm", "use_parallel_residual": True}, "rope swiglu none none parallel_one_norm"),
        ({"model_type": "phi", "qk_layernorm": True}, "rope gelu_tanh all head parallel_one_norm"),
        ({"model_type": "opt", "enable_bias": False}, "learned relu none none pre_norm"),
    ],
)
def test_switches_set_what_they_say(config: dict[str, Any], words: str) -> None:
    found = from_hf_config(config)
    assert [found.positions, found.ffn, found.bias, found.qk_norm, found.block] == words.split()


def test_rates_are_read() -> None:
    found = from_hf_config(real_configs()["starcoder2-3b"][0])
    assert (found.dropout, found.attention_dropout, found.layer_norm_eps) == (0.1, 0.1, 1e-5)
    assert from_hf_config({"model_type": "gpt2", "resid_pdrop": 0.2, "attn_pdrop": 0.3}).attention_dropout == 0.3
    assert from_hf_config({"model_type": "falcon", "attention_dropout": None}).attention_dropout == 0


@pytest.mark.parametrize("name", [name for name in ACT2FN if "gelu" in name or "relu" in name])
def test_an_activation_is_that_of_the_feed_forward_or_told_of(name: str) -> None:
    x = torch.linspace(-12, 12, 100)
    for kind, key in {"gpt2": "activation_function", "llama": "hidden_act"}.items():
        read = {"model_type": kind, key: name}
        if "gelu" not in name and (kind == "llama" or name not in ("relu", "relu2")):
            with pytest.raises(ValueError, match=f'^{key}="{name}" is not supported: a '):
                from_hf_config(read)
            continue
        ours = FEED_FORWARDS[from_hf_config(read).ffn].activation
        assert ("glu" in from_hf_config(read).ffn) == (kind == "llama")
        # The two kinds differ by up to 5e-4, roundings by less than 1e-5.
        exact = torch.allclose(ours(x), ACT2FN[name](x), rtol=0, atol=1e-5)
        assert exact != any(f'({key}="{name}")' in remark for remark in unmodelled(read))


def test_gemma_takes_the_legacy_name_of_its_activation_for_the_approximation() -> None:
    assert from_hf_config({"model_type": "gemma", "hidden_act": "gelu"}).ffn == "geglu_tanh"
    assert load({"model_type": "gemma", "hidden_act": "gelu"}).hidden_act == "gelu_pytorch_tanh"


def test_a_config_is_read_from_a_file_and_from_its_folder(tmp_path: Path) -> None:
    config, _ = real_configs()["gpt2"]
    file = tmp_path / "config.json"
    file.write_text("\ufeff" + json.dumps(config), encoding="utf-8")
    for source in (file, str(file), tmp_path, str(tmp_path)):
        assert from_hf_config(source) == from_hf_config(config)
        assert unmodelled(source) == unmodelled(config)


def test_a_config_is_left_as_it_was() -> None:
    config = {"model_type": "mpt", "attn_config": {"clip_qkv": 8.0}}
    from_hf_config(config)
    assert config == {"model_type": "mpt", "attn_config": {"clip_qkv": 8.0}}


def test_what_slimlm_writes_is_read_back_as_the_same_architecture() -> None:
    architectures = [model.architecture for model in published_models() if has_class(model.architecture)]
    assert len(architectures) > 40
    for architecture in architectures:
        assert from_hf_config(to_hf_config(architecture)) == architecture


def has_class(architecture: Architecture) -> bool:
    try:
        return bool(native_class(architecture))
    except ValueError:
        return False
