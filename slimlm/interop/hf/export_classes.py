"""Classes of Hugging Face transformers, with the architectures that each can express and its config keys.

Checked against the configuration and modelling files of transformers 5.23 (src/transformers/models/*); 4.57 builds the
same from the same keys. A class without a key for a dropout loses it: that changes training alone, neither the
shapes nor the outputs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slimlm.core.accounting import BIASED
from slimlm.core.architecture import Architecture

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


def _own_width(arch: Architecture) -> tuple[int, ...]:
    """Return d_model / n_heads, for classes without a key for head_dim; nothing when that is not whole."""
    return () if arch.d_model % arch.n_heads else (arch.d_model // arch.n_heads,)


def _even_width(arch: Architecture) -> tuple[int, ...]:
    """Return head_dim if it is even, as rotary positions require, else the next number."""
    return (arch.head_width + arch.head_width % 2,)


def _divided_width(arch: Architecture) -> tuple[int, ...]:
    """Return d_model if it is a multiple of n_heads, as LlamaConfig requires for any head_dim, else the next one."""
    return (arch.d_model + -arch.d_model % arch.n_heads,)


USUAL: dict[str, Options] = {
    "qk_norm": ("none",),
    "block": ("pre_norm",),
    "lm_head_bias": (False,),
    "embedding_norm": (False,),
    "position_offset": (0,),
    "n_loops": (1,),
    "n_experts": lambda arch: () if arch.is_mixture else (0,),
    "kv_lora_rank": lambda arch: () if arch.has_latents else (None,),
}
"""Requirements on these fields, unless a class has others."""

_GATED = ("swiglu", "geglu", "geglu_tanh")
_PLAIN = ("gelu", "relu", "gelu_tanh", "relu2")
_LLAMA: dict[str, Options] = USUAL | {
    "norm": ("rmsnorm",),
    "positions": ("rope",),
    "ffn": _GATED,
    "head_dim": _even_width,
}
_GPT: dict[str, Options] = USUAL | {
    "norm": ("layernorm",),
    "positions": ("learned",),
    "ffn": _PLAIN,
    "n_kv_heads": lambda arch: (arch.n_heads,),
    "head_dim": _own_width,
}
_TORCH_EPS = (1e-5,)
"""Defaults of PyTorch's norms, for classes without a key."""

_SIZES = {
    "vocab_size": "vocab_size",
    "hidden_size": "d_model",
    "intermediate_size": "d_ff",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "max_position_embeddings": "max_seq_length",
    "attention_dropout": "attention_dropout",
}
_ROTARY = _SIZES | {"num_key_value_heads": "n_kv_heads", "rope_theta": "rope_theta"}
_RMS = _ROTARY | {"head_dim": "head_dim", "rms_norm_eps": "layer_norm_eps"}
_LAYERNORM = _ROTARY | {"layer_norm_eps": "layer_norm_eps"}

_TANH = "gelu_pytorch_tanh"
_ACTIVATIONS = {"swiglu": "silu", "geglu": "gelu", "gelu": "gelu", "relu": "relu", "relu2": "relu2"} | {
    "geglu_tanh": _TANH,
    "gelu_tanh": _TANH,
}


def _act(arch: Architecture) -> dict[str, Any]:
    return {"hidden_act": _ACTIVATIONS[arch.ffn]}


def _activation_function(arch: Architecture) -> dict[str, Any]:
    return {"activation_function": "gelu_new" if arch.ffn == "gelu_tanh" else _ACTIVATIONS[arch.ffn]}


def _biases(arch: Architecture) -> dict[str, Any]:
    return _act(arch) | {"attention_bias": "qkv" in BIASED[arch.bias], "mlp_bias": "ffn" in BIASED[arch.bias]}


def _attention_bias(arch: Architecture) -> dict[str, Any]:
    return _act(arch) | {"attention_bias": "qkv" in BIASED[arch.bias]}


