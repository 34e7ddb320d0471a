"""Import of a Hugging Face config.json of one of the model types in `FAMILIES`.

transformers is not needed: `slimlm.interop.hf.types_plain` and `slimlm.interop.hf.types_gated` describe what its
classes build from each key. Tests compare them with the classes on the meta device.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from slimlm.core.accounting import BIASED
from slimlm.core.architecture import Architecture
from slimlm.core.named_model import FROM_CONFIG, NamedModel, tidy_name
from slimlm.interop.config_text import MAX_BYTES, read_config_text
from slimlm.interop.foreign import read_foreign
from slimlm.interop.foreign_reader import ReadConfig
from slimlm.interop.hf.attention import attention_fields, attention_keys
from slimlm.interop.hf.family import Family, Reader, not_supported
from slimlm.interop.hf.feed_forward import feed_forward
from slimlm.interop.hf.refusals import refuse_other_models, refuse_type
from slimlm.interop.hf.remedies import with_working_remedies
from slimlm.interop.hf.source import find_source, has_type, with_likely_type
from slimlm.interop.hf.types_experts import EXPERTS
from slimlm.interop.hf.types_gated import GATED
from slimlm.interop.hf.types_gated_variants import GATED_VARIANTS
from slimlm.interop.hf.types_plain import PLAIN
from slimlm.interop.hf.types_plain_variants import PLAIN_VARIANTS
from slimlm.interop.hf.unmodelled import remarks
from slimlm.interop.hf.unread import unread_keys
from slimlm.utils.files import read_bytes, unreadable
from slimlm.utils.text import shown
from slimlm.utils.validation import FieldError

FAMILIES = {family.model_type: family for family in (*PLAIN, *GATED, *PLAIN_VARIANTS, *GATED_VARIANTS, *EXPERTS)}
"""Supported model types."""

_MIXTURES = {name for name, family in FAMILIES.items() if "n_experts" in family.keys}

_WHOLE = ("vocab_size", "max_seq_length", "n_heads", "n_kv_heads", "head_dim", "d_model", "d_ff", "n_layers")
_REAL = ("dropout", "attention_dropout", "layer_norm_eps")


def from_hf_config(source: Mapping[str, Any] | str | Path) -> Architecture:
    """Return the architecture that a Hugging Face config, or a file of another program, describes.

    The source is the config itself (see `parse_hf_config`), or the path of its file or of the folder that holds
    it. A missing key has the default of its model type; `unread` tells which sizes are defaults. Of a wrapper, the
    config of the language model is read; of quantised weights, the model before quantisation.

    >>> from_hf_config({"model_type": "llama", "hidden_size": 576, "num_attention_heads": 9}).head_width
    64

    Raises ValueError, in one sentence that names key and value, for an unreadable file, for a
    model type or a structure that no Architecture describes, and for values outside their limits.
    """
    return _read(source).architecture


def unmodelled(source: Mapping[str, Any] | str | Path) -> tuple[str, ...]:
    """Return the properties of a config that its Architecture does not describe.

    >>> unmodelled({"model_type": "olmo", "clip_qkv": 8.0})
    ('clipped queries, keys and values (clip_qkv=8.0)',)

    Raises ValueError as `from_hf_config` does.
    """
    return _read(source).unmodelled


def unread(source: Mapping[str, Any] | str | Path) -> tuple[str, ...]:
    """Return how a config was found in what was given, keys that its type does not know, and sizes left at defaults.

    >>> unread({"model_type": "gpt2", "n_embd": 64, "layers": 2, "vocab_size": 99, "n_head": 2, "n_positions": 64})
    ('layers is no key of gpt2, and is not read', 'n_layer 12 is a default of gpt2, not in the config')

    Raises ValueError as `from_hf_config` does.
    """
    return _read(source).unread


def parse_hf_config(text: str | bytes) -> dict[str, Any]:
    """Read the text of a config; see `read_config_text`, which raises ValueError, in one sentence, for other texts."""
    return read_config_text(text)


_FILES = ("config.json", "params.json", "model_config.yaml")
"""Names of a config in the folder of a model, in the order in which they are looked for."""


def load_config(path: Path) -> dict[str, Any]:
    """Return the config in a file or in the folder of a model; raises ValueError, in one sentence, for others."""
    name = f"the config {shown(str(path), 120)}"
    try:
        found = [path / file for file in _FILES if (path / file).exists()] if path.is_dir() else [path]
        return parse_hf_config(read_bytes(found[0] if found else path / _FILES[0], name, MAX_BYTES))
    except (OSError, ValueError) as error:  # a folder without permission, or a name that is too long
        raise (error if isinstance(error, ValueError) else unreadable(name, error)) from None


def _read(source: Mapping[str, Any] | str | Path) -> ReadConfig:
    if isinstance(source, str | Path):
        source = load_config(Path(source))
    if not isinstance(source, Mapping):
        raise ValueError(f"a config of type {type(source).__name__} is not allowed: it must be a mapping or a path")
    found = find_source(source)
    try:
        read = _read_found(found.config)
    except ValueError as error:
        if not found.within:
            raise
        raise ValueError(f"in {found.within}, {error}") from None
    return replace(read, unread=(*found.said, *read.unread))


def _read_found(config: Mapping[str, Any]) -> ReadConfig:
    read = None if has_type(config) else read_foreign(config)
    if read:
        return read
    typed = with_likely_type(config, FAMILIES)
    read = _read_typed(typed.config)
    return replace(read, unread=(*typed.said, *read.unread))


def _read_typed(config: Mapping[str, Any], depth: int = 0) -> ReadConfig:
    refuse_other_models(config, FAMILIES, str(_type_named(config)) in _MIXTURES)
    reader = Reader(_family(config), config)
    for key, only in reader.family.only.items():
        if reader.get(key) not in only.allowed:
            raise not_supported(key, reader.get(key), f"{only.reason}{_instead(config, key, only.allowed, depth)}")
    architecture = _architecture(reader)
    return ReadConfig(architecture, unread_keys(reader), remarks(reader, architecture))


_MOST_FAULTS = 3
"""Most faults of a config that one sentence names."""


def _instead(config: Mapping[str, Any], key: str, allowed: tuple[Any, ...], depth: int) -> str:
    """Say which values of a key would work, or what else is wrong with the first of them."""
    if depth == _MOST_FAULTS:
        return ""
    problems = [_problem(_with(config, key, value), depth + 1) for value in allowed]
    working = [f"{key}={shown(value)}" for value, problem in zip(allowed, problems, strict=True) if not problem]
    if working:
        return f"; {' or '.join(working)} would work"
    return f"; with {key}={shown(allowed[0])}, {problems[0]}"


def _with(config: Mapping[str, Any], key: str, value: object) -> dict[str, Any]:
    """Return a config with another value of a key, which may be one of an object: "attn_config.qk_ln"."""
    outer, _, inner = key.partition(".")
    return {**config, outer: {**(config.get(outer) or {}), inner: value} if inner else value}


def _problem(config: Mapping[str, Any], depth: int = 0) -> str:
    """Return why a config is refused; empty for one that is read."""
    try:
        _read_typed(config, depth)
    except ValueError as error:
        return str(error)
    return ""


def _works(config: Mapping[str, Any]) -> bool:
    return not _problem(config)


def _family(config: Mapping[str, Any]) -> Family:
    """Return the family of a config."""
    named = _type_named(config)
    if isinstance(named, str) and named in FAMILIES:
        return FAMILIES[named]
    raise refuse_type(config, FAMILIES, _works)


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
        raise _kept_by_type(found.renamed(names | attention_keys(reader)), reader) from None


def _kept_by_type(error: FieldError, reader: Reader) -> FieldError:
    """Return an error without the remedies that a rule of the model type alone refuses."""
    kept = tuple((key, value) for key, value in error.remedies if _derives(reader, {key: value}))
    return FieldError(error.field, error.value, error.rule, kept, error.given)


def _derives(reader: Reader, changes: Mapping[str, Any]) -> bool:
    if not reader.family.derive:
        return True
    try:
        reader.family.derive(Reader(reader.family, {**reader.given, **changes}))
    except ValueError:
        return False
    return True


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
    read = _read(config)
    return NamedModel(tidy_name(name), read.architecture, FROM_CONFIG, (*read.unread, *read.unmodelled))


def name_in(config: Mapping[str, Any]) -> str:
    """Return the name in a config, or else its model type.

    >>> name_in({"model_type": "llama", "_name_or_path": "someone/small-llama"})
    'small-llama'
    """
    held = config.get("_name_or_path") or config.get("model_type") or config.get("name")
    return held.rstrip("/").rpartition("/")[2] if isinstance(held, str) else ""
