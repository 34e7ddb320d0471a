"""Models from litgpt's model_config.yaml: the reverse of `slimlm.interop.litgpt`.

Checked against the sources of Lightning-AI/litgpt: litgpt/config.py and litgpt/model.py.
"""

from collections.abc import Mapping
from typing import Any

from slimlm.interop.foreign_reader import Foreign, ForeignReader
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

_NEUTRAL: dict[str, tuple[Any, str]] = {
    "rope_condense_ratio": (1, "rescaled rotary positions"),
    "rope_adjustments": (None, "rescaled rotary positions"),
    "scale_embeddings": (False, "embeddings multiplied by √d_model"),
    "attention_scores_scalar": (None, "attention scores with a scale of their own"),
    "attention_logit_softcapping": (None, "soft-capped attention scores"),
    "final_logit_softcapping": (None, "soft-capped logits"),
    "sliding_window_size": (None, "sliding-window attention in some layers"),
}
"""Key → the value that means nothing special, and the meaning of any other."""

_NO_STRUCTURE = """
hf_config norm_qk_type gelu_approximate rope_interleave rope_local_base_freq rope_indices sliding_window_indices
sliding_window_layer_placing sliding_window_layer_stride n_expert_per_token
"""


def is_litgpt(given: Mapping[str, Any]) -> bool:
    """Whether a file has litgpt's keys."""
    return given.get("n_embd") is not None and any(given.get(key) is not None for key in _OWN)


def read_litgpt(given: Mapping[str, Any]) -> Foreign:
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
    reader.passed_over(_NO_STRUCTURE)
    said = (head, padding) if rows != reader.whole("vocab_size") else (head,)
    sizes = "n_layer n_head n_embd vocab_size block_size"
    return Foreign(architecture, (*said, *reader.left_over(sizes)), tuple(_unmodelled(reader)))


def _rows(reader: ForeignReader) -> int:
    rows, multiple = reader.whole("padded_vocab_size"), reader.whole("padding_multiple")
    return int(rows or padded(reader.whole("vocab_size"), multiple))


def _structure(reader: ForeignReader) -> dict[str, Any]:
    norms = {"LayerNorm": "layernorm", "RMSNorm": "rmsnorm"}
    found: dict[str, Any] = {"norm": reader.option("norm_class_name", norms)}
    if found["norm"] == "layernorm" and "OLMo" in str(reader.get("name")):
        found["norm"] = "layernorm_no_params"
    share = reader.get("rotary_percentage")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise ValueError(f"rotary_percentage={shown(share)} is not allowed: it must be a number between 0 and 1")
    found["positions"] = "rope" if share else "none"
    found["rope_theta"] = reader.real("rope_base")
    for field in ("ffn", "qk_norm", "block", "bias"):
        found[field] = _choice(reader, field, LITGPT[field])
    return found


def _choice(reader: ForeignReader, field: str, choice: FrameworkChoice) -> Any:
    """Return the value of a field whose litgpt settings the file has: the last that fits, as settings narrow down."""
    keys = list(dict.fromkeys(key for settings in choice.values.values() for key in settings))
    given = {key: reader.get(key) for key in keys}
    for value, settings in choice.values.items():
        if all(_same(key, given[key], settings, given) for key in keys):
            return value
    said = " and ".join(f"{key}={shown(given[key])}" for key in keys)
    raise ValueError(f"{said} is not supported: {choice.rule or f'slimlm has no such {field}'}")


def _same(key: str, value: object, settings: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether a file's value is that of some settings, or means nothing beside another value."""
    if key in ("norm_qk_type", "gelu_approximate") and key not in settings:
        return True
    if key == "gelu_approximate":  # the tanh approximation has the same parameters, and is told of
        return True
    if key == "attn_bias" and given["bias"]:
        return True
    if key == "shared_attention_norm" and not given["parallel_residual"]:
        return True
    return bool(value == settings.get(key, _DEFAULTS[key]))


def _unmodelled(reader: ForeignReader) -> list[str]:
    found = []
    share = reader.get("rotary_percentage")
    if 0 < share < 1:
        found.append(f"rotary positions on a part of each head (rotary_percentage={shown(share)})")
    if reader.get("gelu_approximate") == "tanh" and reader.get("mlp_class_name") != "LLaMAMLP":
        found.append('GELU by an approximation (gelu_approximate="tanh")')
    if str(reader.get("name")).startswith("Gemma"):
        found.append("RMSNorm that multiplies by 1 + its weight")
    for key, (neutral, phrase) in _NEUTRAL.items():
        value = reader.get(key)
        if value != neutral:
            found.append(f"{phrase} ({key}={shown(value)})")
    return found
