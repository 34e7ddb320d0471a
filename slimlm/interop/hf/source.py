"""The config that is read: the language model inside a wrapper, before quantisation, with the type that its keys name.

What was done is told in short phrases.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from slimlm.interop.foreign_reader import listed_keys
from slimlm.utils.text import listed, shown

WRAPPERS = ("text_config", "llm_config", "language_config", "language_model_config", "thinker_config", "model_config")
"""Keys that hold the config of the language model in a model of several parts."""

_DEEPEST_WRAPPER = 4

_OTHER_PARTS = ("vision_config", "audio_config", "speech_config", "vocoder_config", "talker_config", "codec_config")

_QUANTISED = ("quantization_config", "quantization", "compression_config")

_LIKELY = (
    ("n_embd n_head rotary_dim", "gptj"),
    ("n_embd n_head multi_query", "gpt_bigcode"),
    ("n_embd n_head", "gpt2"),
    ("new_decoder_architecture num_attention_heads", "falcon"),
    ("multi_query parallel_attn num_attention_heads", "falcon"),
    ("rotary_pct num_attention_heads", "gpt_neox"),
    ("attention_types num_layers num_heads", "gpt_neo"),
    ("word_embed_proj_dim ffn_dim", "opt"),
    ("do_layer_norm_before ffn_dim", "opt"),
    ("n_head n_layer apply_residual_connection_post_layernorm", "bloom"),
    ("d_model n_heads n_layers expansion_ratio", "mpt"),
    ("d_model n_heads n_layers attn_config", "mpt"),
    ("hidden_size num_hidden_layers query_pre_attn_scalar", "gemma2"),
    ("hidden_size num_hidden_layers logits_scaling", "granite"),
    ("hidden_size num_hidden_layers use_sliding_window", "qwen2"),
    ("hidden_size num_hidden_layers rms_norm_eps", "llama"),
    ("hidden_size num_hidden_layers num_key_value_heads intermediate_size", "llama"),
)
"""Keys that, all present, name a model type; the first row that fits counts."""

_NANO_CHAT = ("sequence_len", "n_layer", "n_head", "n_embd")


@dataclass(frozen=True)
class Source:
    """A config, and how it was found in what was given."""

    config: Mapping[str, Any]
    said: tuple[str, ...] = ()


def has_type(config: Mapping[str, Any]) -> bool:
    """Whether a config names a model type or a class, known or not."""
    return config.get("model_type") is not None or isinstance(config.get("architectures"), list)


def find_source(given: Mapping[str, Any], known: Container[str]) -> Source:
    """Return the config to read of what was given; `known` has the model types that are read.

    Raises ValueError for a wrapper whose language model is of a type that is not read.
    """
    return _inner(_before_quantisation(Source(given)), known, 0)


def _before_quantisation(source: Source) -> Source:
    said = []
    for key in _QUANTISED:
        if value := source.config.get(key):
            method = value.get("quant_method") if isinstance(value, Mapping) else None
            kind = f"{key}: {shown(method)[1:-1]}" if isinstance(method, str) else key
            said.append(f"quantised weights ({kind}): counted as the model before quantisation")
    rest = {key: value for key, value in source.config.items() if key not in _QUANTISED} if said else source.config
    return Source(rest, (*source.said, *said))


def _inner(source: Source, known: Container[str], depth: int) -> Source:
    """Return the config of the language model within a wrapper, the wrapper's tying with it when it has none."""
    given = source.config
    key = next((key for key in WRAPPERS if isinstance(given.get(key), Mapping) and given[key]), None)
    if key is None or depth == _DEEPEST_WRAPPER or given.get("is_encoder_decoder"):
        return source
    inner = dict(given[key])
    for name in ("tie_word_embeddings", "torch_dtype"):
        if given.get(name) is not None:
            inner.setdefault(name, given[name])
    others = [part for part in given if part.endswith("_config") and part != key and given[part]]
    rest = f"{listed_keys(others)} and the rest of the file" if others else "the rest of the file"
    found = _inner(Source(inner), known, depth + 1)
    found = _before_quantisation(found)
    _check_inner(found.config, key, known)
    said = f"{key}{_of_type(given)} is read by itself: {rest} left out"
    return Source(found.config, (*source.said, said, *found.said))


def _of_type(given: Mapping[str, Any]) -> str:
    named = given.get("model_type")
    return f" of {shown(named)[1:-1]}" if isinstance(named, str) and named else ""


def _check_inner(config: Mapping[str, Any], key: str, known: Container[str]) -> None:
    named = config.get("model_type")
    if named is not None and not (isinstance(named, str) and named in known):
        raise ValueError(f"{key}.model_type={shown(named)} is not supported: slimlm does not read its language model")


def with_likely_type(config: Mapping[str, Any], known: Container[str]) -> Source:
    """Return a config with the model type that its keys name, if it has neither type nor class."""
    if has_type(config):
        return Source(config)
    if all(config.get(key) is not None for key in _NANO_CHAT):
        said = f"{listed(_NANO_CHAT)} are nanochat's keys: read as nanochat"
        return Source(_as_nanochat(config), (said,))
    for words, model_type in _LIKELY:
        keys = words.split()
        if model_type in known and all(key in config for key in keys):
            said = f"{listed(keys)} are keys of {model_type}: read as {model_type}"
            return Source({**config, "model_type": model_type}, (said,))
    return Source(config)


def _as_nanochat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of nanochat's GPTConfig (nanochat/gpt.py) in the words of transformers' nanochat."""
    names = {
        "sequence_len": "max_position_embeddings",
        "n_layer": "num_hidden_layers",
        "n_head": "num_attention_heads",
        "n_kv_head": "num_key_value_heads",
        "n_embd": "hidden_size",
    }
    found = {names.get(key, key): value for key, value in config.items()}
    width = config["n_embd"]
    heads = config.get("n_kv_head", config["n_head"])
    size = {"intermediate_size": 4 * width} if isinstance(width, int) else {}
    return {"model_type": "nanochat", **size, **found, "num_key_value_heads": heads, "tie_word_embeddings": False}
