"""The weights of a class of transformers as those of slimlm's module, for the model types that slimlm reads."""

import re
from collections.abc import Callable

import torch
from torch import Tensor

from slimlm.core.architecture import Architecture

Weights = dict[str, Tensor]

_OUTSIDE = {
    r"(.*\.)?(embed_tokens|wte|embed_in|word_embeddings|w)\.weight": "token_embedding.weight",
    r"(.*\.)?(wpe|embed_positions)\.weight": "position_embedding.weight",
    r"(.*\.)?word_embeddings_layernorm\.(weight|bias)": r"embedding_norm.\2",
    r"(lm_head|embed_out|output_projection)\.(weight|bias)": r"lm_head.\2",
    r"(.*\.)?(norm|ln_f|final_layer_norm|norm_f|layer_norm|layernorm|final_layernorm)\.(weight|bias)": r"final_norm.\3",
}
_ATTENTION = "(self_attn|attn|attention|attn.attention|self_attention)"
_INSIDE = {
    rf"{_ATTENTION}\.(q|k|v)_proj": r"attention.\2_proj",
    rf"{_ATTENTION}\.(o_proj|out_proj|dense|c_proj)": "attention.o_proj",
    rf"{_ATTENTION}\.(q|k)_(layer)?norm": r"attention.\2_norm",
    rf"{_ATTENTION}\.(q|k)(uery|ey)_layernorm": r"attention.\2_norm",
    r"mlp\.(gate|up|down)_proj": r"ffn.\1_proj",
    r"(mlp\.)?(c_fc|fc1|fc_in|dense_h_to_4h)|ffn\.up_proj": "ffn.up_proj",
    r"(mlp\.)?(c_proj|fc2|fc_out|dense_4h_to_h)|ffn\.down_proj": "ffn.down_proj",
}
_NORMS = {
    "pre_norm": (
        r"input_layernorm|ln_1|self_attn_layer_norm|norm_1|ln_attn",
        "attention_norm",
        r"post_attention_layernorm|ln_2|final_layer_norm|norm_2|pre_feedforward_layernorm|ln_mlp",
        "ffn_norm",
    ),
    "output_norm": (
        "post_attention_layernorm",
        "attention_output_norm",
        "post_feedforward_layernorm",
        "ffn_output_norm",
    ),
    "parallel_one_norm": ("input_layernorm|ln_1", "shared_norm"),
}
_NORMS["parallel"] = _NORMS["pre_norm"]
_SANDWICH = {
    "glm4": ("input_layernorm", "post_self_attn_layernorm", "post_attention_layernorm", "post_mlp_layernorm"),
    "hyperclovax": ("input_layernorm", "post_norm1", "post_attention_layernorm", "post_norm2"),
}
_GEMMA_NORMS = (
    *("input_layernorm", "post_attention_layernorm"),
    *("pre_feedforward_layernorm", "post_feedforward_layernorm"),
)
_SANDWICH_NAMES = ("attention_norm", "attention_output_norm", "ffn_norm", "ffn_output_norm")

_PLUS_ONE = ("gemma", "gemma2", "gemma3_text", "vaultgemma", "nemotron")
_PAIRS = ("ernie4_5", "helium", "glm", "glm4", "cohere", "cohere2", "gptj", "codegen")
_TRANSPOSED = ("gpt2", "gpt-sw3")


def our_weights(model_type: str, theirs: Weights, arch: Architecture) -> Weights:
    """Return the weights of a class by the names of slimlm's module, in its shapes and order of elements."""
    found: Weights = {}
    for name, weight in theirs.items():
        found |= _outside(name, weight) or _inside(model_type, name, weight, arch)
    if model_type in _PLUS_ONE:
        found = {name: weight + 1 if "norm.weight" in name else weight for name, weight in found.items()}
    if model_type in _PAIRS:
        found = {
            name: _halves(weight, arch) if re.search(r"[qk]_proj", name) else weight for name, weight in found.items()
        }
    return found


def _outside(name: str, weight: Tensor) -> Weights:
    if re.search(r"\.\d+\.", name):
        return {}
    return {
        re.sub(f"^{pattern}$", ours, name): weight for pattern, ours in _OUTSIDE.items() if re.fullmatch(pattern, name)
    }


def _inside(model_type: str, name: str, weight: Tensor, arch: Architecture) -> Weights:
    match = re.fullmatch(r".*?\.(\d+)\.(.*)\.(weight|bias)", name)
    assert match, name
    number, module, part = match.groups()
    fused = next((split for pattern, split in _FUSED.items() if re.fullmatch(pattern, module)), None)
    if model_type in _TRANSPOSED and weight.ndim == 2:
        weight = weight.T
    parts = fused(model_type, weight, arch) if fused else {_module(model_type, module, arch): weight}
    return {f"blocks.{number}.{ours}.{part}": value.contiguous() for ours, value in parts.items()}


def _module(model_type: str, module: str, arch: Architecture) -> str:
    if arch.block == "sandwich_norm":
        names = _SANDWICH.get(model_type, _GEMMA_NORMS)
        norms = dict(zip(names, _SANDWICH_NAMES, strict=True))
    else:
        pairs = _NORMS[arch.block]
        norms = dict(zip(pairs[::2], pairs[1::2], strict=True))
    for pattern, ours in (norms | _INSIDE).items():
        if re.fullmatch(pattern, module):
            return re.sub(f"^({pattern})$", ours.replace(r"\2", r"\3").replace(r"\1", r"\2"), module)
    raise KeyError(module)


def _gate_and_up(_: str, weight: Tensor, arch: Architecture) -> Weights:
    gate, up = torch.split(weight, arch.d_ff)
    return {"ffn.gate_proj": gate, "ffn.up_proj": up}


def _qkv(model_type: str, weight: Tensor, arch: Architecture) -> Weights:
    """Split a fused projection: by head, by group of heads, or into q, k and v one after another."""
    width, groups = arch.head_width, arch.kv_heads
    if model_type in ("gpt_neox", "bloom", "persimmon") or (model_type in ("falcon", "gpt_bigcode") and groups > 1):
        per_group = arch.n_heads // groups
        rows = weight.reshape(groups, per_group + 2, width, *weight.shape[1:])
        parts = (rows[:, :per_group], rows[:, per_group : per_group + 1], rows[:, per_group + 1 :])
        q, k, v = (piece.flatten(0, 2) for piece in parts)
    elif model_type == "codegen":  # in four parts, each of them of q, v and k
        q, v, k = (piece.flatten(0, 1) for piece in weight.reshape(4, 3, -1, *weight.shape[1:]).unbind(1))
    else:
        q, k, v = torch.split(weight, [arch.n_heads * width, groups * width, groups * width])
    return {"attention.q_proj": q, "attention.k_proj": k, "attention.v_proj": v}


_FUSED: dict[str, Callable[[str, Tensor, Architecture], Weights]] = {
    r"mlp\.gate_up_proj": _gate_and_up,
    r".*\.(c_attn|query_key_value|Wqkv|qkv_proj)": _qkv,
}


def _halves(weight: Tensor, arch: Architecture) -> Tensor:
    """Turn rows of which neighbours are a pair into rows of which the first half pairs with the second."""
    heads, turned = weight.reshape(-1, arch.head_width, *weight.shape[1:]), arch.rotary_width
    pairs = torch.cat([heads[:, 0:turned:2], heads[:, 1:turned:2], heads[:, turned:]], dim=1)
    return pairs.flatten(0, 1)