NATIVE = (
    NativeClass(
        title="Llama",
        name="LlamaForCausalLM",
        model_type="llama",
        needs=_LLAMA | {"bias": ("none", "attention", "ffn", "all"), "d_model": _divided_width},
        keys=_RMS,
        settings=_biases,
    ),
    NativeClass(
        title="Mistral",
        name="MistralForCausalLM",
        model_type="mistral",
        needs=_LLAMA | {"bias": ("none",)},
        keys=_RMS,
        settings=lambda arch: _act(arch) | {"sliding_window": None},
    ),
    NativeClass(
        title="Qwen2",
        name="Qwen2ForCausalLM",
        model_type="qwen2",
        needs=_LLAMA | {"bias": ("qkv",)},
        keys=_RMS,
        settings=_act,
    ),
    NativeClass(
        title="Qwen3",
        name="Qwen3ForCausalLM",
        model_type="qwen3",
        needs=_LLAMA | {"bias": ("none", "attention"), "qk_norm": ("head",)},
        keys=_RMS,
        settings=_attention_bias,
    ),
    NativeClass(
        title="Gemma 3",
        name="Gemma3ForCausalLM",
        model_type="gemma3_text",
        needs=_LLAMA
        | {"ffn": ("geglu_tanh", "geglu", "swiglu"), "bias": ("none", "attention"), "qk_norm": ("head",)}
        | {"block": ("sandwich_norm",), "d_model": _divided_width},
        keys=_RMS,
        settings=lambda arch: (
            {"hidden_activation": _ACTIVATIONS[arch.ffn], "attention_bias": arch.bias == "attention"}
            | {"query_pre_attn_scalar": arch.head_width, "layer_types": ["full_attention"] * arch.n_layers}
        ),
    ),
    NativeClass(
        title="OLMo 2",
        name="Olmo2ForCausalLM",
        model_type="olmo2",
        needs=_LLAMA | {"bias": ("none", "attention"), "qk_norm": ("full",), "block": ("output_norm",)},
        keys=_RMS,
        settings=_attention_bias,
    ),
    NativeClass(
        title="OLMo",
        name="OlmoForCausalLM",
        model_type="olmo",
        needs=_LLAMA | {"norm": ("layernorm_no_params",), "bias": ("none", "attention"), "layer_norm_eps": _TORCH_EPS},
        keys=_ROTARY | {"head_dim": "head_dim"},
        settings=_attention_bias,
    ),
    NativeClass(
        title="SmolLM3",
        name="SmolLM3ForCausalLM",
        model_type="smollm3",
        needs=_LLAMA | {"positions": ("none",), "bias": ("none", "attention", "ffn", "all")},
        keys=_RMS,
        settings=lambda arch: _biases(arch) | {"no_rope_layers": [0] * arch.n_layers},
    ),
    NativeClass(
        title="StableLM",
        name="StableLmForCausalLM",
        model_type="stablelm",
        needs=_LLAMA
        | {"norm": ("layernorm",), "bias": ("none", "qkv"), "block": ("pre_norm", "parallel_one_norm")}
        | {"head_dim": _own_width},
        keys=_LAYERNORM | {"hidden_dropout": "dropout"},
        settings=lambda arch: (
            _act(arch)
            | {"partial_rotary_factor": 1.0, "use_qkv_bias": arch.bias == "qkv"}
            | {"use_parallel_residual": arch.block == "parallel_one_norm"}
        ),
    ),
    NativeClass(
        title="StarCoder2",
        name="Starcoder2ForCausalLM",
        model_type="starcoder2",
        needs=_LLAMA | {"norm": ("layernorm",), "ffn": _PLAIN, "bias": ("none", "all")},
        keys=_ROTARY
        | {"head_dim": "head_dim", "norm_epsilon": "layer_norm_eps"}
        | {"residual_dropout": "dropout", "embedding_dropout": "dropout"},
        settings=lambda arch: _act(arch) | {"sliding_window": None, "use_bias": arch.bias == "all"},
    ),
    NativeClass(
        title="GPT-NeoX",
        name="GPTNeoXForCausalLM",
        model_type="gpt_neox",
        needs=_GPT | {"positions": ("rope",), "bias": ("all", "ffn"), "block": ("parallel", "pre_norm")},
        keys=_SIZES
        | {"rotary_emb_base": "rope_theta", "layer_norm_eps": "layer_norm_eps", "hidden_dropout": "dropout"},
        settings=lambda arch: (
            _act(arch)
            | {"rotary_pct": 1.0, "attention_bias": arch.bias == "all"}
            | {"use_parallel_residual": arch.block == "parallel"}
        ),
    ),
    NativeClass(
        title="Phi",
        name="PhiForCausalLM",
        model_type="phi",
        needs=_LLAMA
        | {"norm": ("layernorm",), "ffn": _PLAIN, "bias": ("all",), "block": ("parallel_one_norm",)}
        | {"lm_head_bias": (True,), "head_dim": _own_width},
        keys=_LAYERNORM | {"resid_pdrop": "dropout", "embd_pdrop": "dropout"},
        settings=lambda arch: _act(arch) | {"partial_rotary_factor": 1.0},
    ),
    NativeClass(
        title="GPT-2",
        name="GPT2LMHeadModel",
        model_type="gpt2",
        needs=_GPT | {"bias": ("all",)},
        keys={
            "vocab_size": "vocab_size",
            "n_embd": "d_model",
            "n_inner": "d_ff",
            "n_layer": "n_layers",
            "n_head": "n_heads",
            "n_positions": "max_seq_length",
            "layer_norm_epsilon": "layer_norm_eps",
            "resid_pdrop": "dropout",
            "embd_pdrop": "dropout",
            "attn_pdrop": "attention_dropout",
        },
        settings=_activation_function,
    ),
    NativeClass(
        title="OPT",
        name="OPTForCausalLM",
        model_type="opt",
        needs=_GPT
        | {"norm": ("layernorm", "layernorm_no_params"), "bias": ("all", "none")}
        | {"position_offset": (2,), "layer_norm_eps": _TORCH_EPS},
        keys={"ffn_dim" if key == "intermediate_size" else key: name for key, name in _SIZES.items()}
        | {"dropout": "dropout"},
        settings=lambda arch: (
            _activation_function(arch)
            | {"word_embed_proj_dim": arch.d_model, "do_layer_norm_before": True, "enable_bias": arch.bias == "all"}
            | {"layer_norm_elementwise_affine": arch.norm == "layernorm"}
        ),
    ),
    NativeClass(
        title="MPT",
        name="MptForCausalLM",
        model_type="mpt",
        needs=_GPT
        | {"norm": ("layernorm_no_bias",), "positions": ("alibi",), "ffn": ("gelu",), "bias": ("none",)}
        | {"d_ff": lambda arch: (4 * arch.d_model,)},
        keys={
            "vocab_size": "vocab_size",
            "d_model": "d_model",
            "n_layers": "n_layers",
            "n_heads": "n_heads",
            "max_seq_len": "max_seq_length",
            "layer_norm_epsilon": "layer_norm_eps",
        },
        settings=lambda arch: {"expansion_ratio": 4, "no_bias": True, "attn_config": {"alibi": True}},
    ),
)
"""Classes, those that more tools support first. The first class that fits an architecture is chosen."""
