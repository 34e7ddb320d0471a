"""Experts and latents: what goes together, and what is refused with what would work."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig, written
from slimlm.utils.validation import FieldError
from tests.strategies import mixtures

MIXTURE: dict[str, Any] = {"n_experts": 8}
LATENT: dict[str, Any] = {"kv_lora_rank": 16, "positions": "rope"}


def architecture(**choices: Any) -> Architecture:
    return Architecture(**{"d_model": 64, "d_ff": 32, "n_layers": 3} | choices)


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        (
            {"experts_per_token": 4},
            "experts_per_token=4 is not allowed with n_experts=0: only a mixture of experts has it; "
            "experts_per_token=2 would work",
        ),
        (
            {"router": "sigmoid"},
            "router='sigmoid' is not allowed with n_experts=0: only a mixture of experts has it; router='softmax' "
            "would work",
        ),
        (
            {"q_lora_rank": 8},
            "q_lora_rank=8 is not allowed with kv_lora_rank=None: only latent attention has it; q_lora_rank=None "
            "would work",
        ),
        (
            {"n_experts": 1},
            "experts_per_token=2 is not allowed: it must be at most n_experts=1; experts_per_token=1 or n_experts=2 "
            "would work",
        ),
        (
            MIXTURE | {"d_shared": 8},
            "d_shared=8 is not allowed with n_shared_experts=0: only shared experts have it; d_shared=None or "
            "n_shared_experts=1 would work",
        ),
        (
            MIXTURE | {"shared_expert_gate": True},
            "shared_expert_gate=True is not allowed with n_shared_experts=0: only shared experts have it; "
            "shared_expert_gate=False or n_shared_experts=1 would work",
        ),
        (
            MIXTURE | {"d_dense": 8},
            "d_dense=8 is not allowed with n_dense_layers=0: only dense first layers have it; d_dense=None or "
            "n_dense_layers=1 would work",
        ),
        (
            MIXTURE | {"n_dense_layers": 3},
            "n_dense_layers=3 is not allowed: it must be less than n_layers=3; n_dense_layers=2 or n_layers=4 "
            "would work",
        ),
        (
            MIXTURE | {"bias": "all"},
            "bias='all' is not allowed with n_experts=8: experts have no biases; bias='attention' would work",
        ),
        (
            MIXTURE | {"n_expert_groups": 3},
            "n_expert_groups=3 is not allowed: it must divide n_experts=8; n_expert_groups=1 would work",
        ),
        (
            MIXTURE | {"n_expert_groups": 2, "groups_per_token": 3},
            "groups_per_token=3 is not allowed: it must be at most n_expert_groups=2; groups_per_token=2 would work",
        ),
        (
            MIXTURE | {"n_expert_groups": 4, "experts_per_token": 3},
            "experts_per_token=3 is not allowed with n_expert_groups=4 and groups_per_token=1: the groups that a token "
            "may use have 2 experts; experts_per_token=2 or groups_per_token=4 would work",
        ),
        (
            LATENT | {"positions": "learned"},
            "positions='learned' is not allowed with kv_lora_rank=16: latent attention has rotary positions; "
            "positions='rope' or kv_lora_rank=None would work",
        ),
        (
            LATENT | {"n_kv_heads": 2},
            "n_kv_heads=2 is not allowed with kv_lora_rank=16: every head has its own keys and values, projected from "
            "the latent; n_kv_heads=None or kv_lora_rank=None would work",
        ),
        (
            LATENT | {"qk_norm": "head"},
            "qk_norm='head' is not allowed with kv_lora_rank=16: latent attention normalises its latents instead; "
            "qk_norm='none' or kv_lora_rank=None would work",
        ),
        (
            LATENT | {"rotary_share": 0.5},
            "rotary_share=0.5 is not allowed with kv_lora_rank=16: qk_rope_head_dim says which part of a head RoPE "
            "turns; rotary_share=1.0 or kv_lora_rank=None would work",
        ),
        (
            LATENT | {"qk_rope_head_dim": 5},
            "qk_rope_head_dim=5 is not allowed: it must be even, because RoPE turns pairs; qk_rope_head_dim=6 would "
            "work",
        ),
    ],
)
def test_choices_that_exclude_each_other_are_refused_with_what_would_work(
    choices: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(FieldError, match=f"^{re.escape(sentence)}$") as caught:
        architecture(**choices)
    for name, value in caught.value.remedies:
        architecture(**choices | {name: value})


def test_a_request_may_not_ask_for_dense_layers_alone() -> None:
    with pytest.raises(FieldError, match=r"^n_dense_layers=2 is not allowed: it must be less than n_layers=2; "):
        ModelConfig(n_experts=8, n_dense_layers=2, n_layers=2)


def test_the_solver_does_not_choose_heads_for_latent_attention() -> None:
    sentence = "n_heads='auto' is not allowed with kv_lora_rank=16: with latent attention the solver does not choose"
    with pytest.raises(FieldError, match=f"^{sentence} the heads; n_heads=8 or kv_lora_rank=None would work$"):
        ModelConfig(n_heads="auto", **LATENT)


def test_widths_that_are_left_open_have_their_value() -> None:
    open_widths = architecture(n_experts=8, n_shared_experts=2, n_dense_layers=1, **LATENT)
    given_widths = replace(open_widths, d_shared=32, d_dense=256, v_head_dim=8)
    assert open_widths == given_widths
    assert hash(open_widths) == hash(given_widths)
    assert (open_widths.shared_width, open_widths.dense_width, open_widths.query_width) == (64, 256, 8 + 64)


@given(mixtures())
def test_a_record_gives_the_architecture_back(arch: Architecture) -> None:
    assert Architecture(**written(arch.concrete())) == arch


def test_a_dense_model_has_no_new_fields_in_its_record() -> None:
    assert not written(architecture().concrete()).keys() & {"n_experts", "router", "kv_lora_rank", "v_head_dim"}
