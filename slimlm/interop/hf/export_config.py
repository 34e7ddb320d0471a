"""Export of an architecture as config.json, for a class of transformers that is exactly equal."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from slimlm.core.architecture import Architecture
from slimlm.core.families import MODEL_FAMILIES
from slimlm.core.names import OPTION_NAMES
from slimlm.interop.hf.export_classes import NATIVE, USUAL, NativeClass
from slimlm.interop.hf.export_experts import EXPERT_CLASSES

ALL_CLASSES = (*NATIVE, *EXPERT_CLASSES)

INITIALIZER_RANGE = 0.02
"""Standard deviation of every weight matrix at initialisation, as in `LanguageModel`."""


def native_class(architecture: Architecture) -> NativeClass:
    """Return the class of transformers that expresses an architecture exactly.

    >>> native_class(Architecture(norm="rmsnorm", positions="rope", d_model=512, d_ff=1365, n_layers=8)).name
    'LlamaForCausalLM'

    Raises ValueError when there is none, with the choices that lead to one.
    """
    found = next((native for native in ALL_CLASSES if native.changes(architecture) == {}), None)
    if found is None:
        raise ValueError(_no_class(architecture))
    return found


def to_hf_config(architecture: Architecture, dtype: str = "float32") -> dict[str, Any]:
    """Return the config.json of an architecture, for `AutoModelForCausalLM`.

    `dtype` is the type of the weights. The special tokens are left open: they depend on the tokenizer. Dropouts
    that the class has no key for are left out.

    Raises ValueError when no class of transformers is exactly the architecture, with the choices that lead to one.
    """
    native, values = native_class(architecture), architecture.concrete()
    return {
        "architectures": [native.name],
        "model_type": native.model_type,
        **{key: values[name] for key, name in native.keys.items()},
        **native.settings(architecture),
        "initializer_range": INITIALIZER_RANGE,
        "tie_word_embeddings": architecture.tied_lm_head,
        "torch_dtype": dtype,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }


def no_class_sentence(architecture: Architecture) -> str:
    """Return a plain sentence when no class of transformers is exactly an architecture; empty when one is.

    >>> no_class_sentence(Architecture(d_model=216, d_ff=544, n_layers=12)).partition(". ")[2]
    'Switch to Llama (RMSNorm + RoPE) or GPT-2 (GELU MLP + biases on every projection).'
    """
    if any(native.changes(architecture) == {} for native in ALL_CLASSES):
        return ""
    ways = [f"{title} ({_in_words(changes)})" for title, changes in _familiar(architecture)]
    switch = f" Switch to {' or '.join(ways)}." if ways else ""
    return f"No Hugging Face class that slimlm can write fits this mix.{switch}"


def _familiar(arch: Architecture) -> list[tuple[str, dict[str, Any]]]:
    """Return the changes that lead to two classes, families that are well known before others."""
    labels = {family.label for family in MODEL_FAMILIES.values()}
    reached = [(title, _choices(changes)) for changes, title in _reachable(arch) if title in labels]
    known = sorted(reached, key=lambda way: len(way[1]))
    return [*known, *_nearest(arch)][:2]


def _choices(changes: dict[str, Any]) -> dict[str, Any]:
    """Leave out widths, which the solver finds anew, unless nothing else changes."""
    return {name: value for name, value in changes.items() if name not in ("d_model", "head_dim")} or changes


def _in_words(changes: dict[str, Any]) -> str:
    """Name changes: "RMSNorm + RoPE", "head_dim 64"."""
    return " + ".join(_words(name, value) for name, value in changes.items())


def _words(name: str, value: Any) -> str:
    if name in OPTION_NAMES:
        return OPTION_NAMES[name][value].phrase
    if name == "n_loops":
        return "each layer used once"
    plain = name.replace("lm_head", "LM head").replace("n_kv", "KV").replace("_", " ")
    if value is None or isinstance(value, bool):
        return plain if value else f"no {plain}"
    return f"{name if name in ('d_model', 'd_ff', 'head_dim') else plain} {value}"


def _no_class(arch: Architecture) -> str:
    """Return the error that no class fits, with the changes that lead to the two nearest classes."""
    near = _nearest(arch)[:2]
    named = arch.changed().keys() & USUAL.keys() | {name for _, changes in near for name in changes}
    order = dict.fromkeys(("norm", "positions", "ffn", *sorted(named)))
    values = arch.concrete()
    leads = [f"{_with(changes)} {{}} {title}" for title, changes in near]
    remedies = ", ".join(lead.format("to" if number else "leads to") for number, lead in enumerate(leads))
    return (
        f"{_with({name: values[name] for name in order})} has no class in transformers; "
        f"{f'{remedies}; ' if remedies else ''}slimlm's save_pretrained keeps any design"
    )


def _nearest(arch: Architecture) -> list[tuple[str, dict[str, Any]]]:
    """Return the changes that would fit an architecture to a class, with the names of the classes, fewest first.

    A class is left out when a class before it needs only a part of its changes.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    for changes, title in sorted(_reachable(arch), key=lambda reached: len(reached[0])):
        if not any(before.keys() <= changes.keys() for _, before in found):
            found.append((title, changes))
    return found


def _reachable(arch: Architecture) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the possible changes that lead to each class, and its display name."""
    for native in ALL_CLASSES:
        changes = native.changes(arch)
        if changes is not None and _is_valid(arch, changes):
            yield changes, native.title


def _is_valid(arch: Architecture, changes: dict[str, Any]) -> bool:
    try:
        replace(arch, **changes)
    except ValueError:
        return False
    return True


def _with(values: Mapping[str, object]) -> str:
    """Join fields into one phrase."""
    first, *others = (f"{name}={value!r}" for name, value in values.items())
    if not others:
        return first
    *middle, last = others
    return f"{first} with {', '.join(middle)} and {last}" if middle else f"{first} with {last}"
