"""With embedding_ratio="auto" the shape leads: the search is exact, and its designs are ones that people build."""

import dataclasses
import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture, ModelDims
from slimlm.core.config import ModelConfig
from slimlm.core.design import distance
from slimlm.serialization.fields import TOTALS, VOCABULARIES
from slimlm.solver.solver import BudgetError, solve
from tests.solver.test_solver import answer, answered, check_design, neighbours, out_of_reach, random_request
from tests.strategies import head_counts, rank, requests, structured_requests, try_all, try_all_depths

AUTO = ModelConfig(embedding_ratio="auto", n_heads="auto")


def random_auto_request(rng: random.Random, low: float, high: float) -> ModelConfig:
    return dataclasses.replace(random_request(rng, low, high), embedding_ratio="auto")


@pytest.mark.parametrize("seed", range(4))
def test_no_better_shape_exists(seed: int) -> None:
    rng = random.Random(seed)
    answers = []
    for _ in range(60):
        config = random_auto_request(rng, 1e5, 2e7)
        answers.append(answer(config))
        assert answers[-1] == answered(try_all_depths(config)), config
    assert 0 < answers.count(None) < 30, "the requests are of both kinds"


@pytest.mark.parametrize("seed", range(2))
def test_no_better_shape_exists_among_all_that_can_be_tried_one_by_one(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        config = random_auto_request(rng, 30, 10_000)
        assert answer(config) == answered(try_all(config)) == answered(try_all_depths(config)), config


@given(requests(1_000_000, 100_000_000_000) | structured_requests(1_000_000, 100_000_000_000))
@settings(deadline=timedelta(seconds=5), max_examples=200)
def test_shapes_keep_every_promise_over_the_whole_range(asked: ModelConfig) -> None:
    config = dataclasses.replace(asked, embedding_ratio="auto")
    found = answer(config)
    if found is None:
        assert out_of_reach(config)
        return
    design, (dims, heads) = solve(config), found
    check_design(design)
    chosen = rank(config, *dims, heads if config.n_heads == "auto" else None)
    assert chosen is not None
    assert all(chosen <= neighbour for neighbour in neighbours(config, dims))
    assert design.cost == distance(config, dims) == pytest.approx(chosen.cost, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("vocab_size", [4096, 16_000, 49_152, 128_256])
def test_every_total_has_a_shape_that_people_build(vocab_size: int) -> None:
    """Where the vocabulary's table leaves half of the budget, all targets are met and the shape is an ordinary one."""
    shapes = []
    for total in (total for total in TOTALS if 1_000_000 <= total <= 10_000_000_000):
        try:
            design = solve(dataclasses.replace(AUTO, total_params=total, vocab_size=vocab_size))
        except BudgetError:
            assert vocab_size * 16 > total / 2
            continue
        if design.account.embedding_ratio < 0.5:
            assert all(abs(target.miss) < 0.12 for target in design.targets), design
            assert 4 <= design.architecture.n_layers <= 48
            assert 16 <= design.architecture.head_width <= 256
            shapes.append(design.dims)
    assert len(shapes) > 20
    assert shapes == sorted(shapes, key=lambda dims: dims.d_model * dims.n_layers), "larger totals give larger models"


@given(st.sampled_from(VOCABULARIES))
def test_every_vocabulary_leaves_an_ordinary_shape_at_a_hundred_million(vocab_size: int) -> None:
    design = solve(dataclasses.replace(AUTO, total_params=100_000_000, vocab_size=vocab_size))
    assert all(abs(target.miss) < 0.12 for target in design.targets)


def test_the_ratio_is_an_outcome() -> None:
    design = solve(AUTO)
    assert design.dims == ModelDims(246, 668, 8)
    assert [target.name for target in design.targets] == ["total_params", "aspect_ratio", "glu_expansion"]
    assert design.account.embedding_ratio == pytest.approx(0.396, abs=0.001)


@pytest.mark.parametrize(
    ("total", "vocab_size"), [(620_713_461_248, 152), (70_278_580_809, 6529), (8_391_148_790, 2301)]
)
def test_of_heads_that_cost_the_same_those_with_the_smaller_miss_are_taken_however_small_the_cost(
    total: int, vocab_size: int
) -> None:
    asked = dataclasses.replace(AUTO, total_params=total, vocab_size=vocab_size, n_kv_heads=2, positions="rope")
    config = dataclasses.replace(asked, norm="rmsnorm")
    design = solve(config)
    assert 0 < design.cost < 1e-6
    misses = {
        heads: abs(count_total(Architecture.of(config, design.dims, heads)) - total)
        for heads in head_counts(config, design.dims.d_model)
    }
    assert misses[design.architecture.n_heads] == min(misses.values())
