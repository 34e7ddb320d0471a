"""What configs of mixtures and latents are read as, beside the counts that transformers judges."""

from typing import Any

import pytest

from slimlm.interop.hf import from_hf_config, unmodelled

QWEN3_30B: dict[str, Any] = {
    "model_type": "qwen3_moe",
    "hidden_size": 2048,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "moe_intermediate_size": 768,
    "norm_topk_prob": True,
}


@pytest.mark.parametrize(
    ("config", "phrase"),
    [
        ({"model_type": "deepseek_v3"}, "a bias on the choice of experts, which balances them in training and is no "),
        ({"model_type": "deepseek_v2"}, "one expert per token, as none is said (num_experts_per_tok=null)"),
        ({"model_type": "minicpm3"}, "norms of the latents with an epsilon of 1e-06"),
    ],
)
def test_what_an_architecture_does_not_describe_is_told(config: dict[str, Any], phrase: str) -> None:
    (found,) = unmodelled(config)
    assert found.startswith(phrase)


def test_mixtral_normalises_its_router() -> None:
    found = from_hf_config({"model_type": "mixtral"})
    assert (found.n_experts, found.experts_per_token, found.d_ff, found.normalise_router) == (8, 2, 14_336, True)
    assert (found.router, found.n_dense_layers, found.window, found.rope_theta) == ("softmax", 0, None, 1e6)


def test_qwen_says_whether_it_normalises() -> None:
    assert from_hf_config(QWEN3_30B).normalise_router
    assert not from_hf_config({"model_type": "qwen3_moe"}).normalise_router


def test_qwen_has_one_gated_shared_expert() -> None:
    found = from_hf_config({"model_type": "qwen2_moe"})
    assert (found.n_shared_experts, found.d_shared, found.shared_expert_gate, found.d_ff) == (1, 5632, True, 1408)


def test_dense_layers_of_a_qwen_are_the_first_ones() -> None:
    found = from_hf_config(QWEN3_30B | {"mlp_only_layers": [1, 0], "intermediate_size": 99})
    assert (found.n_dense_layers, found.d_dense) == (2, 99)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "qwen3_moe", "num_experts": 0},
        {"model_type": "qwen3_moe", "decoder_sparse_step": 99},
        {"model_type": "qwen2_moe", "mlp_only_layers": list(range(24))},
        {"model_type": "deepseek_v3", "num_hidden_layers": 3},
    ],
)
def test_a_model_in_which_no_layer_has_experts_is_dense(config: dict[str, Any]) -> None:
    found = from_hf_config(config)
    assert not found.is_mixture
    assert found.d_ff in (5632, 6144, 18_432)


def test_deepseek_v3_routes_by_sigmoids_in_groups() -> None:
    found = from_hf_config({"model_type": "deepseek_v3"})
    assert (found.router, found.n_expert_groups, found.groups_per_token, found.routed_scale) == ("sigmoid", 8, 4, 2.5)
    assert (found.kv_lora_rank, found.q_lora_rank, found.head_dim, found.v_head_dim) == (512, 1536, 128, 128)
    assert (found.n_dense_layers, found.d_dense, found.n_shared_experts) == (3, 18_432, 1)


def test_deepseek_v2_has_groups_where_it_says_so() -> None:
    config = {"model_type": "deepseek_v2", "n_group": 8, "topk_group": 3, "num_experts_per_tok": 6}
    assert from_hf_config(config).n_expert_groups == 1
    grouped = from_hf_config(config | {"topk_method": "group_limited_greedy"})
    assert (grouped.n_expert_groups, grouped.groups_per_token, grouped.normalise_router) == (8, 3, False)


def test_minicpm3_scales_what_its_keys_say() -> None:
    found = from_hf_config({"model_type": "minicpm3"})
    assert (found.embedding_scale, found.logit_scale) == (12.0, 0.1)
    assert found.residual_scale == pytest.approx(1.4 / 62**0.5)
    assert (found.v_head_dim, found.head_dim, found.qk_rope_head_dim) == (64, 64, 32)
