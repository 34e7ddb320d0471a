"""Architectures in words: what differs from the default is named, and nothing else."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture, Choices
from slimlm.core.describe import choice_words, expansion_name, heads_phrase, shape_line, structure_words
from tests.models import ARCHITECTURES, REQUESTS
from tests.strategies import architectures

PLAIN = Architecture(d_model=64, d_ff=128, n_layers=2)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("llama", "3 KV heads · RMSNorm · RoPE θ 100,000"),
        ("gpt2", "GELU MLP · biases on every projection"),
        (
            "gemma",
            "1 KV head · head_dim 256 · RMSNorm · RoPE θ 1,000,000 · GeGLU · QK-norm per head · sandwich norm",
        ),
        ("bloom", "ALiBi · GELU MLP · biases on every projection · embedding norm"),
        ("olmo", "LayerNorm without parameters · RoPE"),
    ],
)
def test_known_structures_are_named(name: str, words: str) -> None:
    assert " · ".join(structure_words(ARCHITECTURES[name])) == words
    assert " · ".join(structure_words(REQUESTS[name])) == words


def test_the_default_has_nothing_to_name() -> None:
    assert structure_words(Choices()) == structure_words(PLAIN) == []
    assert choice_words(PLAIN) == ["tied", "512 tokens"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_kv_heads": 1}, ["1 KV head"]),
        ({"head_dim": 16}, ["head_dim 16"]),
        ({"norm": "layernorm_no_bias"}, ["LayerNorm without bias"]),
        ({"positions": "none"}, ["no positions"]),
        ({"positions": "rope", "rope_theta": 500.5}, ["RoPE θ 500.5"]),
        ({"positions": "rope", "rope_theta": 999_999.442}, ["RoPE θ 999,999"]),
        ({"ffn": "relu"}, ["ReLU MLP"]),
        ({"bias": "qkv"}, ["biases on q, k, v"]),
        ({"bias": "attention"}, ["biases in attention"]),
        ({"bias": "ffn"}, ["biases in the feed-forward"]),
        ({"bias": "output_ffn"}, ["biases on o and in the feed-forward"]),
        ({"qk_norm": "full"}, ["QK-norm over all heads"]),
        ({"block": "output_norm"}, ["post-norm on outputs"]),
        ({"block": "parallel"}, ["parallel blocks"]),
        ({"block": "parallel_one_norm"}, ["parallel blocks with one norm"]),
        ({"lm_head_bias": True}, ["LM-head bias"]),
        ({"position_offset": 2}, ["2 more position rows"]),
        ({"window": 512, "layer_pattern": "wwwwwf"}, ["5 of 6 layers attend to 512 tokens"]),
        ({"window": 1, "layer_pattern": "w"}, ["all layers attend to 1 token"]),
        ({"attention_scale": 0.0625}, ["attention scale 0.0625"]),
        ({"attention_softcap": 50.0, "logit_softcap": 30.0}, ["scores capped at 50", "logits capped at 30"]),
        (
            {"embedding_scale": 25.298221281347036, "residual_scale": 0.22, "logit_scale": 0.125},
            ["embeddings × 25.3", "residuals × 0.22", "logits × 0.125"],
        ),
    ],
    ids=str,
)
def test_every_choice_has_words_of_its_own(change: dict[str, Any], words: list[str]) -> None:
    assert structure_words(replace(PLAIN, **change)) == words


def test_rotary_choices_have_words_beside_those_of_rope() -> None:
    change: dict[str, Any] = {"positions": "rope", "window": 8, "layer_pattern": "wwn", "rotary_share": 0.25}
    assert structure_words(replace(PLAIN, **change, window_rope_theta=10_000.0)) == [
        "RoPE",
        "2 of 3 layers attend to 8 tokens",
        "1 of 3 layers without RoPE",
        "RoPE θ 10,000 in windows",
        "RoPE on 25 % of each head",
    ]


def test_heads_for_the_solver_to_choose_are_said_so() -> None:
    assert structure_words(Choices(n_heads="auto")) == ["auto heads"]
    assert structure_words(Choices(n_heads="auto", head_dim=128)) == ["auto heads", "head_dim near 128"]
    assert heads_phrase(Choices(n_heads="auto", n_kv_heads=2)) == "auto heads (2 KV)"


@given(architectures())
def test_words_change_with_every_choice_that_changes_the_account(architecture: Architecture) -> None:
    counted = {field.name for field in fields(Choices)} - {
        "vocab_size",
        "dropout",
        "attention_dropout",
        "layer_norm_eps",
    }
    default = Choices()
    for name in counted - {"n_heads", "n_kv_heads", "head_dim"}:
        value = getattr(default, name)
        if (
            getattr(architecture, name) == value
            or (name == "rope_theta" and architecture.positions != "rope")
            or (name == "positions" and architecture.head_width % 2)
        ):
            continue
        clash: dict[str, Any] = {"position_offset": 0} if name == "positions" else {}
        other = replace(architecture, **clash | {name: value})
        assert choice_words(other) != choice_words(architecture)


def test_counts_of_one_are_singular_and_a_plain_feed_forward_has_no_glu() -> None:
    one = Architecture(d_model=8, d_ff=8, n_layers=1, n_heads=1, ffn="gelu")
    assert shape_line(account(one)).endswith(" · 1 layer × d_model 8 · d_ff 8 · 1 head")
    assert (expansion_name(one), expansion_name(PLAIN)) == ("FFN expansion", "GLU expansion")
