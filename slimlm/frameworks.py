"""Architectures in the words of training frameworks: Megatron-LM's arguments and litgpt's model config, as text.

Checked against the projects' own sources. NVIDIA/Megatron-LM: megatron/training/arguments.py,
megatron/core/transformer/transformer_config.py, attention.py and mlp.py, megatron/core/models/gpt/gpt_model.py,
megatron/core/fusions/fused_bias_gelu.py, megatron/core/tokenizers/text/libraries/null_tokenizer.py.
Lightning-AI/litgpt: litgpt/config.py, litgpt/model.py, litgpt/pretrain.py.

Both pad the vocabulary, so that the model they build can have more parameters than the design: the texts say how many.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from slimlm.accounting import count_total
from slimlm.architecture import Architecture

Scalar = str | int | float | bool


@dataclass(frozen=True)
class _Choice:
    """What a framework makes of one choice: for each value that it knows, its settings; and why there are no others."""

    values: Mapping[Scalar, Mapping[str, Scalar]]
    rule: str


_FLAG = True
"""The value of an argument that is given by its name alone."""

_MEGATRON = {
    "norm": _Choice(
        {"layernorm": {"--normalization": "LayerNorm"}, "rmsnorm": {"--normalization": "RMSNorm"}},
        "its norms are LayerNorm with weight and bias, and RMSNorm",
    ),
    "positions": _Choice(
        {
            "rope": {"--position-embedding-type": "rope"},
            "learned": {"--position-embedding-type": "learned_absolute"},
            "none": {"--position-embedding-type": "none"},
        },
        "its positions are rotary, learned or none",
    ),
    # With its fusion, Megatron's GELU is the tanh approximation (fused_bias_gelu.py), and needs biases.
    "ffn": _Choice(
        {"swiglu": {"--swiglu": _FLAG}, "gelu": {"--no-bias-gelu-fusion": _FLAG}},
        "its feed-forwards are SwiGLU and GELU",
    ),
    "bias": _Choice(
        {
            "none": {"--disable-bias-linear": _FLAG},
            "qkv": {"--disable-bias-linear": _FLAG, "--add-qkv-bias": _FLAG},
            "all": {},
        },
        "its biases are in no projection, in q, k and v, or in all",
    ),
    "qk_norm": _Choice(
        {"none": {}, "head": {"--qk-layernorm": _FLAG}}, "it can normalise each head's queries and keys"
    ),
    "block": _Choice({"pre_norm": {}}, "its blocks normalise their inputs"),
    "tied_lm_head": _Choice({True: {}, False: {"--untie-embeddings-and-output-weights": _FLAG}}, ""),
    "lm_head_bias": _Choice({False: {}}, "its LM head has no bias"),
    "embedding_norm": _Choice({False: {}}, "it does not normalise embeddings"),
    "position_offset": _Choice({0: {}}, "its position table starts at the first token"),
}


def megatron_arguments(architecture: Architecture, *, make_vocab_size_divisible_by: int = 128) -> str:
    """Write an architecture as Megatron-LM's command-line arguments: a bash array, comments on the vocabulary above it.

    `make_vocab_size_divisible_by` is what the vocabulary is padded to a multiple of, with one tensor-parallel rank.
    The vocabulary is that of a NullTokenizer, which adds an end of document to the tokens it is given; a real
    tokenizer takes its place.

    Raises ValueError when Megatron-LM cannot express the architecture, with the choices that it could.
    """
    arch = architecture
    words = _words("Megatron-LM", _MEGATRON, arch)
    if arch.positions == "rope":
        words["--rotary-base"] = _whole_theta("Megatron-LM", arch)
    arguments = {
        "--num-layers": arch.n_layers,
        "--hidden-size": arch.d_model,
        "--ffn-hidden-size": arch.d_ff,
        "--num-attention-heads": arch.n_heads,
        **_query_groups(arch),
        "--kv-channels": arch.head_dim,
        "--max-position-embeddings": arch.max_seq_length,
        "--seq-length": arch.max_seq_length,
        "--norm-epsilon": arch.layer_norm_eps,
        **words,
        "--hidden-dropout": arch.dropout,
        "--attention-dropout": arch.attention_dropout,
        "--tokenizer-type": "NullTokenizer",
        "--vocab-size": arch.vocab_size - 1,
        "--make-vocab-size-divisible-by": make_vocab_size_divisible_by,
    }
    comments = [
        _padding(arch, "make_vocab_size_divisible_by", make_vocab_size_divisible_by),
        "NullTokenizer adds the end of document to --vocab-size; a tokenizer of your own takes the place of both",
    ]
    lines = (name if value is _FLAG else f"{name} {value}" for name, value in arguments.items())
    return "\n".join([*(f"# {line}" for line in comments), "MODEL_ARGS=(", *(f"    {line}" for line in lines), ")\n"])


def _query_groups(arch: Architecture) -> dict[str, Scalar]:
    if arch.n_kv_heads == arch.n_heads:
        return {}
    return {"--group-query-attention": _FLAG, "--num-query-groups": arch.n_kv_heads}


_LITGPT = {
    # litgpt knows a norm without parameters by the model's name (Config.norm_class).
    "norm": _Choice(
        {
            "layernorm": {"norm_class_name": "LayerNorm"},
            "rmsnorm": {"norm_class_name": "RMSNorm"},
            "layernorm_no_params": {"name": "slimlm-OLMo", "norm_class_name": "LayerNorm"},
        },
        "its norms are LayerNorm, with weight and bias or with neither, and RMSNorm",
    ),
    "positions": _Choice(
        {"rope": {"rotary_percentage": 1.0}, "none": {"rotary_percentage": 0.0}}, "its positions are rotary or none"
    ),
    "ffn": _Choice(
        {
            "swiglu": {"mlp_class_name": "LLaMAMLP"},
            "geglu": {"mlp_class_name": "GemmaMLP", "gelu_approximate": "none"},
            "gelu": {"mlp_class_name": "GptNeoxMLP", "gelu_approximate": "none"},
        },
        "its feed-forwards are SwiGLU, GeGLU and GELU",
    ),
    "bias": _Choice(
        {
            "none": {"bias": False},
            "qkv": {"bias": False, "attn_bias": True},
            "all": {"bias": True},
        },
        "its biases are in no projection, in q, k and v, or in all",
    ),
    "qk_norm": _Choice(
        {
            "none": {"norm_qk": False},
            "head": {"norm_qk": True, "norm_qk_type": "default"},
            "full": {"norm_qk": True, "norm_qk_type": "olmo2"},
        },
        "",
    ),
    "block": _Choice(
        {
            "pre_norm": {"parallel_residual": False},
            "sandwich_norm": {"parallel_residual": False, "post_attention_norm": True, "post_mlp_norm": True},
            "output_norm": {
                "parallel_residual": False,
                "norm_1": False,
                "norm_2": False,
                "post_attention_norm": True,
                "post_mlp_norm": True,
            },
            "parallel": {"parallel_residual": True, "shared_attention_norm": False},
            "parallel_one_norm": {"parallel_residual": True, "shared_attention_norm": True},
        },
        "",
    ),
    "embedding_norm": _Choice({False: {}}, "it does not normalise embeddings"),
    "position_offset": _Choice({0: {}}, "it has no position table"),
}


def litgpt_config(architecture: Architecture, *, padding_multiple: int = 512) -> str:
    """Write an architecture as litgpt's model config: YAML that `Config.from_file` reads, comments above it.

    `padding_multiple` is what the vocabulary is padded to a multiple of. litgpt ties the LM head by an option of
    pretraining and has no dropout; the comments say so where it matters.

    Raises ValueError when litgpt cannot express the architecture, with the choices that it could.
    """
    arch = architecture
    words = _words("litgpt", _LITGPT, arch)
    if arch.positions == "rope":
        words["rope_base"] = _whole_theta("litgpt", arch)
    comments = [_padding(arch, "padding_multiple", padding_multiple)]
    if arch.tied_lm_head:
        comments.append("tied LM head: pretrain with --train.tie_embeddings true, else it has a table of its own")
    if arch.dropout or arch.attention_dropout:
        comments.append(f"left out: dropout={arch.dropout} and attention_dropout={arch.attention_dropout}")
    config = {
        "name": "slimlm",
        "block_size": arch.max_seq_length,
        "vocab_size": arch.vocab_size,
        "padding_multiple": padding_multiple,
        "padded_vocab_size": _padded(arch.vocab_size, padding_multiple),
        "n_layer": arch.n_layers,
        "n_head": arch.n_heads,
        "n_query_groups": arch.n_kv_heads,
        "head_size": arch.head_dim,
        "n_embd": arch.d_model,
        "intermediate_size": arch.d_ff,
        "norm_eps": arch.layer_norm_eps,
        "lm_head_bias": arch.lm_head_bias,
        **words,
    }
    lines = (f"{name}: {_yaml(value)}" for name, value in config.items())
    return "\n".join([*(f"# {line}" for line in comments), *lines, ""])


def _yaml(value: Scalar) -> str:
    """Write a scalar so that YAML 1.1 reads it: a number with an exponent is text there unless it has a point."""
    if isinstance(value, bool):
        return str(value).lower()
    mantissa, exponent, power = str(value).partition("e")
    if isinstance(value, float) and exponent and "." not in mantissa:
        return f"{mantissa}.0e{power}"
    return str(value)


def _words(framework: str, choices: Mapping[str, _Choice], arch: Architecture) -> dict[str, Scalar]:
    """Return a framework's settings for every choice; raises ValueError for choices that it has no word for."""
    unknown = {name: choice for name, choice in choices.items() if getattr(arch, name) not in choice.values}
    if unknown:
        problems = (f"{name}={getattr(arch, name)!r} ({choice.rule})" for name, choice in unknown.items())
        remedies = (f"{name}={' or '.join(map(repr, choice.values))}" for name, choice in unknown.items())
        raise ValueError(f"{framework} cannot express {_and(problems)}; {_and(remedies)} would work")
    settings: dict[str, Scalar] = {}
    for name, choice in choices.items():
        settings |= choice.values[getattr(arch, name)]
    return settings


