"""The table of the keys that configuration classes know, compared with transformers; and what configs leave unread."""

import dataclasses
from typing import Any

import pytest
from transformers import AutoConfig, PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES  # type: ignore[attr-defined]

from slimlm.interop.hf import FAMILIES, unread
from slimlm.interop.hf.known_keys import TYPES, class_keys, known_keys
from tests.hf_judge import real_configs

_OF_EVERY_CLASS = {field.name for field in dataclasses.fields(PreTrainedConfig)} | set(PreTrainedConfig().to_dict())
CLASSES = sorted(FAMILIES.keys() & CONFIG_MAPPING_NAMES.keys())
"""Types that are read and have a class of transformers; others have code of their own."""

_IDS = {"bos_token_id", "eos_token_id", "pad_token_id", "initializer_range", "use_cache"}


def keys_of_class(model_type: str) -> set[str]:
    config = AutoConfig.for_model(model_type)
    declared = {field.name for field in dataclasses.fields(config)}
    return (declared | config.attribute_map.keys() | config.to_dict().keys()) - _OF_EVERY_CLASS - _IDS


@pytest.mark.parametrize("model_type", TYPES)
def test_the_table_has_the_keys_of_the_configuration_class(model_type: str) -> None:
    computed = {"tie_word_embeddings", "num_hidden_layers"}  # by some classes, of other keys
    assert class_keys(model_type) - computed == keys_of_class(model_type) - computed


def test_the_table_has_every_type_that_is_read() -> None:
    assert set(CLASSES) <= set(TYPES) <= CONFIG_MAPPING_NAMES.keys()


@pytest.mark.parametrize("model_type", sorted(FAMILIES.keys() - CONFIG_MAPPING_NAMES.keys()))
def test_a_type_of_code_of_its_own_may_have_the_keys_of_llama(model_type: str) -> None:
    whole = AutoConfig.for_model("llama").to_dict() | {"model_type": model_type}
    assert unread(whole | {"strange": 1}) == (f"strange is no key of {model_type}, and is not read",)


@pytest.mark.parametrize("model_type", CLASSES)
def test_a_config_that_transformers_saves_whole_is_read_whole(model_type: str) -> None:
    whole = AutoConfig.for_model(model_type).to_dict()
    assert {name for name in _OF_EVERY_CLASS if not name.startswith("_")} <= known_keys(model_type)
    assert unread(whole) == ()


SIZES = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")


@pytest.mark.parametrize("model_type", CLASSES)
def test_a_short_config_is_told_of_the_sizes_that_it_leaves_out(model_type: str) -> None:
    whole = AutoConfig.for_model(model_type)
    phrases = unread({"model_type": model_type})
    assert all(phrase.endswith(f" of {model_type}, not in the config") and len(phrase) < 200 for phrase in phrases)
    for size in SIZES:
        value, names = getattr(whole, size, None), {size, *whole.attribute_map.values()}
        if value is not None:
            assert any(f"{name} {value:,}" in phrase for name in names for phrase in phrases)


@pytest.mark.parametrize("name", sorted(real_configs()))
def test_a_published_config_has_no_unknown_keys(name: str) -> None:
    phrases = unread(real_configs()[name][0])
    assert all(phrase.endswith("not in the config") for phrase in phrases)


@pytest.mark.parametrize(
    ("config", "phrases"),
    [
        (
            {"model_type": "llama", "dim": 256, "n_layers": 8},
            (
                "dim and n_layers are not keys of llama, and are not read",
                "vocab_size 32,000, hidden_size 4,096, intermediate_size 11,008, num_hidden_layers 32 and "
                "num_attention_heads 32 are defaults of llama, not in the config",
                "max_position_embeddings 2,048 is a default of llama, not in the config",
            ),
        ),
        ({"max_sequence_length": 1024}, ("max_sequence_length is no key of gpt2, and is not read",)),
        (
            {"num_layers": 8, "_mine": 3, "torch_dtype": "float16", "temperature": 1},
            ("num_layers is no key of gpt2, and is not read",),
        ),
        ({"n_ctx": 1024, "empty": None, "none": {}, "no": []}, ()),
        ({"share_embedding": False}, ("share_embedding is no key of gpt2, and is not read",)),
        (
            {str(n): n for n in range(20)},
            ("0, 1, 2, 3, 4, 5, 6, 7 and 12 more are not keys of gpt2, and are not read",),
        ),
        ({"k" * 300: 1, "\u202e\n": 2}, (f"{'k' * 56}... and \\u202e\\n are not keys of gpt2, and are not read",)),
    ],
)
def test_what_is_not_read_is_told(config: dict[str, Any], phrases: tuple[str, ...]) -> None:
    whole = {"model_type": "gpt2", "vocab_size": 99, "n_embd": 8, "n_layer": 1, "n_head": 1, "n_positions": 9}
    assert unread(config if "model_type" in config else whole | config) == phrases
