"""What a Hugging Face config says that its type does not know, and the sizes that it leaves to its type's defaults."""

from collections.abc import Iterator

from slimlm.interop.foreign_reader import defaults_of, not_keys_of
from slimlm.interop.hf.family import Reader
from slimlm.interop.hf.known_keys import known_keys

_SIZES = ("vocab_size", "d_model", "d_ff", "n_layers", "n_heads", "n_kv_heads", "head_dim", "max_seq_length")


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
    return [
        key
        for key, value in reader.given.items()
        if key not in known and not key.startswith("_") and value not in (None, {}, [])
    ]


def _omitted(reader: Reader) -> list[tuple[str, object]]:
    family = reader.family
    found = []
    for name in _SIZES:
        default = family.fields.get(name)
        if default is not None and not reader.gives(name):
            found.append((family.keys[name].split()[0], default))
    return found
