"""Memory of models whose layers differ: weights, KV cache and states."""

from typing import NamedTuple

from slimlm.core.describe import counted
from slimlm.core.layered import LayeredModel
from slimlm.utils.formatting import format_bytes, format_count

_BYTES = 2


class LayeredCost(NamedTuple):
    """One figure, written, with what it counts."""

    name: str
    text: str
    assumption: str


def layered_costs(model: LayeredModel) -> list[LayeredCost]:
    """Return the memory of a model in 16 bits, at its own sequence length.

    >>> from slimlm.core.layered import Layer
    >>> attention = Layer("attention", {"ffn.up_proj.weight": (4, 4)}, cache_per_token=8)
    >>> small = LayeredModel(name="m", origin="", vocab_size=10, d_model=4, max_seq_length=100, tied_lm_head=True,
    ...     layers=(attention,), names={"ffn": "MLP"})
    >>> [cost.text for cost in layered_costs(small)][:3]
    ['120 B', '16 B', '1.60 kB']
    """
    account = model.account
    weights = LayeredCost(
        "Weights", format_bytes(_BYTES * account.total_params), "16 bits a parameter; a tied table once"
    )
    rows = [weights, *_cache(model)]
    if model.state:
        states = "of recurrences and convolutions, the same for every length; 16 bits a number, some engines keep 32"
        rows.append(LayeredCost("States of one sequence", format_bytes(_BYTES * model.state), states))
    if account.active_params != account.total_params:
        rows.insert(
            1,
            LayeredCost(
                "Weights that a token uses",
                format_bytes(_BYTES * account.active_params),
                f"{format_count(account.active_params)} active parameters: the experts it is sent to, and all else",
            ),
        )
    return rows


def _cache(model: LayeredModel) -> list[LayeredCost]:
    """Return what the layers with keys and values keep; a model without any has no such rows."""
    if not model.cached_layers:
        return []
    kept = f"{model.cached_layers:,} of {model.n_layers:,} layers keep keys and values"
    kept += ", until their windows are full" if model.windows else ""
    tokens = model.max_seq_length or max(model.windows)
    longest = "all that the model takes" if model.max_seq_length else "or more: the model takes any number"
    return [
        LayeredCost("KV cache per token", format_bytes(_BYTES * model.cache_per_token), f"{kept}; 16 bits a number"),
        LayeredCost(
            "KV cache of one sequence",
            format_bytes(_BYTES * model.kv_numbers(tokens)),
            f"{tokens:,} tokens, {longest}{_windowed(model)}",
        ),
    ]


def _windowed(model: LayeredModel) -> str:
    """Say how many layers keep the tokens of a window alone."""
    if not model.windows:
        return ""
    sizes = " or ".join(f"{window:,}" for window in model.windows)
    keep = "keeps" if model.windowed_layers == 1 else "keep"
    layers = f"{counted(model.windowed_layers, 'layer')} of windows {keep} at most {sizes} of them"
    return f"; {layers}, where some engines reserve memory for all"
