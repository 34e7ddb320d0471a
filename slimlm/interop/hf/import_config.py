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
from slimlm.interop.foreign_reader import Foreign
from slimlm.interop.hf.family import Family, Reader, not_supported
from slimlm.interop.hf.refusals import refuse_other_models, refuse_type
from slimlm.interop.hf.source import find_source, has_type, with_likely_type
from slimlm.interop.hf.types_gated import GATED
from slimlm.interop.hf.types_plain import PLAIN
from slimlm.interop.hf.unmodelled import remarks
from slimlm.interop.hf.unread import unread_keys
from slimlm.utils.files import read_bytes, unreadable
from slimlm.utils.text import shown
from slimlm.utils.validation import FieldError

FAMILIES = {family.model_type: family for family in (*PLAIN, *GATED)}
"""Supported model types."""

_WHOLE = ("vocab_size", "max_seq_length", "n_heads", "n_kv_heads", "head_dim", "d_model", "d_ff", "n_layers")
_REAL = ("dropout", "attention_dropout", "layer_norm_eps")

_GELUS = {
    "gelu",
    "gelu_10",
    "gelu_accurate",
    "gelu_fast",
    "gelu_new",
    "gelu_python",
    "gelu_python_tanh",
    "gelu_pytorch_tanh",
    "quick_gelu",
}


def from_hf_config(source: Mapping[str, Any] | str | Path) -> Architecture:
    """Return the architecture that a Hugging Face config describes.

    The source is the config itself (see `parse_hf_config`), or the path of a config.json or of the folder that holds
    it. A missing key has the default of its model type.

    >>> from_hf_config({"model_type": "llama", "hidden_size": 576, "num_attention_heads": 9}).head_width
    64

    Raises ValueError, in one sentence that names key and value, for an unreadable file, for a
    model type or a structure that no Architecture describes, and for values outside their limits.
    """
    return _read(source).architecture


def unmodelled(source: Mapping[str, Any] | str | Path) -> tuple[str, ...]:
    """Return the properties of a config that its Architecture does not describe.

    >>> unmodelled({"model_type": "mistral"})
    ('sliding-window attention (sliding_window=4096)',)

    Raises ValueError as `from_hf_config` does.
    """
    return _read(source).unmodelled


def unread(source: Mapping[str, Any] | str | Path) -> tuple[str, ...]:
    """Return how a config was found in what was given, keys that its type does not know, and sizes left at defaults.

    >>> unread({"model_type": "gpt2", "n_embd": 64, "layers": 2, "vocab_size": 99, "n_head": 2, "n_positions": 64})
    ('layers is no key of gpt2, and is not read', "n_layer 12 is gpt2's default: the config does not give it")

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


def _read(source: Mapping[str, Any] | str | Path) -> Foreign:
    if isinstance(source, str | Path):
        source = load_config(Path(source))
    if not isinstance(source, Mapping):
        raise ValueError(f"a config of type {type(source).__name__} is not allowed: it must be a mapping or a path")
    found = find_source(source, FAMILIES)
    read = None if has_type(found.config) else read_foreign(found.config)
    if read is None:
        typed = with_likely_type(found.config, FAMILIES)
        read, found = _read_typed(typed.config), replace(found, said=(*found.said, *typed.said))
    return replace(read, unread=(*found.said, *read.unread))


def _read_typed(config: Mapping[str, Any]) -> Foreign:
    refuse_other_models(config, FAMILIES)
    reader = Reader(_family(config), config)
    for key, only in reader.family.only.items():
        if reader.get(key) not in only.allowed:
            working = " or ".join(f"{key}={shown(value)}" for value in only.allowed)
            raise not_supported(key, reader.get(key), f"{only.reason}; {working} would work")
    architecture = _architecture(reader)
    return Foreign(architecture, unread_keys(reader), remarks(reader, architecture))


def _works(config: Mapping[str, Any]) -> bool:
    try:
        _read_typed(config)
    except ValueError:
        return False
    return True


def _family(config: Mapping[str, Any]) -> Family:
    """Return the family of a config, by `model_type` or else by the class in `architectures`."""
    named, classes = config.get("model_type"), config.get("architectures")
    if named is None and isinstance(classes, list):
        named = next((name for name, family in FAMILIES.items() if set(family.classes.split()) & _words(classes)), None)
    if isinstance(named, str) and named in FAMILIES:
        return FAMILIES[named]
    raise refuse_type(config, FAMILIES, _works)


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
    try:
        return Architecture(**fields)
    except FieldError as error:
        raise error.renamed({name: reader.key(name) for name in reader.family.keys.keys() & fields}) from None


def _structure(reader: Reader) -> dict[str, Any]:
    """Return the choices and switches of Architecture: fixed by the model type, set by a key, or derived."""
    family = reader.family
    found = {"bias": "none", **family.fixed}
    for key, switch in family.switches.items():
        if reader.switch(key):
            found |= switch.when_true | {"bias": _both(found["bias"], switch.when_true.get("bias", "none"))}
    if "activation" in family.fields:
        found["ffn"] = _feed_forward(reader)
    return found | (family.derive(reader) if family.derive else {})


def _both(bias: str, other: str) -> str:
    """Return the option of `Architecture.bias` that unites two options."""
    parts = {*BIASED[bias], *BIASED[other]}
    return next(word for word, biased in BIASED.items() if set(biased) == parts)


def _feed_forward(reader: Reader) -> str:
    """Return the option of `Architecture.ffn` for an activation, named as in transformers (activations.ACT2FN)."""
    key, gated = reader.key("activation"), reader.family.gated
    name = reader.get(key)
    if isinstance(name, str) and name in _GELUS:
        return "geglu" if gated else "gelu"
    if gated and name in ("silu", "swish"):
        return "swiglu"
    if not gated and name == "relu":
        return "relu"
    kinds = "a gated feed-forward has silu, swish" if gated else "a feed-forward without a gate has relu"
    working = f"{key}={shown(reader.family.fields['activation'])}"
    raise not_supported(key, name, f"{kinds} or a kind of gelu; {working} would work")


def hf_named_model(config: Mapping[str, Any] | Path, name: str) -> NamedModel:
    """Return the named model of a Hugging Face config, or of the file at a path.

    >>> hf_named_model({"model_type": "llama", "hidden_size": 576, "num_attention_heads": 9}, "small").origin
    'From a config.json'

    Raises ValueError, in one sentence, for a config that no Architecture describes.
    """
    read = _read(config)
    return NamedModel(tidy_name(name), read.architecture, FROM_CONFIG, (*read.unread, *read.unmodelled))


def name_in(config: Mapping[str, Any]) -> str:
    """Return the name in a Hugging Face config, or else its model type.

    >>> name_in({"model_type": "llama", "_name_or_path": "someone/small-llama"})
    'small-llama'
    """
    held = config.get("_name_or_path") or config.get("model_type")
    return held.rstrip("/").rpartition("/")[2] if isinstance(held, str) else ""
