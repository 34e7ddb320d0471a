"""What a Hugging Face config has besides its architecture is told in short phrases."""

from typing import Any

import pytest

from slimlm.interop.hf import unmodelled
from tests.hf_judge import real_configs

GEMMA = ("RMSNorm that multiplies by 1 + its weight",)

PUBLISHED: dict[str, tuple[str, ...]] = dict.fromkeys(
    (
        *("gpt2", "gpt-neo-125m", "pythia-70m", "opt-125m", "bloom-560m", "falcon-7b", "mpt-7b", "phi-1", "Llama-2-7b"),
        *("Mistral-7B-v0.1", "Qwen2.5-0.5B", "Qwen3-0.6B", "OLMo-2-0425-1B", "stablelm-2-1_6b", "SmolLM3-3B"),
        "granite-3.0-2b-base",
    ),
    (),
) | {
    "Llama-3.2-1B": ('rescaled rotary positions (rope_type="llama3")',),
    "gemma-2b": GEMMA,
    "gemma-2-2b": GEMMA,
    "gemma-3-270m": GEMMA,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_model_has_these_things_besides(name: str) -> None:
    assert unmodelled(real_configs()[name][0]) == PUBLISHED[name]


@pytest.mark.parametrize(
    ("config", "phrase"),
    [
        (
            {"model_type": "gpt2", "scale_attn_by_inverse_layer_idx": True},
            "attention scores divided by the number of the layer",
        ),
        ({"model_type": "falcon", "alibi": True}, "ALiBi's biases divided by √head_dim (alibi=true)"),
        ({"model_type": "opt", "layerdrop": 0.1}, "whole layers dropped in training"),
        (
            {"model_type": "bloom", "apply_residual_connection_post_layernorm": True},
            "residual sums that start from the normalised input",
        ),
        ({"model_type": "mpt", "attn_config": {"clip_qkv": 6.0}}, "clipped queries, keys and values"),
        ({"model_type": "mpt", "logit_scale": "inv_sqrt_d_model"}, "scaled logits"),
        ({"model_type": "gemma3_text", "attn_logit_softcapping": 50.0}, "soft-capped attention scores, which"),
        ({"model_type": "olmo", "clip_qkv": 8.0}, "clipped queries, keys and values"),
        ({"model_type": "llama", "rope_scaling": {"type": "linear", "factor": 2.0}}, "rescaled rotary positions"),
        ({"model_type": "llama", "hidden_act": "quick_gelu"}, "GELU by an approximation"),
        ({"model_type": "gpt2", "activation_function": "gelu_10"}, "GELU clipped at ±10"),
        ({"model_type": "mobilellm", "layer_sharing": True}, "every layer used twice in a row, counted once"),
        ({"model_type": "mimo", "num_nextn_predict_layers": 1}, "layers that predict further tokens, not counted"),
        ({"model_type": "smollm3", "use_sliding_window": True, "sliding_window": 64}, "sliding-window attention in 9 "),
        (
            {
                "model_type": "smollm3",
                "use_sliding_window": True,
                "sliding_window": 64,
                "no_rope_layers": [0] + [1] * 35,
            }
            | {"layer_types": ["sliding_attention"] * 36},
            "sliding-window attention in 1 ",
        ),
        ({"model_type": "llama", "architectures": ["LlamaForSequenceClassification"]}, "another class than Llama"),
        ({"model_type": "llama", "architectures": "LlamaModel"}, "another class than LlamaForCausalLM"),
    ],
)
def test_a_key_is_told_of_when_it_is_set(config: dict[str, Any], phrase: str) -> None:
    plain = unmodelled({"model_type": config["model_type"]})
    (found,) = set(unmodelled(config)) - set(plain)
    assert found.startswith(phrase)


@pytest.mark.parametrize(
    ("model_type", "remarks"),
    [
        (
            "ministral3",
            (
                'rescaled rotary positions (rope_type="yarn")',
                "attention scores that grow from position 16384 on (llama_4_scaling_beta=0.1)",
            ),
        ),
        ("cwm", ('rescaled rotary positions (rope_type="llama3")',)),
        ("hunyuan_v1_dense", ("queries and keys normalised after their rotation, not before",)),
        ("nanochat", ("RMSNorm without weights, taken for LayerNorm without parameters",)),
        ("nemotron", ("LayerNorm that multiplies by 1 + its weight",)),
        ("xglm", ("fixed sines as positions, taken for none",)),
        ("ctrl", ("fixed sines as positions, taken for none",)),
        ("vaultgemma", GEMMA),
    ],
)
def test_what_every_model_of_a_type_has_is_told_of(model_type: str, remarks: tuple[str, ...]) -> None:
    assert unmodelled({"model_type": model_type}) == remarks


@pytest.mark.parametrize(
    ("config", "phrase"),
    [
        ({"model_type": "gpt_neox", "rotary_pct": 1.0}, "rotary positions"),
        ({"model_type": "qwen2_vl_text", "rope_scaling": {"type": "mrope"}}, "rescaled rotary positions"),
        ({"model_type": "gemma2", "final_logit_softcapping": None}, "soft-capped logits"),
        ({"model_type": "mistral", "sliding_window": None}, "sliding-window attention"),
        ({"model_type": "mistral", "sliding_window": -1}, "sliding-window attention"),
        ({"model_type": "smollm3", "no_rope_layer_interval": 99}, "0 of 36"),
        *(({"model_type": "gpt2", "activation_function": name}, "GELU") for name in ("gelu", "gelu_new", "gelu_fast")),
    ],
)
def test_a_key_is_not_told_of_when_it_means_nothing_special(config: dict[str, Any], phrase: str) -> None:
    assert not any(found.startswith(phrase) for found in unmodelled(config))
