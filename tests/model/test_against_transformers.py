"""Windows, partial rotation, factors and caps: the logits of transformers' own classes with the same weights."""

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from slimlm.core.architecture import NEWEST_FIELDS, Architecture
from slimlm.interop.hf.tensor_names import TENSORS
from slimlm.model.hf_weights import renamed_weights
from slimlm.model.language_model import LanguageModel

TOKENS = 19
SIZES = {"vocab_size": 61, "d_model": 24, "d_ff": 40, "n_layers": 5, "n_heads": 4, "max_seq_length": 32}
HF_SIZES = {
    **{"vocab_size": 61, "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 5, "num_attention_heads": 4},
    **{"max_position_embeddings": 32, "pad_token_id": None, "bos_token_id": None, "eos_token_id": None},
}
LLAMA = {"positions": "rope", "norm": "rmsnorm", "n_kv_heads": 2, "tied_lm_head": False}
GEMMA = LLAMA | {"ffn": "geglu", "block": "sandwich_norm", "head_dim": 8, "tied_lm_head": True}
LAYERS = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention", "sliding_attention"]
THETA = {"rope_type": "default", "rope_theta": 10_000.0}

CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "mistral": (
        "mistral",
        {"num_key_value_heads": 2, "sliding_window": 5, "tie_word_embeddings": False, "rms_norm_eps": 1e-6},
        LLAMA | {"window": 5, "layer_pattern": "w"},
    ),
    "starcoder2": (
        "starcoder2",
        {"num_key_value_heads": 2, "sliding_window": 5, "hidden_act": "gelu", "norm_epsilon": 1e-6},
        {"positions": "rope", "n_kv_heads": 2, "ffn": "gelu", "bias": "all", "window": 5, "layer_pattern": "w"},
    ),
    "gemma2": (
        "gemma2",
        {
            **{"num_key_value_heads": 2, "head_dim": 8, "hidden_activation": "gelu", "sliding_window": 5},
            **{"query_pre_attn_scalar": 12, "attn_logit_softcapping": 3.0, "final_logit_softcapping": 4.0},
            "layer_types": LAYERS,
        },
        GEMMA
        | {"window": 5, "layer_pattern": "wwf", "embedding_scale": 24**0.5, "attention_scale": 12**-0.5}
        | {"attention_softcap": 3.0, "logit_softcap": 4.0},
    ),
    "gemma3": (
        "gemma3_text",
        {
            **{"num_key_value_heads": 2, "head_dim": 8, "hidden_activation": "gelu", "sliding_window": 5},
            **{"query_pre_attn_scalar": 16, "layer_types": LAYERS},
            "rope_parameters": {"full_attention": THETA | {"rope_theta": 1e6}, "sliding_attention": THETA},
        },
        GEMMA
        | {"qk_norm": "head", "window": 5, "layer_pattern": "wwf", "window_rope_theta": 10_000.0, "rope_theta": 1e6}
        | {"embedding_scale": 24**0.5, "attention_scale": 0.25},
    ),
    "smollm3": (
        "smollm3",
        {
            **{"num_key_value_heads": 2, "no_rope_layers": [1, 1, 0, 1, 1], "tie_word_embeddings": True},
            "rope_parameters": THETA,
        },
        LLAMA | {"layer_pattern": "ffn", "tied_lm_head": True},
    ),
    "gpt_neox": (
        "gpt_neox",
        {"rope_parameters": THETA | {"partial_rotary_factor": 0.34}, "layer_norm_eps": 1e-6, "hidden_act": "gelu"},
        {"positions": "rope", "rotary_share": 0.34, "ffn": "gelu", "bias": "all", "block": "parallel"}
        | {"tied_lm_head": False},
    ),
    "phi": (
        "phi",
        {"rope_parameters": THETA | {"partial_rotary_factor": 0.67}, "layer_norm_eps": 1e-6, "hidden_act": "gelu"},
        {"positions": "rope", "rotary_share": 0.67, "ffn": "gelu", "bias": "all", "block": "parallel_one_norm"}
        | {"tied_lm_head": False, "lm_head_bias": True},
    ),
    "stablelm": (
        "stablelm",
        {
            **{"num_key_value_heads": 2, "layer_norm_eps": 1e-6, "tie_word_embeddings": False},
            "rope_parameters": THETA | {"partial_rotary_factor": 0.34},
        },
        LLAMA | {"norm": "layernorm", "rotary_share": 0.34},
    ),
    "granite": (
        "granite",
        {
            **{"num_key_value_heads": 2, "embedding_multiplier": 12.0, "residual_multiplier": 0.22},
            **{"attention_multiplier": 0.3, "logits_scaling": 8.0, "tie_word_embeddings": True},
        },
        LLAMA
        | {"tied_lm_head": True, "embedding_scale": 12.0, "residual_scale": 0.22, "attention_scale": 0.3}
        | {"logit_scale": 0.125},
    ),
}


def random_model(arch: Architecture) -> LanguageModel:
    """Build a model in double precision with weights large enough for every part to matter."""
    model = LanguageModel(arch, dtype=torch.float64).eval()
    for parameter in model.parameters():
        parameter.normal_(std=0.4)
    return model


def without_newest(arch: Architecture) -> Architecture:
    """Return an architecture without windows, factors and caps."""
    return Architecture(**{name: value for name, value in arch.concrete().items() if name not in NEWEST_FIELDS})


@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_logits_are_those_of_the_class(name: str) -> None:
    torch.manual_seed(0)
    model_type, given, choices = CASES[name]
    arch = Architecture(**SIZES, **choices)  # type: ignore[arg-type]
    model = random_model(arch)
    config = AutoConfig.for_model(model_type, **HF_SIZES, **given, attn_implementation="eager")
    theirs = AutoModelForCausalLM.from_config(config).double().eval()  # type: ignore[no-untyped-call]
    layout = TENSORS.get(model_type, TENSORS["gemma3_text" if model_type.startswith("gemma") else "llama"])
    weights = {name.replace("embed_out", "lm_head"): weight for name, weight in renamed_weights(model, layout).items()}
    missing, unexpected = theirs.load_state_dict(weights, strict=False)
    assert not unexpected
    assert set(missing) <= ({"lm_head.weight"} if arch.tied_lm_head else set())
    ids = torch.randint(arch.vocab_size, (2, TOKENS))
    ours = model(ids)[0]
    torch.testing.assert_close(ours, theirs(ids).logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_the_logits_of_a_class_need_these_choices(name: str) -> None:
    torch.manual_seed(0)
    arch, ids = Architecture(**SIZES, **CASES[name][2]), torch.randint(61, (2, TOKENS))  # type: ignore[arg-type]
    model = random_model(arch)
    plain = LanguageModel(without_newest(arch), dtype=torch.float64).eval()
    plain.load_state_dict(model.state_dict())
    assert not torch.allclose(plain(ids)[0], model(ids)[0], rtol=1e-3, atol=1e-3)
