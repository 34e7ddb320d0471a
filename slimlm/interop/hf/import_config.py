"""Import of a Hugging Face config.json of one of the model types in `FAMILIES`.

transformers is not needed: `slimlm.interop.hf.types_plain` and `slimlm.interop.hf.types_gated` describe what its
classes build from each key. Tests compare them with the classes on the meta device.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slimlm.core.accounting import BIASED
from slimlm.core.architecture import Architecture
from slimlm.core.named_model import FROM_CONFIG, NamedModel, tidy_name
from slimlm.interop.hf.attention import attention_fields, attention_keys
from slimlm.interop.hf.family import Family, Reader, not_supported
from slimlm.interop.hf.feed_forward import feed_forward
from slimlm.interop.hf.remedies import with_working_remedies
from slimlm.interop.hf.types_experts import EXPERTS
from slimlm.interop.hf.types_gated import GATED
from slimlm.interop.hf.types_gated_variants import GATED_VARIANTS
from slimlm.interop.hf.types_plain import PLAIN
from slimlm.interop.hf.types_plain_variants import PLAIN_VARIANTS
from slimlm.interop.hf.unmodelled import remarks
from slimlm.utils.files import read_bytes, read_json, unreadable
from slimlm.utils.text import shown
from slimlm.utils.validation import FieldError

FAMILIES = {family.model_type: family for family in (*PLAIN, *GATED, *PLAIN_VARIANTS, *GATED_VARIANTS, *EXPERTS)}
"""Supported model types."""

MAX_BYTES = 1_000_000
"""A config.json has about 1 kB; long lists of labels make it 100 kB."""

_WHOLE = ("vocab_size", "max_seq_length", "n_heads", "n_kv_heads", "head_dim", "d_model", "d_ff", "n_layers")
_REAL = ("dropout", "attention_dropout", "layer_norm_eps")

_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", "num_moe_experts")
_OTHER_MODELS = {
    "text_config": "a model of several kinds of input; the object under text_config, by itself, may work",
    "vision_config": "a model that reads images; the config of its language model, by itself, may work",
    "audio_config": "a model that reads audio; the config of its language model, by itself, may work",
    "is_encoder_decoder": "an encoder beside the decoder; slimlm describes decoders alone",
    "add_cross_attention": "attention to an encoder; slimlm describes decoders alone",
    "use_bidirectional_attention": "attention to later tokens; slimlm describes causal decoders",
    "quantization_config": "weights that are stored in other shapes; the config without this key would work, for the "
    "model before it was quantised",
    "pruned_heads": "layers with different numbers of heads; all of slimlm's layers are alike",
    "per_layer_config": "layers that differ from each other; all of slimlm's layers are alike",
}
"""Keys that indicate an unsupported kind of model unless they are empty."""


def from_hf_config(source: Mapping[str, Any] | str | Path) -> Architecture:
    """Return the architecture that a Hugging Face config describes.

    The source is the config itself (see `parse_hf_config`), or the path of a config.json or of the folder that holds
    it. A missing key has the default of its model type.

    >>> from_hf_config({"model_type": "llama", "hidden_size": 576, "num_attention_heads": 9}).head_width
    64

    Raises ValueError, in one sentence that names key and value, for an unreadable file, for a
    model type or a structure that no Architecture describes, and for values outside their limits.
    """
    return _read(source)[1]


def unmodelled(source: Mapping[str, Any] | str | Path) -> tuple[str, ...]:
    """Return the properties of a config that its Architecture does not describe.

    >>> unmodelled({"model_type": "olmo", "clip_qkv": 8.0})
    ('clipped queries, keys and values (clip_qkv=8.0)',)

    Raises ValueError as `from_hf_config` does.
    """
    return remarks(*_read(source))


def parse_hf_config(text: str | bytes) -> dict[str, Any]:
    """Read the text of a config.json.

    Raises ValueError, in one sentence, for a text that `read_json` rejects or that is no object.
    """
    config = read_json(text, "the config", MAX_BYTES)
    if not isinstance(config, dict):
        raise ValueError(f"the config is {shown(config)}: a config.json holds an object such as {{...}}")
    return config


def _load(path: Path) -> dict[str, Any]:
    name = f"the config {shown(str(path), 120)}"
    try:
        file = path / "config.json" if path.is_dir() else path
        return parse_hf_config(read_bytes(file, name, MAX_BYTES))
    except OSError as error:  # a folder without permission, or a name that is too long
        raise unreadable(name, error) from None


def _read(source: Mapping[str, Any] | str | Path) -> tuple[Reader, Architecture]:
    if isinstance(source, str | Path):
        source = _load(Path(source))
    if not isinstance(source, Mapping):
        raise ValueError(f"a config of type {type(source).__name__} is not allowed: it must be a mapping or a path")
    _refuse_other_models(source)
    reader = Reader(_family(source), source)
    for key, only in reader.family.only.items():
        if reader.get(key) not in only.allowed:
            working = " or ".join(f"{key}={shown(value)}" for value in only.allowed)
            raise not_supported(key, reader.get(key), f"{only.reason}; {working} would work")
    return reader, _architecture(reader)


def _refuse_other_models(config: Mapping[str, Any]) -> None:
    family = FAMILIES.get(str(_type_named(config)))
    for key in () if family and "n_experts" in family.keys else _EXPERTS:
        value = config.get(key)
        if value is not None and (value not in (0, 1) or isinstance(value, bool)):
            types = ", ".join(sorted(family.model_type for family in EXPERTS if "n_experts" in family.keys))
            raise not_supported(key, value, f"it means a mixture of experts, and slimlm reads those of {types}")
    for key, meaning in _OTHER_MODELS.items():
        if config.get(key):
            raise not_supported(key, config[key], f"it means {meaning}")


def _family(config: Mapping[str, Any]) -> Family:
    """Return the family of a config."""
    named = _type_named(config)
    if isinstance(named, str) and named in FAMILIES:
        return FAMILIES[named]
    found = "model_type is missing" if named is None else f"model_type={shown(named)} is not supported"
    raise ValueError(f"{found}: slimlm reads {', '.join(sorted(FAMILIES))}")


def _type_named(config: Mapping[str, Any]) -> Any:
    """Return the model type of a config, by `model_type` or else by the class in `architectures`; None for neither."""
    named, classes = config.get("model_type"), config.get("architectures")
    if named is None and isinstance(classes, list):
        return next((name for name, family in FAMILIES.items() if set(family.classes.split()) & _words(classes)), None)
    return named


def _words(values: list[Any]) -> set[str]:
    return {value for value in values if isinstance(value, str)}


def _architecture(reader: Reader) -> Architecture:
    fields: dict[str, Any] = {name: reader.whole(name) for name in _WHOLE} | {name: reader.real(name) for name in _REAL}
    if fields["d_ff"] is None:
        fields["d_ff"] = 4 * fields["d_model"]
    fields["tied_lm_head"] = reader.switch(reader.key("tied_lm_head"))
    fields |= _structure(reader)
    if fields["positions"] == "rope":
        given = reader.rope().get("rope_theta")
        fields["rope_theta"] = reader.real("rope_theta") if given is None else given
    fields |= attention_fields(reader, fields)
    names = {name: reader.key(name) for name in reader.family.keys.keys() & fields}
    try:
        return Architecture(**fields)
    except FieldError as error:
        found = with_working_remedies(error, fields, reader.family.fields)
        raise found.renamed(names | attention_keys(reader)) from None


def _structure(reader: Reader) -> dict[str, Any]:
    """Return the choices and switches of Architecture: fixed by the model type, set by a key, or derived."""
    family = reader.family
    found, biases = dict(family.fixed), {"": family.fixed.get("bias", "none")}
    for key, switch in family.switches.items():
        chosen = switch.when_true if reader.switch(key) else switch.when_false
        found |= chosen
        biases |= {key: chosen["bias"]} if "bias" in chosen else {}
    found["bias"] = _together(biases)
    if "activation" in family.fields:
        found["ffn"] = feed_forward(reader)
    return found | (family.derive(reader) if family.derive else {})


def _together(biases: Mapping[str, str]) -> str:
    """Return the option of `Architecture.bias` that unites some options, given by the keys that set them."""
    parts = {part for option in biases.values() for part in BIASED.get(option, (option,))}
    found = next((word for word, biased in BIASED.items() if set(biased) == parts), None)
    if found is None:
        last = list(biases)[-1]
        raise not_supported(last, True, f"slimlm has no biases in these projections alone; {last}=false would work")
    return found


def hf_named_model(config: Mapping[str, Any] | Path, name: str) -> NamedModel:
    """Return the named model of a Hugging Face config, or of the file at a path.

    >>> hf_named_model({"model_type": "llama", "hidden_size": 576, "num_attention_heads": 9}, "small").origin
    'From a config.json'

    Raises ValueError, in one sentence, for a config that no Architecture describes.
    """
    reader, architecture = _read(config)
    return NamedModel(tidy_name(name), architecture, FROM_CONFIG, remarks(reader, architecture))


def name_in(config: Mapping[str, Any]) -> str:
    """Return the name in a Hugging Face config, or else its model type.

    >>> name_in({"model_type": "llama", "_name_or_path": "someone/small-llama"})
    'small-llama'
    """
    held = config.get("_name_or_path") or config.get("model_type")
    return held.rstrip("/").rpartition("/")[2] if isinstance(held, str) else ""
