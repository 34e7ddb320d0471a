"""What is wrong with a Hugging Face config is said in one sentence."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.activations import ACT2FN

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.interop.hf import FAMILIES, from_hf_config, unmodelled

NAN = float("nan")


def refused(config: Any) -> str:
    """Return the one sentence that refuses a config, by both ways of reading it."""
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        from_hf_config(config)
    with pytest.raises(ValueError) as again:
        unmodelled(config)
    assert str(again.value) == str(caught.value)
    return str(caught.value)


OPT_350M = {"do_layer_norm_before": False, "hidden_size": 1024, "num_attention_heads": 16, "word_embed_proj_dim": 512}

SENTENCES: list[tuple[dict[str, Any], str]] = [
    # Values outside their limits, in the words of the config.
    (
        {"model_type": "llama", "hidden_size": -1},
        "hidden_size=-1 is not allowed: it must be a whole number between 1 and 1,000,000,000,000,000; "
        "hidden_size=64 would work",
    ),
    (
        {"model_type": "gpt2", "n_layer": 0},
        "n_layer=0 is not allowed: it must be a whole number between 1 and 1,000,000,000,000,000; n_layer=1 would work",
    ),
    (
        {"model_type": "gpt2", "num_attention_heads": 5000},
        "num_attention_heads=5000 is not allowed: it must be a whole number between 1 and 1,024; "
        "num_attention_heads=12 would work",
    ),
    (
        {"model_type": "mpt", "attn_config": {"attn_pdrop": 2}},
        "attn_config.attn_pdrop=2 is not allowed: it must be a number between 0 and 0.99; "
        "attn_config.attn_pdrop=0.99 would work",
    ),
    (
        {"model_type": "llama", "rms_norm_eps": NAN},
        "rms_norm_eps=nan is not allowed: it must be a number between 1e-12 and 0.1; rms_norm_eps=1e-06 would work",
    ),
    (
        {"model_type": "llama", "rope_parameters": {"rope_theta": 0}},
        "rope_theta=0 is not allowed: it must be a number between 1 and 1e+12; rope_theta=1.0 would work",
    ),
    (
        {"model_type": "llama", "vocab_size": 10**5000},
        "vocab_size=(a number of thousands of digits) is not allowed: it must be a whole number between 2 and "
        "100,000,000; vocab_size=100000000 would work",
    ),
    # Values of another kind.
    (
        {"model_type": "llama", "hidden_size": "4096"},
        'hidden_size="4096" is not allowed: it must be a whole number such as 4096',
    ),
    (
        {"model_type": "llama", "num_hidden_layers": NAN},
        "num_hidden_layers=NaN is not allowed: it must be a whole number such as 32",
    ),
    (
        {"model_type": "bloom", "n_layer": [2]},
        "n_layer=[2] is not allowed: it must be a whole number such as 2",
    ),
    (
        {"model_type": "gpt2", "n_inner": True},
        "n_inner=true is not allowed: it must be a whole number or null",
    ),
    (
        {"model_type": "qwen2", "num_key_value_heads": 2.0},
        "num_key_value_heads=2.0 is not allowed: it must be a whole number such as 32 or null",
    ),
    (
        {"model_type": "llama", "tie_word_embeddings": "yes"},
        'tie_word_embeddings="yes" is not allowed: it must be true or false',
    ),
    (
        {"model_type": "llama", "mlp_bias": 1},
        "mlp_bias=1 is not allowed: it must be true or false",
    ),
    (
        {"model_type": "llama", "rope_scaling": 2.0},
        'rope_scaling=2.0 is not allowed: it must be an object such as {"rope_theta": 10000.0} or null',
    ),
    (
        {"model_type": "gemma3_text", "rope_parameters": {"full_attention": [1]}},
        'rope_parameters=[1] is not allowed: it must be an object such as {"rope_theta": 10000.0} or null',
    ),
    (
        {"model_type": "mpt", "attn_config": "triton"},
        'attn_config="triton" is not allowed: it must be an object or null',
    ),
    # Values that exclude each other.
    (
        {"model_type": "llama", "hidden_size": 100, "num_attention_heads": 12},
        "hidden_size=100 is not allowed: it must be a multiple of 2·num_attention_heads=24 (RoPE turns pairs); "
        "hidden_size=96 or hidden_size=120 would work",
    ),
    (
        {"model_type": "mistral", "num_key_value_heads": 3},
        "num_key_value_heads=3 is not allowed: it must divide num_attention_heads=32; num_key_value_heads=2 or "
        "num_key_value_heads=4 would work",
    ),
    (
        {"model_type": "qwen3", "head_dim": 33},
        "head_dim=33 is not allowed: it must be even, because RoPE turns pairs; head_dim=34 would work",
    ),
    (
        {"model_type": "gpt2", "n_embd": 768, "hidden_size": 1024},
        "n_embd=768 and hidden_size=1024 contradict each other: they are two names of one key; keep one of them",
    ),
    # Structures that no architecture describes.
    (
        {"model_type": "opt", **OPT_350M},
        "do_layer_norm_before=false is not supported: slimlm has no blocks that normalise after the residual sum; "
        "with do_layer_norm_before=true, word_embed_proj_dim=512 is not supported: slimlm's embeddings have the width "
        "of its blocks; word_embed_proj_dim=1024, as hidden_size, or null would work",
    ),
    (
        {"model_type": "opt", **OPT_350M, "do_layer_norm_before": True},
        "word_embed_proj_dim=512 is not supported: slimlm's embeddings have the width of its blocks; "
        "word_embed_proj_dim=1024, as hidden_size, or null would work",
    ),
    (
        {"model_type": "opt", "_remove_final_layer_norm": True},
        "_remove_final_layer_norm=true is not supported: all of slimlm's architectures end in a norm; "
        "_remove_final_layer_norm=false would work",
    ),
    (
        {"model_type": "stablelm", "qk_layernorm": True},
        "qk_layernorm=true is not supported: slimlm has no norm with weights of its own for every head; "
        "qk_layernorm=false would work",
    ),
    (
        {"model_type": "mpt", "no_bias": False},
        "no_bias=false is not supported: transformers builds the same MPT whatever this key says; "
        "no_bias=true would work",
    ),
    (
        {"model_type": "mpt", "expansion_ratio": 2},
        "expansion_ratio=2 is not supported: transformers builds the same MPT whatever this key says; "
        "expansion_ratio=4 would work",
    ),
    (
        {"model_type": "mpt", "attn_config": {"qk_ln": True}},
        "attn_config.qk_ln=true is not supported: transformers builds the same MPT whatever this key says; "
        "attn_config.qk_ln=false would work",
    ),
    (
        {"model_type": "mpt", "norm_type": "rmsnorm"},
        'norm_type="rmsnorm" is not supported: transformers builds the same MPT whatever this key says; '
        'norm_type="low_precision_layernorm" or norm_type="layernorm" would work',
    ),
    (
        {"model_type": "starcoder2", "norm_type": "rms_norm"},
        'norm_type="rms_norm" is not supported: transformers builds StarCoder2 with LayerNorm whatever this key says; '
        'norm_type="layer_norm" would work',
    ),
    (
        {"model_type": "falcon", "new_decoder_architecture": True, "parallel_attn": False},
        "parallel_attn=false is not supported: transformers runs no such block with new_decoder_architecture=true; "
        "parallel_attn=true would work",
    ),
    (
        {"model_type": "falcon", "num_ln_in_parallel_attn": 2},
        "num_ln_in_parallel_attn=2 is not supported: transformers runs no such block; "
        "num_ln_in_parallel_attn=1 or null would work",
    ),
    (
        {"model_type": "llama", "hidden_act": "relu"},
        'hidden_act="relu" is not supported: a gated feed-forward has silu, swish or a kind of gelu; '
        'hidden_act="silu" would work',
    ),
    (
        {"model_type": "gpt2", "activation_function": "silu"},
        'activation_function="silu" is not supported: a feed-forward without a gate has relu, relu2 or a kind of gelu; '
        'activation_function="gelu_new" would work',
    ),
    # Models of another kind.
    (
        {"model_type": "gpt_oss", "num_local_experts": 32},
        'model_type="gpt_oss" is not supported: it is a mixture of experts, and the Inspect page and the command '
        "inspect count it",
    ),
    (
        {"model_type": "qwen3_moe", "decoder_sparse_step": 2},
        "decoder_sparse_step=2 is not supported: slimlm's dense layers are the first ones; decoder_sparse_step=1 would "
        "work",
    ),
    (
        {"model_type": "qwen2_moe", "mlp_only_layers": [1]},
        "mlp_only_layers=[1] is not supported: slimlm's dense layers are the first ones; mlp_only_layers=[] would work",
    ),
    (
        {"model_type": "qwen2_moe", "mlp_only_layers": "all"},
        'mlp_only_layers="all" is not allowed: it must be a list of whole numbers or null',
    ),
    (
        {"model_type": "qwen3_moe", "decoder_sparse_step": None},
        "decoder_sparse_step=null is not allowed: it must be a whole number of at least 1",
    ),
    (
        {"model_type": "qwen3_moe", "use_sliding_window": True},
        "use_sliding_window=true is not supported: slimlm reads no windows of this type; use_sliding_window=false "
        "would work",
    ),
    (
        {"model_type": "mixtral", "num_experts_per_tok": 9},
        "num_experts_per_tok=9 is not allowed: it must be at most num_local_experts=8; num_experts_per_tok=8 or "
        "num_local_experts=9 would work",
    ),
    (
        {"model_type": "deepseek_v3", "n_group": 7},
        "n_group=7 is not allowed: it must divide n_routed_experts=256; n_group=8 would work",
    ),
    (
        {"model_type": "deepseek_v2", "mlp_bias": True},
        "mlp_bias=true is not supported: slimlm's experts have no biases; mlp_bias=false would work",
    ),
    (
        {"model_type": "minicpm3", "scale_depth": "deep"},
        'scale_depth="deep" is not allowed: it must be a number above 0, or null',
    ),
    (
        {"model_type": "gemma3", "text_config": [{"model_type": "gemma3_text"}]},
        'text_config=[{"model_type": "gemma3_text"}] is not supported: it means a model of several kinds of input, and '
        "is no object with the config of its language model",
    ),
    (
        {"model_type": "t5", "is_encoder_decoder": True},
        "is_encoder_decoder=true is not supported: it means an encoder beside the decoder; slimlm describes decoders "
        "alone",
    ),
    (
        {"model_type": "gpt2", "add_cross_attention": True},
        "add_cross_attention=true is not supported: it means attention to an encoder; slimlm describes decoders alone",
    ),
    (
        {"model_type": "gemma3_text", "use_bidirectional_attention": True},
        "use_bidirectional_attention=true is not supported: it means attention to later tokens; slimlm describes "
        "causal decoders",
    ),
    (
        {"model_type": "gpt2", "pruned_heads": {"0": [1]}},
        'pruned_heads={"0": [1]} is not supported: it means layers with different numbers of heads; all of slimlm\'s '
        "layers are alike",
    ),
]


@pytest.mark.parametrize(("config", "sentence"), SENTENCES)
def test_a_config_that_cannot_be_read_is_refused_in_one_sentence(config: dict[str, Any], sentence: str) -> None:
    assert refused(config) == sentence


@pytest.mark.parametrize(
    ("config", "found", "alike"),
    [
        ({}, "model_type is missing", ["gpt2", "llama", "qwen3"]),
        ({"architectures": ["BertModel", 3]}, "model_type is missing", ["gpt2", "llama", "qwen3"]),
        ({"architectures": "LlamaForCausalLM"}, "model_type is missing", ["gpt2", "llama", "qwen3"]),
        ({"model_type": "mistrall"}, 'model_type="mistrall" is not supported', ["mistral", "ministral"]),
        (
            {"model_type": "qwen33", "architectures": ["LlamaForCausalLM"]},
            'model_type="qwen33" is not supported',
            ["qwen3", "qwen2"],
        ),
        ({"model_type": ["llama"]}, 'model_type=["llama"] is not supported', ["llama"]),
    ],
)
def test_an_unknown_type_is_answered_with_known_ones(config: dict[str, Any], found: str, alike: list[str]) -> None:
    said, _, types = refused(config).partition(": slimlm reads ")
    assert said == found
    first, _, more = types.partition(" and ")
    assert set(alike) <= set(first.split(", ")) <= FAMILIES.keys()
    assert more == f"{len(FAMILIES) - len(first.split(', '))} more"


def test_activations_of_other_kinds_are_refused() -> None:
    for name in (name for name in ACT2FN if "gelu" not in name):
        if name not in ("silu", "swish"):
            assert refused({"model_type": "llama", "hidden_act": name}).startswith(f'hidden_act="{name}" is not')
        if name not in ("relu", "relu2"):
            assert refused({"model_type": "phi", "hidden_act": name}).startswith(f'hidden_act="{name}" is not')


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(1, 9)
    | st.floats()
    | st.text(max_size=9)
    | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@pytest.mark.parametrize("model_type", sorted(FAMILIES))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_a_key_holds_the_answer_is_an_architecture_or_a_sentence(model_type: str, data: st.DataObject) -> None:
    family = FAMILIES[model_type]
    others = [name for names in family.keys.values() for name in names.split()]
    keys = sorted({*family.defaults, *others, "architectures", "rope_parameters", "rope_scaling", "attn_config"})
    config = {"model_type": model_type} | data.draw(st.dictionaries(st.sampled_from(keys), VALUES, max_size=3))
    try:
        found = from_hf_config(config)
    except ValueError as error:
        assert refused(config) == str(error)
        assert any(key.rpartition(".")[2] in str(error) for key in (*config, "rope_theta"))
    else:
        assert isinstance(found, Architecture)
        assert account(found).total_params > 0
        assert all("\n" not in phrase and len(phrase) < 200 for phrase in unmodelled(config))
