"""What the classes of `slimlm.interop.hf.export_classes` have in common: requirements, and keys of their configs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isclose, sqrt
from typing import Any

from slimlm.core.accounting import BIASED
from slimlm.core.architecture import Architecture
from slimlm.core.attention_choices import FULL, UNROTATED, WINDOWED

Options = tuple[Any, ...] | Callable[[Architecture], tuple[Any, ...]]
"""Values of a field that a class supports, preferred one first; some depend on other fields."""


@dataclass(frozen=True, kw_only=True)
class NativeClass:
    """A class of transformers: its architectures, and the keys of its config."""

    title: str
    """Display name."""
    name: str
    model_type: str
    needs: Mapping[str, Options]
    """Field of Architecture → supported values; a field that is not listed may have any."""
    keys: Mapping[str, str]
    """Config key → the field of Architecture that gives its value."""
    settings: Callable[[Architecture], Mapping[str, Any]]
    """Constant keys."""

    def changes(self, arch: Architecture) -> dict[str, Any] | None:
        """Return the fields that must change to fit an architecture to this class; None when no change does."""
        found: dict[str, Any] = {}
        values = arch.concrete()
        for name, options in self.needs.items():
            allowed = options(arch) if callable(options) else options
            if not allowed:
                return None
            if values[name] not in allowed:
                found[name] = allowed[0]
        return found


def any_value(name: str) -> Options:
    """Return the requirement on a field that may have any value."""
    return lambda arch: (arch.concrete()[name],)


def own_width(arch: Architecture) -> tuple[int, ...]:
    """Return d_model / n_heads, for classes without a key for head_dim; nothing when that is not whole."""
    return () if arch.d_model % arch.n_heads else (arch.d_model // arch.n_heads,)


def even_width(arch: Architecture) -> tuple[int, ...]:
    """Return head_dim if it is even, as rotary positions require, else the next number."""
    return (arch.head_width + arch.head_width % 2,)


def divided_width(arch: Architecture) -> tuple[int, ...]:
    """Return d_model if it is a multiple of n_heads, as LlamaConfig requires for any head_dim, else the next one."""
    return (arch.d_model + -arch.d_model % arch.n_heads,)


def even_share(arch: Architecture) -> tuple[float, ...]:
    """Return rotary_share if it turns an even number of elements of heads of their own width, else a nearby one."""
    width = max(1, arch.d_model // arch.n_heads)
    turned = int(width * arch.rotary_share)
    if arch.rotary_share == 1 or (turned and turned % 2 == 0):
        return (arch.rotary_share,)
    return (min(1.0, max(2, turned - turned % 2) / width),)


def without_unrotated(arch: Architecture) -> tuple[str, ...]:
    """Return layer_pattern with rotary positions in all layers."""
    return (arch.layer_pattern.replace(UNROTATED, FULL),)


def one_kind(arch: Architecture) -> tuple[str, ...]:
    """Return the pattern of a class whose layers all have a window, or none has."""
    return (FULL if arch.window is None else WINDOWED,)


ONE_WINDOW: dict[str, Options] = {"window": any_value("window"), "layer_pattern": one_kind}
"""Requirements of a class with one window for all layers, or none."""

SOME_WINDOWS: dict[str, Options] = {"window": any_value("window"), "layer_pattern": without_unrotated}
"""Requirements of a class that names the layers with a window."""


def layer_types(arch: Architecture) -> list[str]:
    """Return the kind of each layer in the words of transformers."""
    return ["sliding_attention" if kind == WINDOWED else "full_attention" for kind in arch.layer_kinds]


def some_windows(arch: Architecture) -> dict[str, Any]:
    """Return the keys of the layers with a window, for classes that have none by default."""
    if arch.window is None:
        return {}
    return {"use_sliding_window": True, "sliding_window": arch.window, "layer_types": layer_types(arch)}


def inverse_of(scale: float) -> float:
    """Return the number of which a scale is the inverse: the one with few digits, if the scale is exactly that's."""
    short = round(1 / scale, 9)
    return short if short and 1 / short == scale else 1 / scale


def with_inverse(arch: Architecture) -> tuple[float, ...]:
    """Return logit_scale as a class has it that divides by its inverse."""
    return (1 / inverse_of(arch.logit_scale),)


