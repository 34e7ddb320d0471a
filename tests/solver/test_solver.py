"""The solver is exact: no better design exists, and what it calls impossible is."""

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture, ModelDims
from slimlm.core.config import ModelConfig
from slimlm.core.design import TOLERANCE, Design, distance
from slimlm.solver.search import SearchSpace
from slimlm.solver.solver import BudgetError, compute_model_dims, solve
from tests.strategies import (
    Rank,
    accepted,
    any_requests,
    closed_form,
    counted_form,
    grain_of,
    head_counts,
    log_spaced,
    rank,
    requests,
    structured_requests,
    try_all,
    try_all_depths,
)

HANG = timedelta(seconds=5)
"""A guard against searches that do not end; a solve takes milliseconds."""


def random_structure(rng: random.Random) -> dict[str, Any]:
    """Draw heads and structure; the default architecture in half of all cases."""
    n_heads = rng.choice([1, 2, 3, 4, 6, 8, 12, 16])
    if rng.random() < 0.5:
        return {}
    positions = rng.choice(["learned", "rope", "none", "alibi"])
    heads: dict[str, Any] = {
        "n_kv_heads": rng.choice([None, 1, n_heads // 2 or None]) if n_heads % 2 == 0 else None,
        "head_dim": rng.choice([None, None, 4, 16]),
        "n_heads": n_heads,
    }
    if rng.random() < 0.5:
        heads = {"n_heads": "auto", "n_kv_heads": rng.choice([None, 1, 2]), "head_dim": rng.choice([None, 32])}
    return heads | {
        "positions": positions,
        "norm": rng.choice(["layernorm", "rmsnorm", "layernorm_no_params"]),
        "ffn": rng.choice(["swiglu", "geglu", "gelu"]),
        "bias": rng.choice(["none", "qkv", "all", "ffn"]),
        "qk_norm": rng.choice(["none", "head", "full"]),
        "block": rng.choice(["pre_norm", "sandwich_norm", "parallel_one_norm"]),
        "embedding_norm": rng.random() < 0.5,
        "lm_head_bias": rng.random() < 0.5,
    }


def random_request(rng: random.Random, low: float, high: float) -> ModelConfig:
    fields: dict[str, Any] = {
        "total_params": int(math.exp(rng.uniform(math.log(low), math.log(high)))),
        "vocab_size": int(2 ** rng.uniform(8, 18)) if high > 1e6 else rng.randint(2, 500),
        "embedding_ratio": rng.uniform(0.01, 0.9),
        "glu_expansion": rng.uniform(0.5, 8),
        "n_heads": rng.choice([1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128] if high > 1e6 else [1, 1, 2, 4]),
        "tied_lm_head": rng.random() < 0.5,
        "n_layers": rng.choice([None, None, None, 1, 2, 5, 12, 40]),
        "multiple_of": rng.choice([1, 1, 1, 8, 64, 128] if high > 1e6 else [1, 1, 1, 2, 5]),
        "max_seq_length": rng.choice([128, 512, 2048] if high > 1e6 else [1, 16]),
    }
    return ModelConfig(**fields | random_structure(rng))


Answer = tuple[ModelDims, int]


def answer(config: ModelConfig) -> Answer | None:
    try:
        design = solve(config)
    except BudgetError:
        return None
    return design.dims, design.architecture.n_heads


def answered(best: Rank | None) -> Answer | None:
    return best and (ModelDims(best.d_model, best.d_ff, best.n_layers), best.n_heads)


@pytest.mark.parametrize(("seed", "count"), [(seed, 100) for seed in range(6)])
def test_no_better_design_exists(seed: int, count: int) -> None:
    rng = random.Random(seed)
    answers = []
    for _ in range(count):
        config = random_request(rng, 1e5, 2e7)
        answers.append(answer(config))
        assert answers[-1] == answered(try_all_depths(config)), config
    assert 0 < answers.count(None) < count / 2, "the requests are of both kinds"


@pytest.mark.parametrize("seed", range(2))
def test_no_better_design_exists_among_all_that_can_be_tried_one_by_one(seed: int) -> None:
    rng = random.Random(seed)
    answers = []
    for _ in range(60):
        config = random_request(rng, 30, 10_000)
        answers.append(answer(config))
        assert answers[-1] == answered(try_all(config)) == answered(try_all_depths(config)), config
    assert 0 < answers.count(None) < 55


def check_design(design: Design) -> None:
    """Hold a design against every promise but the best cost."""
    config, (d_model, d_ff, n_layers) = design.config, design.dims
    heads = design.architecture.n_heads if config.n_heads == "auto" else None
    assert heads is None or heads in head_counts(config, d_model)
    assert closed_form(config, d_model, d_ff, n_layers, heads) == design.total_params
    low, high = accepted(config)
    assert low <= counted_form(config, d_model, d_ff, n_layers, heads) <= high
    total = design.targets[0]
    assert 1000 * abs(total.actual - total.target) <= 5 * total.target
    assert d_model % grain_of(config) == d_ff % config.multiple_of == 0
    assert min(design.dims) >= 1
    assert n_layers == (config.n_layers or n_layers)


def narrowest(config: ModelConfig) -> tuple[int, int | None] | None:
    """Return the narrowest allowed width, with the most heads; None when none of the first few has heads."""
    grain = grain_of(config)
    options = ((x * grain, head_counts(config, x * grain)) for x in range(1, 1 + 512 * (config.n_kv_heads or 1)))
    return next(((d_model, max(heads, key=lambda h: h or 0)) for d_model, heads in options if heads), None)


def out_of_reach(config: ModelConfig) -> bool:
    """Whether the narrowest models are too large, or their totals further apart than the allowed window is wide."""
    fewest = config.n_dense_layers + 1
    grain, n_layers, (low, high) = config.multiple_of, config.n_layers or fewest, accepted(config)
    if (found := narrowest(config)) is None:
        return True
    width, heads = found
    smallest, next_one = (counted_form(config, width, d_ff, n_layers, heads) for d_ff in (grain, 2 * grain))
    return smallest > high or next_one - smallest > high - low + 1


def neighbours(config: ModelConfig, dims: ModelDims) -> Iterator[Rank]:
    """Yield the best design at each width, number of heads and depth next to some dimensions."""
    width_grain, grain = grain_of(config), config.multiple_of
    depths = (
        [config.n_layers]
        if config.n_layers
        else range(max(config.n_dense_layers + 1, dims.n_layers - 2), dims.n_layers + 3)
    )
    widths = [dims.d_model + step * width_grain for step in (-2, -1, 0, 1, 2)]
    for d_model, heads in ((width, heads) for width in widths if width > 0 for heads in head_counts(config, width)):
        for n_layers in depths:
            empty, full = (counted_form(config, d_model, d_ff, n_layers, heads) for d_ff in (0, grain))
            low, high = ((end - empty) / (full - empty) for end in accepted(config))
            asked = config.glu_expansion * d_model / grain
            for nearest in (math.floor(asked), math.ceil(asked), math.ceil(low), math.floor(high)):
                if nearest >= 1 and (placed := rank(config, d_model, nearest * grain, n_layers, heads)):
                    yield placed


@given(requests(1_000_000, 100_000_000_000) | structured_requests(1_000_000, 100_000_000_000))
@settings(deadline=HANG, max_examples=400)
def test_designs_keep_every_promise_over_the_whole_range(config: ModelConfig) -> None:
    found = answer(config)
    if found is None:
        assert out_of_reach(config)
        return
    design, (dims, heads) = solve(config), found
    assert answer(config) == found, "solving twice gives the same"
    check_design(design)
    chosen = rank(config, *dims, heads if config.n_heads == "auto" else None)
    assert chosen is not None
    assert all(chosen <= neighbour for neighbour in neighbours(config, dims))
    assert design.cost == distance(config, dims) == pytest.approx(chosen.cost, rel=1e-9, abs=1e-15)


MANY_DEPTHS = ModelConfig(
    total_params=6_048_591_352_220,
    vocab_size=2,
    embedding_ratio="auto",
    glu_expansion=0.01,
    n_heads=502,
    head_dim=16,
    max_seq_length=1,
    multiple_of=1,
)
"""A request with widths at which millions of depths meet the total, all with the smallest d_ff."""

DENSE_FIRST = ModelConfig(
    total_params=72_004_899_337,
    vocab_size=3,
    max_seq_length=1,
    n_heads=1,
    tied_lm_head=False,
    n_experts=1,
    experts_per_token=1,
    n_dense_layers=1,
    embedding_ratio="auto",
    glu_expansion=1.0,
    multiple_of=65_536,
)
"""A request whose smallest model has two layers, a dense one before one with experts."""


@given(any_requests())
@example(MANY_DEPTHS)
@example(DENSE_FIRST)
@settings(deadline=HANG, max_examples=500)
def test_every_valid_request_has_a_design_or_a_way_out(config: ModelConfig) -> None:
    try:
        design = solve(config)
    except BudgetError as error:
        assert out_of_reach(config)
        assert str(error).startswith(f"total_params={config.total_params:,} ")
        assert all(abs(solve(other.config).targets[0].miss) <= TOLERANCE for other in error.suggestions)
    else:
        check_design(design)


def test_a_model_may_be_much_wider_than_all_its_heads() -> None:
    config = ModelConfig(total_params=6_314_169, embedding_ratio=0.8, glu_expansion=1.282, n_heads=16, head_dim=16)
    bias: dict[str, Any] = {"bias": "all", "lm_head_bias": True, "positions": "alibi", "max_seq_length": 2048}
    config = replace(config, vocab_size=964, n_layers=2, multiple_of=128, **bias)
    assert answer(config) == answered(try_all_depths(config)) == ((1664, 128, 2), 16)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("glu_expansion", [2.0, 2.66, 3.0, 4.0])
@pytest.mark.parametrize("embedding_ratio", [0.25, 0.35, 0.45])
def test_ten_million_parameters_are_met(embedding_ratio: float, glu_expansion: float, tied: bool) -> None:
    design = solve(ModelConfig(embedding_ratio=embedding_ratio, glu_expansion=glu_expansion, tied_lm_head=tied))
    check_design(design)
    assert abs(design.total_params - 10_000_000) <= 50_000
    assert answer(design.config) == answered(try_all_depths(design.config))


def test_the_default_request() -> None:
    design = solve(ModelConfig())
    assert design.dims == (216, 544, 12)
    assert design.total_params == 10_047_024
    assert [knob.name for knob in design.targets] == ["total_params", "embedding_ratio", "glu_expansion"]
    assert [knob.name for knob in design.off_target] == ["glu_expansion"]
    assert design.architecture == Architecture(d_model=216, d_ff=544, n_layers=12)


def test_of_two_depths_that_miss_by_the_same_the_smaller_is_taken() -> None:
    # Every layer of width 1 and d_ff 2 has 14 parameters, and 1412 lies 7 from both 100 and 101 layers.
    config = ModelConfig(
        total_params=1412, vocab_size=2, max_seq_length=1, n_heads=1, embedding_ratio=2 / 1412, glu_expansion=2
    )
    assert [closed_form(config, 1, 2, n_layers) - 1412 for n_layers in (100, 101)] == [-7, 7]
    assert answer(config) == answered(try_all(config)) == ((1, 2, 100), 1)


def test_compute_model_dims_unpacks() -> None:
    d_model, d_ff, n_layers = dims = compute_model_dims(ModelConfig())
    assert (d_model, d_ff, n_layers) == (dims.d_model, dims.d_ff, dims.n_layers) == (216, 544, 12)


def test_an_architecture_takes_over_every_choice() -> None:
    config = ModelConfig(n_heads=6, tied_lm_head=False, max_seq_length=64, dropout=0.2, attention_dropout=0.0)
    built = solve(config).architecture
    assert (built.n_heads, built.tied_lm_head, built.max_seq_length) == (6, False, 64)
    assert (built.dropout, built.attention_dropout, built.layer_norm_eps) == (0.2, 0.0, 1e-6)


@given(structured_requests(10_000_000, 10_000_000), st.integers(1, 10**3), log_spaced(1, 10**6), log_spaced(1, 10**4))
@settings(deadline=None)
def test_the_polynomials_give_the_account(config: ModelConfig, x: int, f: int, n_layers: int) -> None:
    space = SearchSpace(config)
    dims = ModelDims(space.width_grain * x, space.grain * f, n_layers)
    levels = list(space.levels(x))
    assert len({level.layer for level in levels}) == len(levels) <= max(1, len(head_counts(config, dims.d_model)))
    for level in levels:
        assert level.total(f, n_layers) == count_total(Architecture.of(config, dims, level.n_heads))
    totals = {level.total(f, n_layers) for level in levels}
    assert totals == {
        closed_form(config, dims.d_model, dims.d_ff, n_layers, h) for h in head_counts(config, dims.d_model)
    }


def test_chosen_heads_are_no_further_from_the_request_than_any_number_of_them() -> None:
    asked = ModelConfig(n_heads="auto", positions="rope", norm="rmsnorm", n_kv_heads=2)
    chosen = solve(asked)
    assert chosen.architecture.head_width % 2 == 0
    for n_heads in range(2, 41, 2):
        other = solve(replace(asked, n_heads=n_heads))
        if other.architecture.head_width in range(16, 257, 2):
            assert chosen.cost <= other.cost, n_heads


@pytest.mark.parametrize(("preferred", "heads"), [(None, (5, 44)), (128, (2, 110)), (20, (11, 20))])
def test_of_heads_that_count_the_same_the_nearest_to_the_preferred_width_are_taken(
    preferred: int | None, heads: tuple[int, int]
) -> None:
    design = solve(ModelConfig(n_heads="auto", head_dim=preferred))
    assert design.dims == (220, 585, 11)
    assert (design.architecture.n_heads, design.architecture.head_width) == heads
