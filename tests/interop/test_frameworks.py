"""Megatron-LM's arguments and litgpt's config: their words, and the model that those words build."""

import re
import shlex
from dataclasses import replace
from typing import Any

import yaml  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture
from slimlm.interop.litgpt import litgpt_config
from slimlm.interop.megatron import megatron_arguments
from tests.strategies import architectures

DEFAULT = Architecture(d_model=216, d_ff=544, n_layers=12)
MODERN = Architecture(
    vocab_size=50_257,
    max_seq_length=2048,
    d_model=576,
    d_ff=1536,
    n_layers=30,
    n_heads=9,
    n_kv_heads=3,
    norm="rmsnorm",
    positions="rope",
    bias="qkv",
    qk_norm="head",
    tied_lm_head=False,
    layer_norm_eps=1e-5,
    rope_theta=500_000.0,
    dropout=0.0,
    attention_dropout=0.0,
)


def arguments_of(text: str) -> dict[str, str]:
    """Read the arguments as a shell does: names and values, the empty string for a flag."""
    first, *words, last = shlex.split(text, comments=True)
    assert (first, last) == ("MODEL_ARGS=(", ")")
    following = [*words[1:], "--"]
    return {
        word: "" if value.startswith("--") else value
        for word, value in zip(words, following, strict=True)
        if word.startswith("--")
    }


def numbers_of(text: str) -> tuple[int, int, int]:
    """Return what the first comment counts: the parameters designed, those of padding, and both."""
    found = re.search(r"parameters: ([\d,]+) designed \+ ([\d,]+) of padding = ([\d,]+)$", text.splitlines()[0])
    assert found
    designed, padding, built = (int(number.replace(",", "")) for number in found.groups())
    return designed, padding, built


def in_words_of(words: dict[str, dict[Any, Any]], arch: Architecture) -> Architecture:
    """Replace choices that a framework does not know."""
    return replace(arch, **{name: known.get(getattr(arch, name), getattr(arch, name)) for name, known in words.items()})


# Megatron-LM

TO_MEGATRON: dict[str, dict[Any, Any]] = {
    "norm": {"layernorm_no_bias": "layernorm", "layernorm_no_params": "rmsnorm"},
    "positions": {"alibi": "none"},
    "ffn": {"geglu": "swiglu", "geglu_tanh": "swiglu", "relu": "gelu", "gelu_tanh": "gelu"},
    "bias": {"attention": "qkv", "ffn": "none", "output_ffn": "all"},
    "qk_norm": {"full": "head"},
    "block": dict.fromkeys(("sandwich_norm", "output_norm", "parallel", "parallel_one_norm"), "pre_norm"),
    "lm_head_bias": {True: False},
    "embedding_norm": {True: False},
    "position_offset": {1: 0, 2: 0, 3: 0},
    "n_loops": {2: 1, 3: 1},
}


