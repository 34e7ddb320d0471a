"""Models from litgpt's model_config.yaml: the reverse of `slimlm.interop.litgpt`.

Checked against the sources of Lightning-AI/litgpt: litgpt/config.py and litgpt/model.py.
"""

import math
from collections.abc import Mapping
from typing import Any

from slimlm.interop.foreign_reader import ForeignReader, ReadConfig
from slimlm.interop.framework_choices import FrameworkChoice, padded
from slimlm.interop.litgpt import LITGPT
from slimlm.utils.text import shown

_DEFAULTS: dict[str, Any] = {
    "name": "",
    "block_size": 4096,
    "vocab_size": 50254,
    "padding_multiple": 512,
    "padded_vocab_size": None,
    "n_layer": 16,
    "n_head": 32,
    "n_embd": 4096,
    "head_size": None,
    "n_query_groups": None,
    "intermediate_size": None,
    "rotary_percentage": 0.25,
    "rope_base": 10_000,
    "rope_condense_ratio": 1,
    "rope_adjustments": None,
    "norm_class_name": "LayerNorm",
    "norm_eps": 1e-5,
    "norm_1": True,
    "norm_2": True,
    "norm_qk": False,
    "norm_qk_type": "default",
    "post_attention_norm": False,
    "post_mlp_norm": False,
    "parallel_residual": True,
    "shared_attention_norm": False,
    "bias": True,
    "attn_bias": False,
    "lm_head_bias": False,
    "mlp_class_name": "GptNeoxMLP",
    "gelu_approximate": "none",
    "n_expert": 0,
    "scale_embeddings": False,
    "attention_scores_scalar": None,
    "attention_logit_softcapping": None,
    "final_logit_softcapping": None,
    "sliding_window_size": None,
    "sliding_window_indices": None,
    "sliding_window_layer_placing": None,
    "rope_local_base_freq": None,
    "latent_attention": None,
}
"""Defaults of litgpt's Config."""

_NAMES = {
    "d_model": "n_embd",
    "n_layers": "n_layer",
    "n_heads": "n_head",
    "n_kv_heads": "n_query_groups",
    "head_dim": "head_size",
    "d_ff": "intermediate_size",
    "max_seq_length": "block_size",
    "vocab_size": "padded_vocab_size",
    "layer_norm_eps": "norm_eps",
    "rope_theta": "rope_base",
}

_OWN = ("padded_vocab_size", "n_query_groups", "norm_class_name", "mlp_class_name", "rotary_percentage")

_NEUTRAL: dict[str, Any] = {"rope_condense_ratio": 1, "rope_adjustments": None}
"""Key → the value that means rotary positions as they are."""

_NO_STRUCTURE = """
hf_config norm_qk_type gelu_approximate rope_interleave rope_local_base_freq rope_indices sliding_window_indices
sliding_window_layer_placing sliding_window_layer_stride n_expert_per_token
"""

_WORDS = {"ffn": "feed-forward", "qk_norm": "norm of queries and keys", "block": "block", "bias": "set of biases"}


def is_litgpt(given: Mapping[str, Any]) -> bool:
    """Whether a file has litgpt's keys."""
    return given.get("n_embd") is not None and any(given.get(key) is not None for key in _OWN)


def read_litgpt(given: Mapping[str, Any]) -> ReadConfig:
    """Return the model of litgpt's model_config.yaml, with the rows of its padded vocabulary.

    Raises ValueError, in one sentence, for a structure that no Architecture describes.
    """
    reader = ForeignReader(given, "litgpt", _DEFAULTS)
    for key in ("n_expert", "latent_attention"):
        if reader.get(key):
            raise ValueError(f"{key}={shown(reader.get(key))} is not supported: slimlm reads litgpt's dense models")
    width, rows = reader.whole("n_embd"), _rows(reader)
    architecture = reader.build(
        _NAMES,
        vocab_size=rows,
        d_model=width,
        d_ff=reader.whole("intermediate_size") or 4 * width,
        n_layers=reader.whole("n_layer"),
        n_heads=reader.whole("n_head"),
        n_kv_heads=reader.whole("n_query_groups"),
        head_dim=reader.whole("head_size"),
        max_seq_length=reader.whole("block_size"),
        layer_norm_eps=reader.get("norm_eps"),
        dropout=0.0,
        attention_dropout=0.0,
        tied_lm_head=False,
        lm_head_bias=reader.flag("lm_head_bias"),
        **_structure(reader),
    )
    head = "n_embd and norm_class_name are litgpt's keys: read as litgpt's model, with an LM head of its own"
    padding = f"vocabulary of {reader.whole('vocab_size'):,} tokens padded to {rows:,} rows"
    unmodelled = tuple(_unmodelled(reader))
    reader.passed_over(_NO_STRUCTURE)
    said = (head, padding) if rows != reader.whole("vocab_size") else (head,)
    sizes = "n_layer n_head n_embd vocab_size block_size"
    return ReadConfig(architecture, (*said, *reader.left_over(sizes)), unmodelled)


