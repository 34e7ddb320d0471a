"""A config that is read and written again is the same model to slimlm and to transformers."""

import json
from typing import Any

import pytest
from transformers import PreTrainedConfig

from slimlm.interop.hf import from_hf_config, to_hf_config, unmodelled
from slimlm.interop.hf.export_config import native_class
from tests.hf_judge import load, real_configs
from tests.interop.test_read_logits import CONFIGS

WRITTEN = {
    **{"mistral": "mistral", "qwen2": "qwen2", "qwen3": "qwen3", "gemma2": "gemma2", "gemma3_text": "gemma3_text"},
    **{"starcoder2": "starcoder2", "phi3": "mistral", "smollm3": "smollm3", "granite": "granite", "phi": "phi"},
    **{"gpt_neox": "gpt_neox", "stablelm": "stablelm", "cohere": "cohere", "cohere2": "cohere2", "gpt_neo": "gpt_neo"},
    **{"llama": "llama", "olmo": "olmo", "olmo2": "olmo2", "gpt2": "gpt2", "opt": "opt", "ernie4_5": "llama"},
    **{"ministral": "mistral", "cwm": "smollm3", "mimo": "qwen2", "mobilellm": "llama", "arcee": ""},
}
"""Model type → the type of the class that its configs are written for, the first that is exactly it."""

OUTPUTS = {
    *("layer_types", "sliding_window", "attention_types", "window_size", "no_rope_layers", "rope_parameters"),
    *("embedding_multiplier", "residual_multiplier", "attention_multiplier", "logits_scaling", "logit_scale"),
    *("query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping", "hidden_act", "hidden_activation"),
}
"""Keys that change outputs without changing parameters."""


def said(config: PreTrainedConfig) -> dict[str, Any]:
    """Return what a config says of outputs; a window that no layer has says nothing."""
    values = config.to_dict()
    found = {key: values[key] for key in OUTPUTS & values.keys()}
    if "hidden_activation" in found:
        found.pop("hidden_act", None)  # is not read
    if config.model_type == "gemma3_text":
        del found["attn_logit_softcapping"]  # is not read
    if "sliding_attention" not in (found.get("layer_types") or ["sliding_attention"]):
        found.pop("sliding_window", None)
    rope = found.pop("rope_parameters", None) or {}
    parts = {key: part if isinstance(part, dict) else {"": part} for key, part in rope.items()}
    found |= {f"{key}.{name}": value for key, part in parts.items() for name, value in part.items() if value != 1}
    if found.get("hidden_act") == "gelu_new":  # another name of the same
        found["hidden_act"] = "gelu_pytorch_tanh"
    return {key: float(f"{value:.12g}") if isinstance(value, float) else value for key, value in found.items()}


CASES = [(model_type, config) for model_type in WRITTEN for config in CONFIGS[model_type]]


@pytest.mark.parametrize(("model_type", "config"), CASES)
def test_a_config_that_is_written_again_is_the_same_architecture(model_type: str, config: dict[str, Any]) -> None:
    config = {"model_type": model_type} | config
    read = from_hf_config(config)
    if not WRITTEN[model_type]:
        with pytest.raises(ValueError, match="has no class in transformers"):
            to_hf_config(read)
        return
    written = json.loads(json.dumps(to_hf_config(read)))
    assert written["model_type"] in (WRITTEN[model_type], "llama")
    assert from_hf_config(written) == read
    assert set(unmodelled(written)) <= set(unmodelled(config))
    if written["model_type"] == model_type:
        assert said(load(written)) == said(load(config))


@pytest.mark.parametrize("name", ["Mistral-7B-v0.1", "gemma-2-2b", "gemma-3-270m", "starcoder2-3b", "SmolLM3-3B"])
def test_a_published_config_with_windows_is_written_for_its_own_class(name: str) -> None:
    config, _ = real_configs()[name]
    read = from_hf_config(config)
    assert native_class(read).model_type == config["model_type"]
    assert said(load(to_hf_config(read))) == said(load(config))