def count_megatron(arguments: dict[str, str]) -> int:
    """Count the model of some arguments, module by module of megatron.core's GPTModel on one rank."""
    d, f, heads, k, layers, positions = (
        int(arguments[f"--{name}"])
        for name in (
            "hidden-size",
            "ffn-hidden-size",
            "num-attention-heads",
            "kv-channels",
            "num-layers",
            "max-position-embeddings",
        )
    )
    groups = int(arguments["--num-query-groups"]) if "--group-query-attention" in arguments else heads
    norm = {"LayerNorm": 2, "RMSNorm": 1}[arguments["--normalization"]]
    biased = "--disable-bias-linear" not in arguments
    multiple = int(arguments["--make-vocab-size-divisible-by"])
    rows = -(-(int(arguments["--vocab-size"]) + 1) // multiple) * multiple

    def linear(inputs: int, outputs: int, bias: bool = biased) -> int:
        return inputs * outputs + outputs * bias

    linear_qkv = linear(d, (heads + 2 * groups) * k, biased or "--add-qkv-bias" in arguments)
    qk_layernorm = 2 * norm * k if "--qk-layernorm" in arguments else 0
    linear_fc1 = linear(d, 2 * f if "--swiglu" in arguments else f)
    layer = linear_qkv + qk_layernorm + linear(heads * k, d) + linear_fc1 + linear(f, d) + 2 * norm * d
    table = positions * d if arguments["--position-embedding-type"] == "learned_absolute" else 0
    heads_table = rows * d if "--untie-embeddings-and-output-weights" in arguments else 0
    return rows * d + table + layers * layer + norm * d + heads_table


def test_the_default_design_in_megatron() -> None:
    assert megatron_arguments(DEFAULT) == (
        "# vocabulary: 16,000 tokens padded to 16,000 rows, a multiple of 128; "
        "parameters: 10,047,024 designed + 0 of padding = 10,047,024\n"
        "# NullTokenizer adds the end of document to --vocab-size; a tokenizer of your own takes the place of both\n"
        """MODEL_ARGS=(
    --num-layers 12
    --hidden-size 216
    --ffn-hidden-size 544
    --num-attention-heads 8
    --kv-channels 27
    --max-position-embeddings 512
    --seq-length 512
    --norm-epsilon 1e-06
    --normalization LayerNorm
    --position-embedding-type learned_absolute
    --swiglu
    --disable-bias-linear
    --hidden-dropout 0.1
    --attention-dropout 0.1
    --tokenizer-type NullTokenizer
    --vocab-size 15999
    --make-vocab-size-divisible-by 128
)
"""
    )


def test_a_modern_design_in_megatron() -> None:
    assert megatron_arguments(MODERN) == (
        "# vocabulary: 50,257 tokens padded to 50,304 rows, a multiple of 128; "
        "parameters: 164,132,160 designed + 54,144 of padding = 164,186,304\n"
        "# NullTokenizer adds the end of document to --vocab-size; a tokenizer of your own takes the place of both\n"
        """MODEL_ARGS=(
    --num-layers 30
    --hidden-size 576
    --ffn-hidden-size 1536
    --num-attention-heads 9
    --group-query-attention
    --num-query-groups 3
    --kv-channels 64
    --max-position-embeddings 2048
    --seq-length 2048
    --norm-epsilon 1e-05
    --normalization RMSNorm
    --position-embedding-type rope
    --swiglu
    --disable-bias-linear
    --add-qkv-bias
    --qk-layernorm
    --untie-embeddings-and-output-weights
    --rotary-base 500000
    --hidden-dropout 0.0
    --attention-dropout 0.0
    --tokenizer-type NullTokenizer
    --vocab-size 50256
    --make-vocab-size-divisible-by 128
)
"""
    )


def test_exact_gelu_and_every_bias_in_megatron() -> None:
    arguments = arguments_of(megatron_arguments(replace(DEFAULT, ffn="gelu", bias="all", norm="rmsnorm")))
    assert arguments["--no-bias-gelu-fusion"] == ""
    assert not {"--swiglu", "--disable-bias-linear", "--add-qkv-bias", "--rotary-base"} & arguments.keys()


@given(arch=architectures(), multiple=st.sampled_from([1, 64, 128, 1000]))
@settings(max_examples=100, deadline=None)
def test_megatron_builds_the_design_and_its_padding(arch: Architecture, multiple: int) -> None:
    arch = in_words_of(TO_MEGATRON, arch)
    text = megatron_arguments(arch, make_vocab_size_divisible_by=multiple)
    arguments = arguments_of(text)
    designed, padding, built = numbers_of(text)
    assert designed == count_total(arch)
    assert built == designed + padding == count_megatron(arguments)
    assert (padding == 0) == (arch.vocab_size % multiple == 0)
    assert float(arguments["--norm-epsilon"]) == arch.layer_norm_eps
    assert float(arguments["--hidden-dropout"]) == arch.dropout
    assert float(arguments["--attention-dropout"]) == arch.attention_dropout
    assert int(arguments["--max-position-embeddings"]) == int(arguments["--seq-length"]) == arch.max_seq_length
    assert float(arguments.get("--rotary-base", arch.rope_theta)) == arch.rope_theta
    assert ("--rotary-base" in arguments) == (arch.positions == "rope")


# litgpt

TO_LITGPT: dict[str, dict[Any, Any]] = {
    "norm": {"layernorm_no_bias": "layernorm"},
    "positions": {"alibi": "none", "learned": "none"},
    "ffn": {"relu": "gelu", "relu2": "gelu"},
    "bias": {"attention": "qkv", "ffn": "none", "output_ffn": "all"},
    "embedding_norm": {True: False},
    "position_offset": {1: 0, 2: 0, 3: 0},
    "n_loops": {2: 1, 3: 1},
}


def count_litgpt(config: dict[str, Any], tie_embeddings: bool) -> int:
    """Count the model of a config, module by module of litgpt's GPT."""
    d, f, k = config["n_embd"], config["intermediate_size"], config["head_size"]
    heads, groups, rows = config["n_head"], config["n_query_groups"], config["padded_vocab_size"]
    norm = 1 if config["norm_class_name"] == "RMSNorm" else 0 if "OLMo" in config["name"] else 2

    def linear(inputs: int, outputs: int, bias: bool) -> int:
        return inputs * outputs + outputs * bias

    biased = config["bias"]
    attention = linear(d, (heads + 2 * groups) * k, biased or config.get("attn_bias", False))
    attention += linear(heads * k, d, biased)
    if config["norm_qk"]:
        attention += norm * ((heads + groups) * k if config["norm_qk_type"] == "olmo2" else 2 * k)
    inner = linear(d, f, biased) * {"LLaMAMLP": 2, "GemmaMLP": 2, "GptNeoxMLP": 1}[config["mlp_class_name"]]
    norms = [
        config.get("norm_1", True),
        config.get("norm_2", True) and not config.get("shared_attention_norm", False),
        config.get("post_attention_norm", False),
        config.get("post_mlp_norm", False),
    ]
    layer = attention + inner + linear(f, d, biased) + sum(norms) * norm * d
    tables = d if tie_embeddings else 2 * d
    return int(rows * (tables + config["lm_head_bias"]) + config["n_layer"] * layer + norm * d)


def test_a_modern_design_in_litgpt() -> None:
    assert litgpt_config(MODERN) == (
        "# vocabulary: 50,257 tokens padded to 50,688 rows, a multiple of 512; "
        "parameters: 164,132,160 designed + 496,512 of padding = 164,628,672\n"
        """name: slimlm
block_size: 2048
vocab_size: 50257
padding_multiple: 512
padded_vocab_size: 50688
n_layer: 30
n_head: 9
n_query_groups: 3
head_size: 64
n_embd: 576
intermediate_size: 1536
norm_eps: 1.0e-05
lm_head_bias: false
norm_class_name: RMSNorm
rotary_percentage: 1.0
mlp_class_name: LLaMAMLP
bias: false
attn_bias: true
norm_qk: true
norm_qk_type: default
parallel_residual: false
rope_base: 500000
"""
    )


def test_litgpt_comments_on_what_its_config_does_not_hold() -> None:
    first, tied, dropout, *rest = litgpt_config(replace(MODERN, tied_lm_head=True, dropout=0.1)).splitlines()
    assert first.startswith("# vocabulary: ")
    assert tied == "# tied LM head: pretrain with --train.tie_embeddings true, else it has a table of its own"
    assert dropout == "# left out: dropout=0.1 and attention_dropout=0.0"
    assert not any(line.startswith("#") for line in rest)


@given(arch=architectures(), multiple=st.sampled_from([1, 64, 128, 1000]))
@settings(max_examples=100, deadline=None)
def test_litgpt_builds_the_design_and_its_padding(arch: Architecture, multiple: int) -> None:
    arch = in_words_of(TO_LITGPT, arch)
    text = litgpt_config(arch, padding_multiple=multiple)
    config = yaml.safe_load(text)
    designed, padding, built = numbers_of(text)
    assert designed == count_total(arch)
    assert built == designed + padding == count_litgpt(config, tie_embeddings="--train.tie_embeddings true" in text)
    assert config["vocab_size"] == arch.vocab_size
    assert config["padded_vocab_size"] - arch.vocab_size in range(multiple)
    assert config["padded_vocab_size"] % config["padding_multiple"] == 0
    assert config["block_size"] == arch.max_seq_length
    assert config["norm_eps"] == arch.layer_norm_eps
    assert config.get("rope_base", arch.rope_theta) == arch.rope_theta
    assert config["rotary_percentage"] == (arch.positions == "rope")


@given(eps=st.floats(1e-12, 0.1))
@settings(deadline=None)
def test_litgpt_gets_every_epsilon_as_a_number(eps: float) -> None:
    assert yaml.safe_load(litgpt_config(replace(MODERN, layer_norm_eps=eps)))["norm_eps"] == eps