def _rows(reader: ForeignReader) -> int:
    rows, multiple = reader.whole("padded_vocab_size"), reader.whole("padding_multiple")
    return int(rows or padded(reader.whole("vocab_size"), multiple))


def _structure(reader: ForeignReader) -> dict[str, Any]:
    norms = {"LayerNorm": "layernorm", "RMSNorm": "rmsnorm"}
    found: dict[str, Any] = {"norm": reader.option("norm_class_name", norms)}
    if found["norm"] == "layernorm" and "OLMo" in str(reader.get("name")):
        found["norm"] = "layernorm_no_params"
    found |= _rotation(reader) | _windows(reader)
    found["embedding_scale"] = math.sqrt(reader.whole("n_embd")) if reader.flag("scale_embeddings") else 1.0
    scale = reader.real("attention_scores_scalar")
    found["attention_scale"] = None if scale is None else 1 / math.sqrt(scale)
    found["attention_softcap"] = reader.real("attention_logit_softcapping")
    found["logit_softcap"] = reader.real("final_logit_softcapping")
    for field in ("ffn", "qk_norm", "block", "bias"):
        found[field] = _choice(reader, field, LITGPT[field])
    return found


def _rotation(reader: ForeignReader) -> dict[str, Any]:
    share = reader.get("rotary_percentage")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise ValueError(f"rotary_percentage={shown(share)} is not allowed: it must be a number between 0 and 1")
    if not share:
        return {"positions": "none"}
    return {"positions": "rope", "rope_theta": reader.real("rope_base"), "rotary_share": float(share)}


def _windows(reader: ForeignReader) -> dict[str, Any]:
    """Return the window and its layers: those that a list of 0 and 1 names, every second, or all (Config, Block)."""
    size, layers = reader.whole("sliding_window_size"), reader.whole("n_layer")
    if size is None:
        return {}
    chosen, theta = reader.get("sliding_window_indices"), reader.real("rope_local_base_freq")
    if chosen is None:
        every_second = reader.get("sliding_window_layer_placing") == "interleaved"
        pattern = "wf" if every_second else "w"
    elif isinstance(chosen, list) and len(chosen) >= layers and all(one in (0, 1) for one in chosen):
        pattern = "".join("w" if one else "f" for one in chosen[:layers])
    else:
        rule = f"it must be a list of {layers:,} times 0 or 1, a 1 for each layer with a window"
        raise ValueError(f"sliding_window_indices={shown(chosen)} is not allowed: {rule}")
    if "w" not in pattern:
        return {}
    return {"window": size, "layer_pattern": pattern, "window_rope_theta": theta}


def _choice(reader: ForeignReader, field: str, choice: FrameworkChoice) -> Any:
    """Return the value of a field whose litgpt settings the file has: the last that fits, as settings narrow down."""
    keys = list(dict.fromkeys(key for settings in choice.values.values() for key in settings))
    given = {key: reader.get(key) for key in keys}
    for value, settings in choice.values.items():
        if all(_same(key, given[key], settings, given) for key in keys):
            return value
    said = " and ".join(f"{key}={shown(given[key])}" for key in keys)
    working = [f"{keys[0]}={shown(settings[keys[0]])}" for settings in choice.values.values() if keys[0] in settings]
    remedy = f"; {' or '.join(dict.fromkeys(working))} would work" if field == "ffn" else ""
    raise ValueError(f"{said} is not supported: slimlm has no such {_WORDS[field]}{remedy}")


def _same(key: str, value: object, settings: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether a file's value is that of some settings, or means nothing beside another value."""
    if key in ("norm_qk_type", "gelu_approximate") and key not in settings:
        return True
    if key == "attn_bias" and given["bias"]:
        return True
    if key == "shared_attention_norm" and not given["parallel_residual"]:
        return True
    return bool(value == settings.get(key, _DEFAULTS[key]))


def _unmodelled(reader: ForeignReader) -> list[str]:
    gemma = str(reader.get("name")).startswith("Gemma")
    found = ["RMSNorm that multiplies by 1 + its weight"] if gemma else []
    values = {key: reader.get(key) for key in _NEUTRAL}
    return found + [
        f"rescaled rotary positions ({key}={shown(value)})" for key, value in values.items() if value != _NEUTRAL[key]
    ]
