"""What is read of a mixture's config, or of latent attention's, computes what transformers computes."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from slimlm.core.architecture import Architecture
from slimlm.interop.hf import FAMILIES, from_hf_config
from slimlm.model.language_model import LanguageModel
from tests.hf_judge import load
from tests.hf_weights_in import our_weights

TOKENS = 11
SIZES = {"hidden_size": 32, "intermediate_size": 44, "num_hidden_layers": 3, "num_attention_heads": 4}
REST = {"vocab_size": 61, "max_position_embeddings": 16, "pad_token_id": None, "bos_token_id": 1, "eos_token_id": 2}
GROUPED = {**SIZES, **REST, "num_key_value_heads": 2}
LATENT = {**SIZES, **REST, "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 5, "kv_lora_rank": 9} | {
    "rms_norm_eps": 1e-6,
    "num_key_value_heads": 4,
}
DEEPSEEK = (
    LATENT
    | {"n_routed_experts": 8, "num_experts_per_tok": 3, "n_shared_experts": 2}
    | {
        "moe_intermediate_size": 14,
        "first_k_dense_replace": 1,
    }
)

CONFIGS: dict[str, list[dict[str, Any]]] = {
    "mixtral": [GROUPED | {"head_dim": 12}, GROUPED | {"sliding_window": 4, "num_local_experts": 5}],
    "qwen2_moe": [
        GROUPED
        | {"num_experts": 6, "moe_intermediate_size": 14, "shared_expert_intermediate_size": 10}
        | {"norm_topk_prob": normalised, "mlp_only_layers": [0]}
        for normalised in (False, True)
    ],
    "qwen3_moe": [
        GROUPED | {"num_experts": 9, "moe_intermediate_size": 14, "head_dim": 12, "norm_topk_prob": normalised}
        for normalised in (False, True)
    ],
    "olmoe": [GROUPED | {"num_experts": 9, "norm_topk_prob": normalised} for normalised in (False, True)],
    "granitemoe": [
        GROUPED
        | {
            "embedding_multiplier": 12.0,
            "residual_multiplier": 0.22,
            "attention_multiplier": 0.3,
            "logits_scaling": 8.0,
        }
    ],
    "deepseek_v2": [
        DEEPSEEK | {"q_lora_rank": None, "routed_scaling_factor": 2.0},
        DEEPSEEK | {"q_lora_rank": 7, "topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2},
    ],
    "deepseek_v3": [
        DEEPSEEK | {"q_lora_rank": 7, "n_group": 4, "topk_group": 2},
        DEEPSEEK
        | {"q_lora_rank": None, "n_group": 2, "topk_group": 1, "norm_topk_prob": False, "attention_bias": True},
        DEEPSEEK | {"q_lora_rank": 7, "n_group": 1, "topk_group": 1, "rope_interleave": False},
    ],
    "minicpm3": [LATENT | {"q_lora_rank": 7}, LATENT | {"q_lora_rank": None, "scale_depth": None, "mlp_bias": True}],
}

NAMES = {
    r"self_attn\.(q_a|kv_a)_layernorm": r"attention.\1_norm",
    r"self_attn\.(q_a|q_b|kv_b)_proj": r"attention.\1_proj",
    r"self_attn\.kv_a_proj_with_mqa": "attention.kv_a_proj",
    r"mlp\.shared_experts?\.(\w+)": r"ffn.shared_experts.\1",
    r"mlp\.shared_expert_gate": "ffn.shared_expert_gate",
    r"(mlp\.gate|block_sparse_moe\.router)": "ffn.router",
}


def with_experts(model_type: str, theirs: dict[str, Tensor], arch: Architecture, pairs: bool) -> dict[str, Tensor]:
    """Return the weights of a class by the names of slimlm's module, where experts and latents have theirs."""
    found: dict[str, Tensor] = {}
    rest: dict[str, Tensor] = {}
    for name, weight in theirs.items():
        layer = re.fullmatch(r"model\.layers\.(\d+)\.(.*)", name)
        parts = _in_layer(layer[2], weight, arch) if layer else {}
        if layer and parts:
            found |= {f"blocks.{layer[1]}.{ours}": part for ours, part in parts.items()}
        else:
            rest[name] = weight
    found |= our_weights(model_type, rest, arch)
    return {name: _halved(name, weight, arch) if pairs else weight for name, weight in found.items()}


def _in_layer(name: str, weight: Tensor, arch: Architecture) -> dict[str, Tensor]:
    if name.endswith("experts.gate_up_proj"):
        gate, up = torch.split(weight, arch.d_ff, dim=1)
        return {"ffn.experts.gate_proj": gate.contiguous(), "ffn.experts.up_proj": up.contiguous()}
    if name.endswith("experts.down_proj"):
        return {"ffn.experts.down_proj": weight}
    module, _, part = name.rpartition(".")
    return {
        re.sub(f"^{them}$", us, module) + f".{part}": weight for them, us in NAMES.items() if re.fullmatch(them, module)
    }


def _halved(name: str, weight: Tensor, arch: Architecture) -> Tensor:
    """Turn rotated rows of which neighbours are a pair into rows of which the first half pairs with the second."""
    turned = arch.qk_rope_head_dim
    if re.search(r"attention\.(q|q_b)_proj", name):
        heads = weight.reshape(arch.n_heads, -1, *weight.shape[1:])
    elif "kv_a_proj" in name:
        heads = weight[None]
    else:
        return weight
    plain, last = heads[:, :-turned], heads[:, -turned:]
    return torch.cat([plain, last[:, 0::2], last[:, 1::2]], dim=1).reshape(weight.shape)


def test_every_type_is_judged() -> None:
    read = {name for name, family in FAMILIES.items() if {"n_experts", "kv_lora_rank"} & family.keys.keys()}
    assert CONFIGS.keys() == read


@pytest.mark.parametrize(
    ("model_type", "config"), [(model_type, config) for model_type, configs in CONFIGS.items() for config in configs]
)
@torch.no_grad()
def test_logits_are_those_of_transformers(model_type: str, config: dict[str, Any]) -> None:
    torch.manual_seed(0)
    read = from_hf_config({"model_type": model_type} | config)
    loaded = load({"model_type": model_type, "attn_implementation": "eager"} | config)
    loaded._experts_implementation = "eager"  # the grouped product takes no double precision
    theirs = AutoModelForCausalLM.from_config(loaded).double().eval()  # type: ignore[no-untyped-call]
    for parameter in theirs.parameters():
        parameter.normal_(std=0.3)
    ours = LanguageModel(read, dtype=torch.float64).eval()
    pairs = model_type == "deepseek_v2" or (model_type == "deepseek_v3" and config.get("rope_interleave", True))
    given = with_experts(model_type, dict(theirs.named_parameters()), read, pairs)
    ours.load_state_dict(given, strict=False)
    assert given.keys() | ({"lm_head.weight"} if read.tied_lm_head else set()) >= {
        name for name, _ in ours.named_parameters()
    }
    ids = torch.randint(61, (2, TOKENS))
    expected = theirs(ids).logits
    torch.testing.assert_close(ours(ids)[0], expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
