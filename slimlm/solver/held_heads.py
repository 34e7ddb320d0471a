"""Designs with a given width of the attention heads: d_model is a multiple of it."""

from dataclasses import replace

from slimlm.core.architecture import MOST_HEADS
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.solver.search import to_architecture
from slimlm.solver.shape_search import search_space
from slimlm.solver.width import Best


def nearest_with_head_dim(config: ModelConfig, head_dim: int) -> Design | None:
    """Return the nearest design with n_heads = d_model / head_dim; None when no such design meets the total.

    `solve` chooses the width that comes nearest to the targets, at which heads may be of any width. That confounds a
    comparison of models, because head_dim affects both speed and quality.

    >>> nearest_with_head_dim(ModelConfig(total_params=10_000_000, vocab_size=16_384), 32).architecture.dims
    ModelDims(d_model=224, d_ff=618, n_layers=10)
    """
    found: list[tuple[Best, ModelConfig]] = []
    for n_heads in range(1, MOST_HEADS + 1):
        if config.n_kv_heads and n_heads % config.n_kv_heads:
            continue
        own = replace(config, n_heads=n_heads, head_dim=None)
        space = search_space(own)
        x, rest = divmod(n_heads * head_dim, space.width_grain)
        if x > space.max_width:
            break
        if not rest and (best := space.nearest_at(x, None)):
            found.append((best, own))
    if not found:
        return None
    best, own = min(found, key=lambda pair: pair[0])
    return Design(own, to_architecture(own, best))
