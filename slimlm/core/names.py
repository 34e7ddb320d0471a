"""Display names of components and of the options of each choice."""

from typing import NamedTuple

COMPONENT_NAMES = {
    "token_embedding": "Token embedding",
    "position_embedding": "Position embedding",
    "attention": "Attention",
    "ffn": "Feed-forward",
    "dense_ffn": "Feed-forward of dense layers",
    "router": "Router",
    "experts": "Routed experts",
    "shared_experts": "Shared experts",
    "norms": "Norms",
    "final_norm": "Final norm",
    "lm_head": "LM head",
}
"""Component names common to all models, from input to output; the names in an account also say the kind."""


class OptionName(NamedTuple):
    """Names of one option of a choice."""

    label: str
    """Name next to the name of the field: in a list of options or a table."""
    phrase: str
    """Name that stands alone: in a caption."""


def _same(name: str) -> OptionName:
    return OptionName(name, name)


OPTION_NAMES: dict[str, dict[str, OptionName]] = {
    "budget": {
        "total": OptionName("All parameters", "total"),
        "non_embedding": OptionName("Non-embedding parameters", "non-embedding"),
        "active": OptionName("Active parameters", "active"),
        "bytes": OptionName("Bytes", "bytes"),
    },
    "budget_precision": {word: _same(word) for word in ("int8", "bf16", "fp32", "int4")},
    "norm": {
        "layernorm": _same("LayerNorm"),
        "rmsnorm": _same("RMSNorm"),
        "layernorm_no_bias": _same("LayerNorm without bias"),
        "layernorm_no_params": _same("LayerNorm without parameters"),
    },
    "positions": {
        "learned": OptionName("Learned table", "learned positions"),
        "rope": _same("RoPE"),
        "none": OptionName("None", "no positions"),
        "alibi": _same("ALiBi"),
    },
    "ffn": {
        "swiglu": _same("SwiGLU"),
        "geglu": _same("GeGLU"),
        "gelu": OptionName("GELU", "GELU MLP"),
        "relu": OptionName("ReLU", "ReLU MLP"),
        "geglu_tanh": OptionName("GeGLU (tanh)", "tanh GeGLU"),
        "gelu_tanh": OptionName("GELU (tanh)", "tanh GELU MLP"),
        "relu2": OptionName("ReLU²", "ReLU² MLP"),
    },
    "qk_norm": {
        "none": OptionName("None", "no QK-norm"),
        "head": OptionName("Per head", "QK-norm per head"),
        "full": OptionName("All heads at once", "QK-norm over all heads"),
    },
    "bias": {
        "none": OptionName("None", "no biases"),
        "qkv": OptionName("Q, K, V", "biases on q, k, v"),
        "attention": OptionName("Attention", "biases in attention"),
        "ffn": OptionName("Feed-forward", "biases in the feed-forward"),
        "output_ffn": OptionName("O and feed-forward", "biases on o and in the feed-forward"),
        "all": OptionName("Everywhere", "biases on every projection"),
    },
    "block": {
        "pre_norm": OptionName("Pre-norm", "pre-norm"),
        "sandwich_norm": OptionName("Sandwich norm", "sandwich norm"),
        "output_norm": OptionName("Post-norm on outputs", "post-norm on outputs"),
        "parallel": OptionName("Parallel, two norms", "parallel blocks"),
        "parallel_one_norm": OptionName("Parallel, one norm", "parallel blocks with one norm"),
    },
    "router": {
        "softmax": OptionName("Softmax", "softmax router"),
        "sigmoid": OptionName("Sigmoid", "sigmoid router"),
    },
}
"""Field → option → its names; the default option stands first."""
