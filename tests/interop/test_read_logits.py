"""What is read of a config computes what transformers computes: the same logits with the same weights."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from slimlm.interop.hf import FAMILIES, from_hf_config, unmodelled
from slimlm.model.language_model import LanguageModel
from tests.hf_judge import TEXT_PARTS, load
from tests.hf_weights_in import our_weights

TOKENS = 11
DEFAULT_ROPE = {"rope_type": "default", "rope_theta": 10_000.0}
SIZES = {"hidden_size": 32, "intermediate_size": 44, "num_hidden_layers": 3, "num_attention_heads": 4}
REST = {"vocab_size": 61, "max_position_embeddings": 16, "pad_token_id": None, "bos_token_id": 1, "eos_token_id": 2}
GROUPED = {**SIZES, **REST, "num_key_value_heads": 2}
WIDE = GROUPED | {"head_dim": 12}
GPT = {"n_embd": 32, "n_inner": 44, "n_layer": 3, "n_head": 4, "n_positions": 16} | {
    key: REST[key] for key in ("vocab_size", "bos_token_id", "eos_token_id")
}

CONFIGS: dict[str, list[dict[str, Any]]] = {
    "gpt2": [GPT, GPT | {"scale_attn_weights": False, "activation_function": "relu"}],
    "gpt_neo": [
        SIZES
        | {key: REST[key] for key in ("vocab_size", "max_position_embeddings", "bos_token_id", "eos_token_id")}
        | {"num_layers": 3, "num_heads": 4, "attention_types": [[["local", "local", "global"], 1]], "window_size": 4}
    ],
    "gpt_neox": [SIZES | REST, SIZES | REST | {"rotary_pct": 0.5, "use_parallel_residual": False}],
    "opt": [SIZES | REST | {"ffn_dim": 44, "word_embed_proj_dim": 32}],
    "bloom": [{"hidden_size": 32, "n_layer": 3, "n_head": 4} | REST],
    "falcon": [
        SIZES | REST | {"ffn_hidden_size": 44, **more}
        for more in ({}, {"bias": True, "parallel_attn": False}, {"new_decoder_architecture": True, "num_kv_heads": 2})
    ],
    "mpt": [{"d_model": 32, "n_layers": 3, "n_heads": 4, "vocab_size": 61, "attn_config": {"softmax_scale": 0.3}}],
    "phi": [GROUPED, GROUPED | {"partial_rotary_factor": 1.0}],
    "starcoder2": [GROUPED | {"sliding_window": 4}],
    "llama": [WIDE],
    "mistral": [WIDE | {"sliding_window": 4}, WIDE | {"sliding_window": None}],
    "qwen2": [WIDE, WIDE | {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}],
    "qwen3": [WIDE | {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 0}],
    "gemma": [WIDE, WIDE | {"hidden_act": "gelu"}],
    "gemma2": [WIDE | {"sliding_window": 4, "query_pre_attn_scalar": 7, "attn_logit_softcapping": 2.0}],
    "gemma3_text": [
        WIDE
        | {"sliding_window": 4, "sliding_window_pattern": 2, "rope_local_base_freq": 10.0}
        | {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}
    ],
    "olmo": [WIDE],
    "olmo2": [WIDE],
    "phi3": [GROUPED | {"sliding_window": 4}],
    "stablelm": [GROUPED, GROUPED | {"use_parallel_residual": True, "use_qkv_bias": True}],
    "smollm3": [WIDE | {"no_rope_layer_interval": 2}, WIDE | {"no_rope_layers": [0, 0, 0]}],
    "granite": [
        WIDE
        | {
            "embedding_multiplier": 12.0,
            "residual_multiplier": 0.22,
            "attention_multiplier": 0.3,
            "logits_scaling": 8.0,
        }
    ],
    "ernie4_5": [WIDE, WIDE | {"use_bias": True}],
    "helium": [GROUPED | {"head_dim": 8}],
    "ministral": [WIDE | {"sliding_window": 4}],
    "ministral3": [
        WIDE
        | {"rope_parameters": DEFAULT_ROPE | {"llama_4_scaling_beta": 0.0, "original_max_position_embeddings": 16}}
        | {"sliding_window": 4}
    ],
    "cwm": [WIDE | {"sliding_window": 4, "rope_parameters": DEFAULT_ROPE}],
    "internlm3": [WIDE, WIDE | {"attention_bias": True, "mlp_bias": True}],
    "iquestcoder": [WIDE | {"attention_bias": True}],
    "mobilellm": [WIDE | {"share_embedding": True}],
    "mimo": [WIDE],
    "hunyuan_v1_dense": [WIDE],
    "seed_oss": [WIDE, WIDE | {"attention_out_bias": True}],
    "glm": [WIDE, WIDE | {"partial_rotary_factor": 1.0}],
    "glm4": [WIDE],
    "hyperclovax": [
        WIDE | {"logits_scaling": 0.5, "attention_multiplier": 0.4, "use_post_norm": on} for on in (False, True)
    ],
    "olmo3": [WIDE | {"sliding_window": 4}],
    "exaone4": [WIDE | {"sliding_window": 4, "sliding_window_pattern": 2}],
    "vaultgemma": [WIDE | {"sliding_window": 4}],
    "cohere": [GROUPED | {"logit_scale": 0.25}],
    "cohere2": [
        GROUPED | {"sliding_window": 4, "sliding_window_pattern": 2},
    ],
    "gptj": [GPT | {"rotary_dim": 4}, GPT | {"rotary_dim": 8}],
    "codegen": [GPT | {"rotary_dim": 4}],
    "gpt_bigcode": [GPT, GPT | {"multi_query": False}],
    "gpt-sw3": [GPT],
    "biogpt": [SIZES | REST, SIZES | REST | {"scale_embedding": False}],
    "arcee": [WIDE],
    "nemotron": [WIDE],
    "jais2": [WIDE],
    "persimmon": [SIZES | REST, SIZES | REST | {"qk_layernorm": False}],
}
"""Model type → tiny configs in which every part of its design matters."""

OTHER = {
    "xglm": "its fixed sines are no choice of slimlm's",
    "ctrl": "its fixed sines are no choice of slimlm's",
    "nanochat": "its RMSNorm without weights is no choice of slimlm's",
    **dict.fromkeys(TEXT_PARTS, "transformers has no class for it alone"),
}
"""Types of which slimlm counts the parameters, with a remark, and computes other logits, or that have no judge."""


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny matrices are slower, by far, on threads that wait for a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_every_type_is_judged() -> None:
    others = {"n_experts", "kv_lora_rank"}  # see tests/interop/test_read_experts.py
    dense = {name for name in FAMILIES if not from_hf_config({"model_type": name}).changed().keys() & others}
    assert CONFIGS.keys() | OTHER.keys() == dense
    assert all(unmodelled({"model_type": name}) for name in OTHER.keys() - set(TEXT_PARTS))


@pytest.mark.parametrize(
    ("model_type", "config"), [(model_type, config) for model_type, configs in CONFIGS.items() for config in configs]
)
@torch.no_grad()
def test_logits_are_those_of_transformers(model_type: str, config: dict[str, Any]) -> None:
    torch.manual_seed(0)
    read = from_hf_config({"model_type": model_type} | config)
    loaded = load({"model_type": model_type, "attn_implementation": "eager"} | config)
    theirs = AutoModelForCausalLM.from_config(loaded).double().eval()  # type: ignore[no-untyped-call]
    for name, parameter in theirs.named_parameters():
        if not (model_type == "hunyuan_v1_dense" and "_layernorm" in name):  # whose norms come after the rotation
            parameter.normal_(std=0.3)
    ours = LanguageModel(read, dtype=torch.float64).eval()
    ours.load_state_dict(our_weights(model_type, dict(theirs.named_parameters()), read), strict=False)
    given = set(our_weights(model_type, dict(theirs.named_parameters()), read))
    assert given == {name for name, _ in ours.named_parameters()}
    ids = torch.randint(61, (2, TOKENS))
    expected = theirs(ids).logits
    torch.testing.assert_close(ours(ids)[0], expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
