"""Heads and windows of attention, as the keys of most types say them."""

from collections.abc import Callable
from typing import NamedTuple

from slimlm.core.layered import Layer, Tensors
from slimlm.interop.layered.keys import Keys
from slimlm.interop.layered.parts import Mixture, attention, norms

WINDOWED, FULL, CHUNKED = "sliding_attention", "full_attention", "chunked_attention"

NORMS = ("attention_norm", "ffn_norm")


class Heads(NamedTuple):
    """Width of the model, and the heads of its attention."""

    d_model: int
    heads: int
    kv_heads: int
    head_dim: int

    @property
    def cached(self) -> int:
        """Numbers that a layer keeps of a token."""
        return 2 * self.kv_heads * self.head_dim

    def tensors(self, *, bias: bool = False, norms: bool = False) -> dict[str, tuple[int, ...]]:
        """Return the projections of attention."""
        return attention(*self, bias=bias, norms=norms)


def heads_of(keys: Keys) -> Heads:
    """Return the heads that a config says; raises ValueError for values outside their limits."""
    d_model, heads = keys.whole("hidden_size"), keys.whole("num_attention_heads")
    kv_heads, head_dim = keys.optional("num_key_value_heads") or heads, keys.optional("head_dim")
    head_dim = head_dim or max(1, d_model // heads)
    keys.divided("num_attention_heads", heads, "num_key_value_heads", kv_heads)
    return Heads(d_model, heads, kv_heads, head_dim)


def windows_of(keys: Keys, default: Callable[[int], str], key: str = "sliding_window") -> list[int | None]:
    """Return the window of each layer of the kinds full and sliding attention; None: all tokens."""
    kinds = keys.kind_of_each("layer_types", (WINDOWED, FULL), default)
    return [keys.whole(key) if kind == WINDOWED else None for kind in kinds]


def blocks(
    heads: Heads,
    windows: list[int | None],
    mixing: Tensors,
    ffn: Callable[[int], Mixture],
    kind: str = "windowed attention",
) -> tuple[Layer, ...]:
    """Return layers of attention and a feed-forward with a norm before each; `kind` is that of windowed layers."""
    made: dict[tuple[int | None, int], Layer] = {}
    found = []
    for number, window in enumerate(windows):
        tensors, idle = ffn(number)
        key = (window, id(tensors))
        if key not in made:
            whole = {**mixing, **tensors, **norms(heads.d_model, *NORMS)}
            name = "attention" if window is None else kind
            made[key] = Layer(name, whole, cache_per_token=heads.cached, idle_params=idle, window=window)
        found.append(made[key])
    return tuple(found)
