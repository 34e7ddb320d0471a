"""Refusals of configs that no Architecture describes: other kinds of model, and model types that are not read."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from slimlm.interop.foreign_reader import listed_keys
from slimlm.interop.hf.family import not_supported
from slimlm.interop.hf.known_keys import class_keys
from slimlm.utils.text import shown, some_of

_WELL_KNOWN = ("gpt2", "llama", "qwen3")

_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", "num_moe_experts")

_OTHER_MODELS = {
    "text_config": "a model of several kinds of input, and is no object with the config of its language model",
    "vision_config": "a model that reads images, and text_config does not hold the config of its language model",
    "audio_config": "a model that reads audio, and text_config does not hold the config of its language model",
    "is_encoder_decoder": "an encoder beside the decoder; slimlm describes decoders alone",
    "add_cross_attention": "attention to an encoder; slimlm describes decoders alone",
    "use_bidirectional_attention": "attention to later tokens; slimlm describes causal decoders",
    "pruned_heads": "layers with different numbers of heads; all of slimlm's layers are alike",
    "per_layer_config": "layers that differ from each other; all of slimlm's layers are alike",
}
"""Keys that indicate an unsupported kind of model unless they are empty."""

_KINDS = {
    "it is an encoder, and slimlm describes decoders": "albert bert camembert deberta deberta-v2 distilbert electra "
    "ernie mobilebert modernbert mpnet nomic_bert roberta xlm-roberta",
    "it has an encoder beside the decoder, and slimlm describes decoders alone": "bart blenderbot led longt5 m2m_100 "
    "marian mbart mt5 pegasus t5 t5gemma umt5 whisper",
    "its layers have no attention, and the Inspect page and the command inspect count it": "falcon_mamba mamba mamba2",
    "its layers have no attention": "rwkv rwkv7 xlstm",
    "some of its layers are not attention, and the Inspect page and the command inspect count it": "bamba falcon_h1 "
    "granitemoehybrid jamba kimi_linear lfm2 lfm2_moe nemotron_h olmo_hybrid qwen3_5_moe_text qwen3_5_text qwen3_next "
    "recurrent_gemma",
    "some of its layers are not attention (they are convolutions, recurrences or linear attention)": "minimax qwen3_5 "
    "qwen3_5_moe zamba zamba2",
    "its layers differ from each other, and the Inspect page and the command inspect count it": "gemma3n_text "
    "gemma4_text nemotron-nas openelm",
    "it is a mixture of experts, and the Inspect page and the command inspect count it": "dots1 ernie4_5_moe glm4_moe "
    "gpt_oss hunyuan_v1_moe llama4_text phimoe qwen3_vl_moe_text",
    "its layers differ from each other": "decilm",
}
"""Why types are not read; the types are separated by spaces."""


_COUNTED = "the Inspect page and the command inspect count it"


def _kind_of(model_type: object) -> str:
    """Return why a type is not read, or no text."""
    if not isinstance(model_type, str):
        return ""
    return next((kind for kind, types in _KINDS.items() if model_type in types.split()), "")


def refuse_other_models(config: Mapping[str, Any], known: Collection[str], has_experts: bool) -> None:
    """Raise ValueError for a config of another kind of model.

    `known` are the model types that are read, and `has_experts` says whether the config's type is a mixture of experts.
    """
    named = config.get("model_type")
    kind = _kind_of(named)
    if kind.endswith(_COUNTED) and named not in known:
        raise not_supported("model_type", named, kind)
    for key in () if has_experts else _EXPERTS:
        value = config.get(key)
        if value is not None and (value not in (0, 1) or isinstance(value, bool)):
            raise _mixture(config.get("model_type"), key, value, known)
    for key, meaning in _OTHER_MODELS.items():
        if config.get(key):
            raise not_supported(key, config[key], f"it means {meaning}")


def _mixture(model_type: object, key: str, value: object, known: Collection[str]) -> ValueError:
    if isinstance(model_type, str) and model_type in known:
        return not_supported(
            key, value, f"it means a mixture of experts, which {model_type} is not; {key}=1 would work"
        )
    if model_type is None:
        return not_supported(key, value, "it means a mixture of experts, and no model_type says of which kind")
    return not_supported(
        "model_type", model_type, f"it is a mixture of experts ({key}={shown(value)}) that slimlm does not read"
    )


def refuse_type(
    config: Mapping[str, Any], known: Collection[str], works: Callable[[Mapping[str, Any]], bool]
) -> ValueError:
    """Return the error for a config of no known type; `works` tries a config with a model type that may be meant."""
    named = config.get("model_type")
    if named is not None:
        kind = _kind_of(named)
        said = f"{kind}; " if kind else ""
        return ValueError(
            f"model_type={shown(named)} is not supported: {said}slimlm reads {_types(known, shown(named))}"
        )
    if config.get("type_vocab_size"):
        return not_supported("type_vocab_size", config["type_vocab_size"], "it is a key of encoders such as BERT")
    like, keys = _most_alike(config, known)
    if len(keys) > 1 and works({**config, "model_type": like}):
        return ValueError(
            f'model_type is missing: {listed_keys(keys)} are keys of {like}, among others; "model_type": "{like}" '
            f"would work, or another of {_types(known, like)}"
        )
    return ValueError(f"model_type is missing: slimlm reads {_types(known, '')}")


def _types(known: Collection[str], like: str) -> str:
    """Name the types that are like a text, or three well-known ones, and the number of the others."""
    return some_of((*_WELL_KNOWN, *sorted(set(known) - set(_WELL_KNOWN))), like.strip('"'))


def _most_alike(config: Mapping[str, Any], known: Collection[str]) -> tuple[str, list[str]]:
    """Return the type that knows most of a config's keys, and those keys; of several, the one with the fewest keys."""

    def keys_of(model_type: str) -> list[str]:
        return [key for key in config if isinstance(key, str) and key in class_keys(model_type) and key != "vocab_size"]

    best = min(sorted(known), key=lambda name: (-len(keys_of(name)), name != "llama", len(class_keys(name))))
    return best, keys_of(best)
