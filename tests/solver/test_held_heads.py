"""Designs with a given head_dim equal brute force over all shapes that have it."""

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture, ModelDims
from slimlm.core.budget import window
from slimlm.core.config import ModelConfig
from slimlm.core.design import distance
from slimlm.solver.held_heads import nearest_with_head_dim


def brute_force(config: ModelConfig, head_dim: int) -> tuple[float, int, int, int, int] | None:
    """Return the least (cost, miss, n_layers, d_model, d_ff) over all shapes of the width."""
    low, high = window(config)
    best = None
    for n_heads in range(1, 40):
        own, width = replace(config, n_heads=n_heads, head_dim=None), n_heads * head_dim
        for n_layers in count(1):
            one, two = (count_total(Architecture.of(own, ModelDims(width, d_ff, n_layers))) for d_ff in (1, 2))
            if one > high:
                break
            first = max(1, -(-(low - one) // (two - one)) + 1)
            for d_ff in range(first, (high - one) // (two - one) + 2):
                dims = ModelDims(width, d_ff, n_layers)
                miss = abs(count_total(Architecture.of(own, dims)) - config.total_params)
                found = (distance(own, dims), miss, n_layers, width, d_ff)
                best = min(best or found, found)
    return best


@example(24_684, 256, 4, 0.1015625)  # 30 layers
@settings(max_examples=12, deadline=None)
@given(st.integers(20_000, 60_000), st.sampled_from([64, 128, 256]), st.sampled_from([4, 8]), st.floats(0.1, 0.6))
def test_the_design_is_the_nearest_of_all_with_its_heads(total: int, vocab: int, head_dim: int, ratio: float) -> None:
    config = ModelConfig(
        total_params=total, vocab_size=vocab, embedding_ratio=ratio, positions="rope", norm="rmsnorm", max_seq_length=32
    )
    expected = brute_force(config, head_dim)
    design = nearest_with_head_dim(config, head_dim)
    if expected is None or design is None:
        assert (expected, design) == (None, None)
        return
    arch = design.architecture
    assert (arch.n_layers, arch.d_model, arch.d_ff) == expected[2:]
    assert arch.head_width == head_dim


def test_nothing_is_found_where_nothing_fits() -> None:
    assert nearest_with_head_dim(ModelConfig(), 1024) is None


@pytest.mark.parametrize("n_kv_heads", [1, 2])
def test_groups_of_heads_are_kept(n_kv_heads: int) -> None:
    design = nearest_with_head_dim(ModelConfig(n_heads=8, n_kv_heads=n_kv_heads), 32)
    assert design is not None
    assert design.architecture.n_heads % n_kv_heads == 0
    assert design.architecture.kv_heads == n_kv_heads
