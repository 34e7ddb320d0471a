"""What a Hugging Face config says that its type does not know, and the sizes that it leaves to its type's defaults."""

from collections.abc import Iterator

from slimlm.interop.foreign_reader import defaults_of, not_keys_of
from slimlm.interop.hf.family import Reader
from slimlm.interop.hf.known_keys import class_keys, known_keys

_SIZES = ("vocab_size", "d_model", "d_ff", "n_layers", "n_heads", "n_kv_heads", "head_dim", "max_seq_length")
_EXPERT_SIZES = ("n_experts", "experts_per_token", "n_shared_experts", "d_shared", "d_dense")

_SAYS_NOTHING = {("phi3", "attention_bias"): "False"}
"""Model type and a key that it does not know → the value (as Python writes it) that agrees with the type."""


def unread_keys(reader: Reader) -> tuple[str, ...]:
    """Return phrases about keys that the model type does not know, and about sizes that are its defaults."""
    return tuple(_phrases(reader))


def _phrases(reader: Reader) -> Iterator[str]:
    model_type = reader.family.model_type
    unknown, omitted = _unknown(reader), _omitted(reader)
    if unknown:
        yield not_keys_of(unknown, model_type)
    if omitted:
        yield from defaults_of(omitted, model_type)


def _unknown(reader: Reader) -> list[str]:
    family = reader.family
    names = {key.partition(".")[0] for names in family.keys.values() for key in names.split()}
    known = known_keys(family.model_type) | names | {key.partition(".")[0] for key in family.defaults}
    known |= family.aliases.keys() | family.nulls.split()
    if family.windows:
        known |= {family.windows.key, family.windows.names}
    return [
        key
        for key, value in reader.given.items()
        if key not in known
        and not key.startswith("_")
        and value not in (None, {}, [])
        and _SAYS_NOTHING.get((family.model_type, key)) != repr(value)
    ]


def _omitted(reader: Reader) -> list[tuple[str, object]]:
    family = reader.family
    found = []
    for name in (*_SIZES, *_EXPERT_SIZES):
        default = family.fields.get(name)
        key = family.keys[name].split()[0] if name in family.keys else ""
        if default is not None and key in class_keys(family.model_type) and not reader.gives(name):
            found.append((key, default))
    return found
