"""Designs that Megatron-LM or litgpt cannot express: what is said, and that what is offered works."""

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from slimlm.core.architecture import Architecture
from slimlm.interop.litgpt import litgpt_config
from slimlm.interop.megatron import megatron_arguments
from tests.interop.test_frameworks import DEFAULT, MODERN
from tests.strategies import architectures

WRITERS: dict[str, Callable[[Architecture], str]] = {"Megatron-LM": megatron_arguments, "litgpt": litgpt_config}


@pytest.mark.parametrize(
    ("framework", "changes", "sentence"),
    [
        (
            "Megatron-LM",
            {"positions": "alibi"},
            "Megatron-LM cannot express positions='alibi' (its positions are rotary, learned or none); "
            "positions='rope' or 'learned' or 'none' would work",
        ),
        (
            "Megatron-LM",
            {"ffn": "geglu", "qk_norm": "full"},
            "Megatron-LM cannot express ffn='geglu' (its feed-forwards are SwiGLU, GELU and ReLU²) and qk_norm='full' "
            "(it can normalise each head's queries and keys); ffn='swiglu' or 'gelu' or 'gelu_tanh' or 'relu2' and "
            "qk_norm='none' or 'head' would work",
        ),
        (
            "Megatron-LM",
            {"ffn": "gelu_tanh"},
            "Megatron-LM cannot express bias='qkv' (its GELU by tanh has biases, and so have all its projections then)"
            "; bias='all' would work",
        ),
        (
            "Megatron-LM",
            {"block": "parallel"},
            "Megatron-LM cannot express block='parallel' (its blocks normalise their inputs); "
            "block='pre_norm' would work",
        ),
        (
            "litgpt",
            {"positions": "learned", "position_offset": 2},
            "litgpt cannot express positions='learned' (its positions are rotary or none) and position_offset=2 (it "
            "has no position table); positions='rope' or 'none' and position_offset=0 would work",
        ),
        (
            "litgpt",
            {"norm": "layernorm_no_bias"},
            "litgpt cannot express norm='layernorm_no_bias' (its norms are LayerNorm, with weight and bias or with "
            "neither, and RMSNorm); norm='layernorm' or 'rmsnorm' or 'layernorm_no_params' would work",
        ),
        (
            "litgpt",
            {"window": 8, "layer_pattern": "wf"},
            "litgpt cannot express layer_pattern='wf' (slimlm does not write it for litgpt) and window=8 (slimlm does "
            "not write it for litgpt); layer_pattern='f' and window=None would work",
        ),
        (
            "Megatron-LM",
            {"rotary_share": 0.0625, "head_dim": 80},
            "Megatron-LM cannot express rotary_share=0.0625 (slimlm does not write it for Megatron-LM); "
            "rotary_share=1.0 would work",
        ),
        *(
            (
                framework,
                {"rope_theta": 10_000.5},
                f"{framework} cannot express rope_theta=10000.5: it must be a whole number there; "
                "rope_theta=10000.0 would work",
            )
            for framework in WRITERS
        ),
    ],
)
def test_a_design_without_words_is_refused(framework: str, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        WRITERS[framework](replace(MODERN, **changes))


def remedies_in(sentence: str) -> dict[str, Any]:
    """Return the first value that a refusal offers for each field."""
    offers = sentence.rpartition("; ")[2]
    return {name: ast.literal_eval(value) for name, value in re.findall(r"(\w+)=('\w+'|\w+)", offers)}


@pytest.mark.parametrize("framework", WRITERS)
@given(arch=architectures())
@settings(max_examples=100, deadline=None)
def test_what_a_refusal_offers_works(framework: str, arch: Architecture) -> None:
    write, even_heads = WRITERS[framework], replace(arch, head_dim=2 * arch.head_width)
    try:
        write(even_heads)
    except ValueError as error:
        write(replace(even_heads, **remedies_in(str(error))))


@pytest.mark.parametrize("multiple", [0, -8, 1.5, "128"])
def test_a_multiple_below_one_is_refused(multiple: Any) -> None:
    rule = f"={multiple!r} is not allowed: it must be a whole number of at least 1; "
    with pytest.raises(ValueError, match=f"^make_vocab_size_divisible_by{rule}make_vocab_size_divisible_by=1 would"):
        megatron_arguments(DEFAULT, make_vocab_size_divisible_by=multiple)
    with pytest.raises(ValueError, match=f"^padding_multiple{rule}padding_multiple=1 would work$"):
        litgpt_config(MODERN, padding_multiple=multiple)
