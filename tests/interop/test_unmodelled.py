"""What a Hugging Face config has besides its architecture is told in short phrases."""

from typing import Any

import pytest

from slimlm.interop.hf import unmodelled
from tests.hf_judge import real_configs

GEMMA = ("RMSNorm that multiplies by 1 + its weight", "embeddings multiplied by √d_model")

PUBLISHED: dict[str, tuple[str, ...]] = {
    "gpt2": (),
    "gpt-neo-125m": (
        "attention scores not divided by √head_dim",
        "local attention in some layers (window_size=256)",
    ),
    "pythia-70m": ("rotary positions on a part of each head (rotary_pct=0.25)",),
    "opt-125m": (),
    "bloom-560m": (),
    "falcon-7b": (),
    "mpt-7b": (),
    "phi-1": ("rotary positions on a part of each head (partial_rotary_factor=0.5)",),
    "Llama-2-7b": (),
    "Llama-3.2-1B": ('rescaled rotary positions (rope_type="llama3")',),
    "Mistral-7B-v0.1": ("sliding-window attention (sliding_window=4096)",),
    "Qwen2.5-0.5B": (),
    "Qwen3-0.6B": (),
    "gemma-2b": GEMMA,
    "gemma-2-2b": (
        *GEMMA,
        "soft-capped attention scores (attn_logit_softcapping=50.0)",
        "soft-capped logits (final_logit_softcapping=30.0)",
        "sliding-window attention in some layers (sliding_window=4096)",
    ),
    "gemma-3-270m": (
        *GEMMA,
        "another rotary base in layers with sliding-window attention",
        "sliding-window attention in some layers (sliding_window=512)",
    ),
    "OLMo-2-0425-1B": (),
    "stablelm-2-1_6b": ("rotary positions on a part of each head (partial_rotary_factor=0.25)",),
    "SmolLM3-3B": ("9 of 36 layers without rotary positions",),
    "granite-3.0-2b-base": (
        "scaled logits (logits_scaling=8.0)",
        "scaled embeddings (embedding_multiplier=12.0)",
        "scaled outputs of attention and feed-forward (residual_multiplier=0.22)",
        "attention scores with a scale of their own (attention_multiplier=0.015625)",
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_model_has_these_things_besides(name: str) -> None:
    assert unmodelled(real_configs()[name][0]) == PUBLISHED[name]


@pytest.mark.parametrize(
    ("config", "phrase"),
    [
        ({"model_type": "gpt2", "scale_attn_weights": False}, "attention scores not divided by √head_dim"),
        (
            {"model_type": "gpt2", "scale_attn_by_inverse_layer_idx": True},
            "attention scores divided by the number of the layer",
        ),
        ({"model_type": "opt", "layerdrop": 0.1}, "whole layers dropped in training"),
        (
            {"model_type": "bloom", "apply_residual_connection_post_layernorm": True},
            "residual sums that start from the normalised input",
        ),
        ({"model_type": "mpt", "attn_config": {"clip_qkv": 6.0}}, "clipped queries, keys and values"),
        ({"model_type": "mpt", "attn_config": {"softmax_scale": 0.1}}, "attention scores with a scale of their own"),
        ({"model_type": "mpt", "logit_scale": "inv_sqrt_d_model"}, "scaled logits"),
        ({"model_type": "olmo", "clip_qkv": 8.0}, "clipped queries, keys and values"),
        ({"model_type": "gemma2", "query_pre_attn_scalar": 144}, "attention scores with a scale of their own"),
        ({"model_type": "qwen2", "use_sliding_window": True}, "sliding-window attention in some layers"),
        ({"model_type": "phi3", "rope_parameters": {"partial_rotary_factor": 0.75}}, "rotary positions on a part"),
        ({"model_type": "llama", "rope_scaling": {"type": "linear", "factor": 2.0}}, "rescaled rotary positions"),
        ({"model_type": "llama", "hidden_act": "quick_gelu"}, "GELU by an approximation"),
        ({"model_type": "gpt2", "activation_function": "gelu_10"}, "GELU clipped at ±10"),
        ({"model_type": "gpt_neo", "window_size": 64}, "local attention in some layers (window_size=64)"),
        ({"model_type": "smollm3", "no_rope_layers": [1, 0] + [1] * 34}, "1 of 36 layers without rotary positions"),
        ({"model_type": "llama", "architectures": ["LlamaForSequenceClassification"]}, "another class than Llama"),
        ({"model_type": "llama", "architectures": "LlamaModel"}, "another class than LlamaForCausalLM"),
    ],
)
def test_a_key_is_told_of_when_it_is_set(config: dict[str, Any], phrase: str) -> None:
    plain = unmodelled({"model_type": config["model_type"]})
    (found,) = set(unmodelled(config)) - set(plain)
    assert found.startswith(phrase)


@pytest.mark.parametrize(
    ("config", "phrase"),
    [
        ({"model_type": "gpt_neo", "attention_types": [[["global"], 24]]}, "local attention"),
        ({"model_type": "gpt_neox", "rotary_pct": 1.0}, "rotary positions on a part"),
        ({"model_type": "gpt_neox", "rope_parameters": {"partial_rotary_factor": 1.0}}, "rotary positions on a part"),
        ({"model_type": "gemma2", "final_logit_softcapping": None}, "soft-capped logits"),
        ({"model_type": "gemma2", "layer_types": ["full_attention"] * 26}, "sliding-window attention"),
        ({"model_type": "mistral", "sliding_window": None}, "sliding-window attention"),
        ({"model_type": "smollm3", "no_rope_layers": [1] * 36}, "36 of 36"),
        ({"model_type": "smollm3", "no_rope_layer_interval": 99}, "0 of 36"),
        ({"model_type": "granite", "attention_multiplier": 0.08838834764831845}, "attention scores"),
        *(({"model_type": "gpt2", "activation_function": name}, "GELU") for name in ("gelu", "gelu_new", "gelu_fast")),
    ],
)
def test_a_key_is_not_told_of_when_it_means_nothing_special(config: dict[str, Any], phrase: str) -> None:
    assert not any(found.startswith(phrase) for found in unmodelled(config))


def test_one_local_layer_among_many_is_told_of() -> None:
    layers = [[["global"] * 40 + ["local"], 1]]
    assert "local attention in some layers (window_size=256)" in unmodelled(
        {"model_type": "gpt_neo", "attention_types": layers, "num_layers": 41}
    )
