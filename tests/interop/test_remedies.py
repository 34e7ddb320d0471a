"""What a refusal of a Hugging Face config says would work, works."""

import ast
import json
import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.interop.hf import FAMILIES, from_hf_config
from tests.interop.test_attention_keys import REFUSED
from tests.interop.test_import_config_errors import SENTENCES, VALUES

_OBJECTS = ("rope_parameters", "rope_scaling", "attn_config")
_OFFER = re.compile(r"""([\w.]+)=("[^"]*"|'[^']*'|[\w.+-]+)|\bor ("[^"]*"|null|-?\d[\d.]*)\b""")
FAULTS: list[dict[str, Any]] = [
    {"model_type": "helium", "head_dim": 64},
    {"model_type": "helium", "num_key_value_heads": 3},
    {"model_type": "internlm3", "attention_bias": True},
    {"model_type": "internlm3", "qkv_bias": False, "bias": True},
    {"model_type": "helium", "attention_bias": True, "mlp_bias": True},
    {"model_type": "seed_oss", "hidden_size": 5120, "attention_bias": False, "attention_out_bias": True},
    {"model_type": "seed_oss", "hidden_size": 5120, "mlp_bias": True},
    {"model_type": "cohere", "use_qk_norm": True},
    {"model_type": "iquestcoder", "clip_qkv": 8.0},
    {"model_type": "iquestcoder", "use_sliding_window": True},
    {"model_type": "arcee", "hidden_act": "silu"},
    {"model_type": "nanochat", "hidden_size": 770},
    {"model_type": "llama", "num_attention_heads": 64, "num_key_value_heads": 7},
]


def remedies_in(sentence: str) -> list[tuple[str, Any]]:
    """Return the keys and values of which a refusal says that any one would work."""
    offered = re.search(r"; ([^;]*) would work$", sentence)
    found, key = [], ""
    for name, value, other in _OFFER.findall(offered[1]) if offered else ():
        key = name or key
        if not (value and value in FAMILIES):
            found.append((key, _value(value or other)))
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return ast.literal_eval(text)


def changed(config: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return a config with another value of a key, where the key stands."""
    found: dict[str, Any] = deepcopy(dict(config))
    outer, _, inner = key.rpartition(".")
    holders = [found[name] for name in (outer, *_OBJECTS) if isinstance(found.get(name), dict)]
    if outer and not holders:
        found[outer] = {inner: value}
        return found
    standing = [holder for holder in holders if inner in holder]
    (standing or [found])[0][inner if standing else key] = value
    return found


def refusal(config: Mapping[str, Any]) -> str:
    """Return why a config is refused; nothing if it is read."""
    try:
        from_hf_config(config)
    except ValueError as error:
        return str(error)
    return ""


ONE_FAULT = [config for config, _ in (*SENTENCES, *REFUSED) if config["model_type"] in FAMILIES] + FAULTS
TWO_FAULTS = [config for config in ONE_FAULT if config.get("do_layer_norm_before") is False]


@pytest.mark.parametrize("config", [config for config in ONE_FAULT if config not in TWO_FAULTS])
def test_every_remedy_of_a_fault_works(config: dict[str, Any]) -> None:
    sentence = refusal(config)
    assert sentence
    for key, value in remedies_in(sentence):
        assert refusal(changed(config, key, value)) == "", (key, value)


@pytest.mark.parametrize("config", FAULTS)
def test_every_fault_has_a_remedy(config: dict[str, Any]) -> None:
    assert remedies_in(refusal(config))


@pytest.mark.parametrize("config", TWO_FAULTS)
def test_one_fault_after_another_is_remedied(config: dict[str, Any]) -> None:
    for _ in range(2):
        config = changed(config, *remedies_in(refusal(config))[0])
    assert refusal(config) == ""


@pytest.mark.parametrize("model_type", sorted(FAMILIES))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_remedy_of_a_key_of_any_value_works(model_type: str, data: st.DataObject) -> None:
    family = FAMILIES[model_type]
    keys = sorted({*family.defaults, *(name for names in family.keys.values() for name in names.split())})
    small = {family.keys["n_layers"].split()[0]: 4}
    config = {"model_type": model_type} | small | {data.draw(st.sampled_from(keys)): data.draw(VALUES)}
    for key, value in remedies_in(refusal(config)):
        assert refusal(changed(config, key, value)) == "", (key, value)
