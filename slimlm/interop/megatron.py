"""Megatron-LM arguments for an architecture.

Checked against the sources of NVIDIA/Megatron-LM: megatron/training/arguments.py,
megatron/core/transformer/transformer_config.py, attention.py and mlp.py, megatron/core/models/gpt/gpt_model.py,
megatron/core/fusions/fused_bias_gelu.py, megatron/core/tokenizers/text/libraries/null_tokenizer.py.

Megatron-LM pads the vocabulary, so the model can have more parameters than the design. A comment says how many.
"""

from slimlm.core.architecture import Architecture
from slimlm.interop.framework_choices import (
    FrameworkChoice,
    Scalar,
    padding_line,
    settings_of,
    shared_rotation,
    whole_theta,
)

_FLAG = True
"""Value of an argument without a value."""

_ALL_BIASES = FrameworkChoice({"all": {}}, "its GELU by tanh has biases, and so have all its projections then")

_MEGATRON = {
    "norm": FrameworkChoice(
        {"layernorm": {"--normalization": "LayerNorm"}, "rmsnorm": {"--normalization": "RMSNorm"}},
        "its norms are LayerNorm with weight and bias, and RMSNorm",
    ),
    "positions": FrameworkChoice(
        {
            "rope": {"--position-embedding-type": "rope"},
            "learned": {"--position-embedding-type": "learned_absolute"},
            "none": {"--position-embedding-type": "none"},
        },
        "its positions are rotary, learned or none",
    ),
    # With its fusion, Megatron's GELU is the tanh approximation (fused_bias_gelu.py), and needs biases.
    "ffn": FrameworkChoice(
        {
            "swiglu": {"--swiglu": _FLAG},
            "gelu": {"--no-bias-gelu-fusion": _FLAG},
            "gelu_tanh": {},
            "relu2": {"--squared-relu": _FLAG, "--no-bias-gelu-fusion": _FLAG},
        },
        "its feed-forwards are SwiGLU, GELU and ReLU²",
    ),
    "bias": FrameworkChoice(
        {
            "none": {"--disable-bias-linear": _FLAG},
            "qkv": {"--disable-bias-linear": _FLAG, "--add-qkv-bias": _FLAG},
            "all": {},
        },
        "its biases are in no projection, in q, k and v, or in all",
    ),
    "qk_norm": FrameworkChoice(
        {"none": {}, "head": {"--qk-layernorm": _FLAG}}, "it can normalise each head's queries and keys"
    ),
    "block": FrameworkChoice({"pre_norm": {}}, "its blocks normalise their inputs"),
    "tied_lm_head": FrameworkChoice({True: {}, False: {"--untie-embeddings-and-output-weights": _FLAG}}, ""),
    "lm_head_bias": FrameworkChoice({False: {}}, "its LM head has no bias"),
    "embedding_norm": FrameworkChoice({False: {}}, "it does not normalise embeddings"),
    "position_offset": FrameworkChoice({0: {}}, "its position table starts at the first token"),
    "n_loops": FrameworkChoice({1: {}}, "it runs each layer once"),
    "n_experts": FrameworkChoice({0: {}}, "slimlm writes dense models for it"),
    "kv_lora_rank": FrameworkChoice({None: {}}, "slimlm writes plain attention for it"),
}


def megatron_arguments(architecture: Architecture, *, make_vocab_size_divisible_by: int = 128) -> str:
    """Return Megatron-LM's command-line arguments of an architecture: a bash array, with comments on top.

    The vocabulary is padded to a multiple of `make_vocab_size_divisible_by`, with one tensor-parallel rank. It is that
    of a NullTokenizer, which adds an end-of-document token; a real tokenizer replaces it.

    Raises ValueError, with the choices that would work, when Megatron-LM cannot express the architecture.
    """
    arch = architecture
    choices = _MEGATRON | {"bias": _ALL_BIASES} if arch.ffn == "gelu_tanh" else _MEGATRON
    words = settings_of("Megatron-LM", choices | shared_rotation(arch, "--rotary-percent"), arch)
    if arch.positions == "rope":
        words["--rotary-base"] = whole_theta("Megatron-LM", arch)
    arguments = {
        "--num-layers": arch.n_layers,
        "--hidden-size": arch.d_model,
        "--ffn-hidden-size": arch.d_ff,
        "--num-attention-heads": arch.n_heads,
        **_query_groups(arch),
        "--kv-channels": arch.head_width,
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
        padding_line(arch, "make_vocab_size_divisible_by", make_vocab_size_divisible_by),
        "NullTokenizer adds the end of document to --vocab-size; a tokenizer of your own takes the place of both",
    ]
    lines = (name if value is _FLAG else f"{name} {value}" for name, value in arguments.items())
    return "\n".join([*(f"# {line}" for line in comments), "MODEL_ARGS=(", *(f"    {line}" for line in lines), ")\n"])


def _query_groups(arch: Architecture) -> dict[str, Scalar]:
    if arch.kv_heads == arch.n_heads:
        return {}
    return {"--group-query-attention": _FLAG, "--num-query-groups": arch.kv_heads}
