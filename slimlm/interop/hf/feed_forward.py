"""Feed-forwards by the name of their activation in a Hugging Face config, as in transformers (activations.ACT2FN)."""

from slimlm.interop.hf.family import Reader, not_supported
from slimlm.utils.text import shown

_EXACT = ("gelu", "gelu_python")
_BY_TANH = ("gelu_new", "gelu_fast", "gelu_accurate", "gelu_pytorch_tanh", "gelu_python_tanh")
OTHER_GELUS = {"quick_gelu": "GELU by an approximation", "gelu_10": "GELU clipped at ±10"}
"""Kinds of GELU that no `Architecture.ffn` is → what they are."""

_GATED = {"silu": "swiglu", "swish": "swiglu"}
_PLAIN = {"relu": "relu", "relu2": "relu2"}
_GATED |= dict.fromkeys((*_EXACT, *OTHER_GELUS), "geglu") | dict.fromkeys(_BY_TANH, "geglu_tanh")
_PLAIN |= dict.fromkeys((*_EXACT, *OTHER_GELUS), "gelu") | dict.fromkeys(_BY_TANH, "gelu_tanh")


def feed_forward(reader: Reader) -> str:
    """Return the option of `Architecture.ffn` for the activation of a config.

    Raises ValueError for an activation that no option has.
    """
    key, family = reader.key("activation"), reader.family
    name, kinds = reader.get(key), _GATED if family.gated else _PLAIN
    if family.model_type == "gemma" and name == "gelu":  # GemmaConfig takes it for a legacy name
        return "geglu_tanh"
    if isinstance(name, str) and name in kinds:
        return kinds[name]
    known = "a gated feed-forward has silu, swish" if family.gated else "a feed-forward without a gate has relu, relu2"
    working = f"{key}={shown(family.fields['activation'])}"
    raise not_supported(key, name, f"{known} or a kind of gelu; {working} would work")