def _whole_theta(framework: str, arch: Architecture) -> int:
    if arch.rope_theta != int(arch.rope_theta):
        raise ValueError(
            f"{framework} cannot express rope_theta={arch.rope_theta!r}: it must be a whole number there; "
            f"rope_theta={round(arch.rope_theta)}.0 would work"
        )
    return int(arch.rope_theta)


def _padding(arch: Architecture, name: str, multiple: int) -> str:
    """Say what padding the vocabulary to a multiple adds; raises ValueError for a multiple below 1."""
    if not isinstance(multiple, int) or multiple < 1:
        raise ValueError(f"{name}={multiple!r} is not allowed: it must be a whole number from 1; {name}=1 would work")
    rows, designed = _padded(arch.vocab_size, multiple), count_total(arch)
    row_params = count_total(replace(arch, vocab_size=3)) - count_total(replace(arch, vocab_size=2))
    padding = (rows - arch.vocab_size) * row_params
    return (
        f"vocabulary: {arch.vocab_size:,} tokens padded to {rows:,} rows, a multiple of {multiple:,}; "
        f"parameters: {designed:,} designed + {padding:,} of padding = {designed + padding:,}"
    )


def _padded(vocab_size: int, multiple: int) -> int:
    return -(-vocab_size // multiple) * multiple


def _and(parts: Iterator[str]) -> str:
    return " and ".join(parts)