def whole_scalar(arch: Architecture) -> tuple[float | None, ...]:
    """Return attention_scale if it is 1 / √ of a whole number, as Gemma's must be; None else, for 1 / √head_dim."""
    scale = arch.attention_scale
    scalar = 0 if scale is None else round(min(scale**-2, 1e15))
    return (scale if scalar and isclose(scalar**-0.5, scale or 0, rel_tol=1e-12) else None,)


def scalar_of(arch: Architecture) -> int:
    """Return the whole number whose 1 / √ multiplies the attention scores."""
    return arch.head_width if arch.attention_scale is None else round(arch.attention_scale**-2)


def factor_of(arch: Architecture) -> float:
    """Return the factor of the attention scores."""
    return 1 / sqrt(arch.head_width) if arch.attention_scale is None else arch.attention_scale


USUAL: dict[str, Options] = {
    "qk_norm": ("none",),
    "block": ("pre_norm",),
    "lm_head_bias": (False,),
    "embedding_norm": (False,),
    "position_offset": (0,),
    **{"window": (None,), "layer_pattern": (FULL,), "window_rope_theta": (None,), "rotary_share": (1.0,)},
    **{"attention_scale": (None,), "attention_softcap": (None,), "logit_softcap": (None,)},
    **{"embedding_scale": (1.0,), "residual_scale": (1.0,), "logit_scale": (1.0,)},
    "n_loops": (1,),
    "n_experts": lambda arch: () if arch.is_mixture else (0,),
    "kv_lora_rank": lambda arch: () if arch.has_latents else (None,),
}
"""Requirements on these fields, unless a class has others."""

GATED = ("swiglu", "geglu", "geglu_tanh")
PLAIN = ("gelu", "relu", "gelu_tanh", "relu2")
LLAMA: dict[str, Options] = USUAL | {
    "norm": ("rmsnorm",),
    "positions": ("rope",),
    "ffn": GATED,
    "head_dim": even_width,
}
GPT: dict[str, Options] = USUAL | {
    "norm": ("layernorm",),
    "positions": ("learned",),
    "ffn": PLAIN,
    "n_kv_heads": lambda arch: (arch.n_heads,),
    "head_dim": own_width,
}
TORCH_EPS = (1e-5,)
"""Defaults of PyTorch's norms, for classes without a key."""

SIZES = {
    "vocab_size": "vocab_size",
    "hidden_size": "d_model",
    "intermediate_size": "d_ff",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "max_position_embeddings": "max_seq_length",
    "attention_dropout": "attention_dropout",
}
ROTARY = SIZES | {"num_key_value_heads": "n_kv_heads", "rope_theta": "rope_theta"}
RMS = ROTARY | {"head_dim": "head_dim", "rms_norm_eps": "layer_norm_eps"}
LAYERNORM = ROTARY | {"layer_norm_eps": "layer_norm_eps"}

_TANH = "gelu_pytorch_tanh"
ACTIVATIONS = {"swiglu": "silu", "geglu": "gelu", "gelu": "gelu", "relu": "relu", "relu2": "relu2"} | {
    "geglu_tanh": _TANH,
    "gelu_tanh": _TANH,
}
"""`Architecture.ffn` → the activation's name in transformers."""


def act(arch: Architecture) -> dict[str, Any]:
    """Return the key of the activation."""
    return {"hidden_act": ACTIVATIONS[arch.ffn]}


def activation_function(arch: Architecture) -> dict[str, Any]:
    """Return the key of the activation in GPT-2 and its kin."""
    return {"activation_function": "gelu_new" if arch.ffn == "gelu_tanh" else ACTIVATIONS[arch.ffn]}


def biases(arch: Architecture) -> dict[str, Any]:
    """Return the keys of the activation and of both biases."""
    return act(arch) | {"attention_bias": "qkv" in BIASED[arch.bias], "mlp_bias": "ffn" in BIASED[arch.bias]}


def attention_bias(arch: Architecture) -> dict[str, Any]:
    """Return the keys of the activation and of attention's biases."""
    return act(arch) | {"attention_bias": "qkv" in BIASED[arch.bias]}
