"""The heads that n_heads="auto" chooses among: for each width, every even head_dim from 16 to 256 that goes with it."""

import math
from collections.abc import Iterator
from functools import lru_cache

from slimlm.architecture import AUTO_HEAD_DIMS, width_multiple
from slimlm.config import ModelConfig

PREFERRED_HEAD_DIM = 64
MOST_HEADS = 1024
AUTO_WIDEST = AUTO_HEAD_DIMS[-1] * MOST_HEADS


def width_grain(config: ModelConfig) -> int:
    """Return what every d_model of a request is a multiple of."""
    if config.n_heads == "auto":  # n_heads is a multiple of n_kv_heads, and head_dim of 2
        return math.lcm(2 * (config.n_kv_heads or 1), config.multiple_of)
    return math.lcm(width_multiple(config.n_heads, config.head_dim, config.positions), config.multiple_of)


def auto_heads(d_model: int, n_kv_heads: int | None) -> Iterator[tuple[int, int]]:
    """Yield every head_dim that n_heads="auto" allows for a width, narrowest first, with its number of heads."""
    unit = n_kv_heads or 1
    for head_dim in [width for width in AUTO_HEAD_DIMS if d_model % (width * unit) == 0]:
        if d_model <= MOST_HEADS * head_dim:
            yield head_dim, d_model // head_dim


def narrowest(config: ModelConfig) -> tuple[int, int] | None:
    """Return the narrowest d_model of a request, and its heads: the most where they are chosen; None without any."""
    if config.n_heads == "auto":
        return _narrowest_auto(config.n_kv_heads or 1, config.multiple_of)
    return width_grain(config), config.n_heads


@lru_cache(maxsize=256)
def _narrowest_auto(unit: int, multiple_of: int) -> tuple[int, int] | None:
    """Return the least common multiple of head_dim · n_kv_heads and the alignment that leaves few enough heads."""
    widths = ((math.lcm(head_dim * unit, multiple_of), head_dim) for head_dim in AUTO_HEAD_DIMS)
    d_model, head_dim = min((pair for pair in widths if pair[0] <= MOST_HEADS * pair[1]), default=(0, 0))
    return (d_model, d_model // head_dim) if d_model else None
