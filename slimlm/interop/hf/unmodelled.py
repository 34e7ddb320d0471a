"""Properties of a Hugging Face config that an Architecture does not describe; none has parameters."""

from collections.abc import Iterator
from math import isclose, sqrt
from typing import Any

from slimlm.core.architecture import Architecture
from slimlm.interop.hf.family import Reader
from slimlm.interop.hf.feed_forward import OTHER_GELUS
from slimlm.utils.text import shown

_NEUTRAL_AND_PHRASE: dict[str, tuple[Any, str]] = {
    "scale_attn_weights": (True, "attention scores not divided by √head_dim"),
    "scale_attn_by_inverse_layer_idx": (False, "attention scores divided by the number of the layer"),
    "attn_config.softmax_scale": (None, "attention scores with a scale of their own"),
    "attn_logit_softcapping": (None, "soft-capped attention scores"),
    "clip_qkv": (None, "clipped queries, keys and values"),
    "attn_config.clip_qkv": (None, "clipped queries, keys and values"),
    "final_logit_softcapping": (None, "soft-capped logits"),
    "logit_scale": (None, "scaled logits"),
    "logits_scaling": (1, "scaled logits"),
    "embedding_multiplier": (1, "scaled embeddings"),
    "residual_multiplier": (1, "scaled outputs of attention and feed-forward"),
    "apply_residual_connection_post_layernorm": (False, "residual sums that start from the normalised input"),
    "layerdrop": (0, "whole layers dropped in training"),
}
"""Key → neutral value, and the meaning of any other."""


def remarks(reader: Reader, architecture: Architecture) -> tuple[str, ...]:
    """Return the properties of a config that its architecture lacks, as short phrases with key and value."""
    scores = _scores(reader, architecture.head_width)
    turns = _rope(reader, architecture.n_layers) if architecture.positions == "rope" else ()
    found = (reader.family.quirks, _gelu(reader), _by_key(reader), scores, turns, _windows(reader), _class(reader))
    return tuple(phrase for phrases in found for phrase in phrases)


def _said(phrase: str, key: str, value: object) -> str:
    return f"{phrase} ({key}={shown(value)})"


def _by_key(reader: Reader) -> Iterator[str]:
    for key, (neutral, phrase) in _NEUTRAL_AND_PHRASE.items():
        value = reader.get(key) if key in reader.family.extras else None
        if value is not None and value != neutral:
            yield _said(phrase, key, value)


def _gelu(reader: Reader) -> Iterator[str]:
    if "activation" not in reader.family.fields:
        return
    key = reader.key("activation")
    if reader.get(key) in OTHER_GELUS:
        yield _said(OTHER_GELUS[reader.get(key)], key, reader.get(key))


def _scores(reader: Reader, head_dim: int) -> Iterator[str]:
    for key, usual in (("query_pre_attn_scalar", head_dim), ("attention_multiplier", 1 / sqrt(head_dim))):
        value = reader.get(key) if key in reader.family.extras else None
        same = value == usual or (isinstance(value, float) and isclose(value, usual, rel_tol=1e-6))
        if value is not None and not same:
            yield _said("attention scores with a scale of their own", key, value)


def _rope(reader: Reader, n_layers: int) -> Iterator[str]:
    rope = reader.rope()
    kind = rope.get("rope_type", rope.get("type"))
    if kind not in (None, "default"):
        yield _said("rescaled rotary positions", "rope_type", kind)
    for key in {"rotary_pct", "partial_rotary_factor"} & reader.family.extras.keys():
        share = rope.get("partial_rotary_factor", reader.get(key))
        if share not in (None, 1):
            yield _said("rotary positions on a part of each head", key, share)
    if without := _layers_without_rope(reader, n_layers):
        yield f"{without} of {n_layers} layers without rotary positions"


def _layers_without_rope(reader: Reader, n_layers: int) -> int:
    layers, interval = reader.get("no_rope_layers"), reader.get("no_rope_layer_interval")
    if isinstance(layers, list):
        return sum(not layer for layer in layers[:n_layers])
    return n_layers // interval if isinstance(interval, int) and interval > 0 else 0


def _windows(reader: Reader) -> Iterator[str]:
    """Yield windowed attention; reader.family.extras has layer_types if only some layers have a window."""
    extras, window, layers = reader.family.extras, reader.get("sliding_window"), reader.get("layer_types")
    used = "sliding_window" in extras and window is not None and reader.get("use_sliding_window") is not False
    if used and not (isinstance(layers, list) and "sliding_attention" not in layers):
        where = " in some layers" if "layer_types" in extras else ""
        yield _said(f"sliding-window attention{where}", "sliding_window", window)
    types = reader.get("attention_types")
    if "attention_types" in extras and (types is None or "local" in shown(types, 10**6)):
        yield _said("local attention in some layers", "window_size", reader.get("window_size"))


def _class(reader: Reader) -> Iterator[str]:
    named, known = reader.get("architectures"), reader.family.classes.split()
    if named and not (isinstance(named, list) and set(known) & {name for name in named if isinstance(name, str)}):
        yield _said(f"another class than {known[0]}, whose parameters are counted", "architectures", named)
