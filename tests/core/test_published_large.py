"""Published dense models beyond a hundred billion parameters: known by name, and left out of laws and notes."""

from typing import Any

import torch

from slimlm.core.published import published_large, published_model, published_models, published_near
from slimlm.interop.hf import from_hf_config

LLAMA: dict[str, Any] = {  # config.json of meta-llama/Llama-3.1-405B
    "model_type": "llama",
    "vocab_size": 128256,
    "hidden_size": 16384,
    "intermediate_size": 53248,
    "num_hidden_layers": 126,
    "num_attention_heads": 128,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "rope_scaling": {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "tie_word_embeddings": False,
}


def test_llama_405b_is_what_is_read_of_its_config_and_what_transformers_counts() -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    build: Any = AutoModelForCausalLM.from_config
    with torch.device("meta"):
        built = build(AutoConfig.for_model(**LLAMA))
    model = published_model("Llama-3.1-405B")
    assert model.architecture == from_hf_config(LLAMA)
    assert sum(parameter.numel() for parameter in built.parameters()) == model.published_params == 405_853_388_800
    assert model.total_params == model.published_params


def test_laws_and_notes_do_not_use_them() -> None:
    assert not {*published_large()} & {*published_models()}
    assert not {*published_large()} & {*published_near(400_000_000_000)}
    assert all(model.total_params > 100e9 for model in published_large())
