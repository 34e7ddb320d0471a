"""Properties of a Hugging Face config that an Architecture does not describe; none has parameters."""

from collections.abc import Iterator
from typing import Any

from slimlm.core.architecture import Architecture
from slimlm.interop.hf.family import Reader
from slimlm.interop.hf.feed_forward import OTHER_GELUS
from slimlm.interop.hf.layer_patterns import windowed_without_rotation
from slimlm.utils.text import shown

_NEUTRAL_AND_PHRASE: dict[str, tuple[Any, str]] = {
    "scale_attn_by_inverse_layer_idx": (False, "attention scores divided by the number of the layer"),
    "attn_logit_softcapping": (None, "soft-capped attention scores, which transformers leaves out"),
    "clip_qkv": (None, "clipped queries, keys and values"),
    "attn_config.clip_qkv": (None, "clipped queries, keys and values"),
    "logit_scale": (None, "scaled logits"),
    "apply_residual_connection_post_layernorm": (False, "residual sums that start from the normalised input"),
    "layerdrop": (0, "whole layers dropped in training"),
    "layer_sharing": (False, "every layer used twice in a row, counted once"),
    "num_nextn_predict_layers": (0, "layers that predict further tokens, not counted"),
}
"""Key → neutral value, and the meaning of any other."""


def remarks(reader: Reader, architecture: Architecture) -> tuple[str, ...]:
    """Return the properties of a config that its architecture lacks, as short phrases with key and value."""
    turns = _rope(reader) if architecture.positions == "rope" else ()
    windows = _windows(reader, architecture.n_layers)
    found = (
        reader.family.quirks,
        _alibi(reader),
        _gelu(reader),
        _by_key(reader),
        turns,
        windows,
        _experts(reader, architecture),
        _class(reader),
    )
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


def _alibi(reader: Reader) -> Iterator[str]:
    if reader.family.model_type == "falcon" and reader.get("alibi"):  # they are added before the division
        yield _said("ALiBi's biases divided by √head_dim", "alibi", True)


def _rope(reader: Reader) -> Iterator[str]:
    rope = reader.rope()
    kind = rope.get("rope_type", rope.get("type"))
    if kind not in (None, "default", "mrope"):  # mrope differs for images alone
        yield _said("rescaled rotary positions", "rope_type", kind)
    if rope.get("llama_4_scaling_beta"):
        beta, start = rope["llama_4_scaling_beta"], rope.get("original_max_position_embeddings")
        yield _said(f"attention scores that grow from position {shown(start)} on", "llama_4_scaling_beta", beta)


def _windows(reader: Reader, n_layers: int) -> Iterator[str]:
    """Yield the windows of layers without rotary positions, which no Architecture describes."""
    if unrotated := windowed_without_rotation(reader, n_layers):
        what = f"sliding-window attention in {unrotated} layers without rotary positions"
        yield _said(what, "sliding_window", reader.get("sliding_window"))


def _experts(reader: Reader, architecture: Architecture) -> Iterator[str]:
    """Yield what the models of transformers do otherwise, or not at all, with experts and latents."""
    if architecture.has_latents and architecture.layer_norm_eps != _LATENT_EPS:
        yield f"norms of the latents with an epsilon of {_LATENT_EPS:g}"
    if architecture.is_mixture and reader.whole("experts_per_token") is None:
        yield _said("one expert per token, as none is said", reader.key("experts_per_token"), None)


_LATENT_EPS = 1e-6


def _class(reader: Reader) -> Iterator[str]:
    named, known = reader.get("architectures"), reader.family.classes.split()
    if named and not (isinstance(named, list) and set(known) & {name for name in named if isinstance(name, str)}):
        yield _said(f"another class than {known[0]}, whose parameters are counted", "architectures", named)
