"""The model of a config.json whose layers differ."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from slimlm.core.layered import LayeredModel
from slimlm.core.named_model import FROM_CONFIG, tidy_name
from slimlm.interop.foreign_reader import defaults_of, not_keys_of
from slimlm.interop.hf.known_keys import known_keys
from slimlm.interop.layered.keys import Keys
from slimlm.interop.layered.kinds import LAYERED
from slimlm.utils.text import shown


def layered_model(
    config: Mapping[str, Any], name: str = "", origin: str = FROM_CONFIG, said: Sequence[str] = ()
) -> LayeredModel:
    """Return the model of a config with a model type in `LAYERED`; `said` are remarks on how the config was found.

    >>> config = {"model_type": "lfm2", "num_hidden_layers": 2, "layer_types": ["conv", "full_attention"]}
    >>> layered_model(config, "small").order
    'short convolution, attention'

    Raises KeyError for another model type, and ValueError, in one sentence with key and value, for values outside
    their limits.
    """
    model_type = str(config["model_type"])
    kind = LAYERED[model_type]
    keys = Keys(config, kind.defaults)
    names = {"attention": kind.attention, "recurrence": kind.recurrence, "ffn": kind.ffn, "norms": f"{kind.norm}s"}
    tied = next((keys.switch(key) for key in kind.tied if keys.get(key) is not None), False)
    layers = kind.layers(keys)
    return LayeredModel(
        name=tidy_name(name or model_type),
        origin=origin,
        vocab_size=keys.whole("vocab_size"),
        d_model=keys.whole(kind.d_model),
        max_seq_length=keys.whole(*kind.length.split()) if kind.length else 0,
        tied_lm_head=tied,
        layers=layers,
        names={key: text for key, text in names.items() if text},
        final_norm=kind.norm,
        outside=kind.outside(keys),
        tables=kind.tables(keys),
        remarks=(*said, *_remarks(config, keys)),
        config={"model_type": model_type} | keys.used,
    )


def linked_layered(config: Mapping[str, Any], name: str, origin: str, remarks: Sequence[str]) -> LayeredModel:
    """Return the model of the keys that a link holds, with its remarks; raises ValueError for keys of no such model."""
    if config.get("model_type") not in LAYERED:
        raise ValueError(f"the link's model_type={shown(config.get('model_type'))} is not one whose layers differ")
    return replace(layered_model(config, name, origin), remarks=tuple(remarks))


def _remarks(config: Mapping[str, Any], keys: Keys) -> Iterator[str]:
    model_type = config["model_type"]
    known = known_keys(model_type) | keys.used.keys() | LAYERED[model_type].defaults.keys()
    unknown = [key for key in config if key not in known and not key.startswith("_") and config[key]]
    if unknown and LAYERED[model_type].judged:
        yield not_keys_of(unknown, model_type)
    sizes = ("vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads")
    omitted = [(key, keys.get(key)) for key in sizes if key in keys.asked - keys.given]
    if omitted:
        yield from defaults_of(omitted, model_type)
    for key in ("num_nextn_predict_layers", "mtp_num_hidden_layers"):
        if config.get(key):
            yield f"layers that predict further tokens are not counted ({key}={shown(config[key])})"
    if not LAYERED[model_type].tied and config.get("tie_word_embeddings"):
        yield "two tables are counted, because the class does not tie them (tie_word_embeddings=true)"
