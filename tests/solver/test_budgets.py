"""Budgets of non-embedding parameters, active parameters and bytes are met as exactly as a total."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.architecture import Architecture, ModelDims
from slimlm.core.budget import count_params, in_budget_unit, target_params, target_table_params, window
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.solver.alternatives import alternatives
from slimlm.solver.inverse import request_like
from slimlm.solver.search import SearchSpace
from slimlm.solver.solver import BudgetError, solve
from slimlm.utils.validation import FieldError
from tests.solver.test_solver import answer, answered, check_design, neighbours, out_of_reach, random_request
from tests.strategies import (
    accepted,
    budget_params,
    counted_form,
    head_counts,
    log_spaced,
    rank,
    requests,
    structured_requests,
    try_all,
    try_all_depths,
)

BUDGETS: list[dict[str, Any]] = [
    {"budget": "non_embedding"},
    {"budget": "active"},
    *({"budget": "bytes", "budget_precision": word} for word in ("fp32", "bf16", "int8", "int4")),
]
SMALL: dict[str, Any] = {"vocab_size": 50_432, "positions": "rope", "norm": "rmsnorm", "tied_lm_head": False}

some_budget = st.sampled_from(BUDGETS)


@pytest.mark.parametrize("ratio", ["asked", "auto"])
@pytest.mark.parametrize("budget", BUDGETS, ids=lambda budget: "-".join(budget.values()))
def test_no_better_design_exists(budget: dict[str, Any], ratio: str) -> None:
    rng = random.Random(7)
    answers = []
    for _ in range(40):
        config = replace(random_request(rng, 1e5, 1e7), **budget)
        config = replace(config, embedding_ratio="auto") if ratio == "auto" else config
        answers.append(answer(config))
        assert answers[-1] == answered(try_all_depths(config)), config
    assert 0 < answers.count(None) < 25, "the requests are of both kinds"


@pytest.mark.parametrize("ratio", ["asked", "auto"])
@pytest.mark.parametrize("budget", BUDGETS, ids=lambda budget: "-".join(budget.values()))
def test_no_better_design_exists_among_all_that_can_be_tried_one_by_one(budget: dict[str, Any], ratio: str) -> None:
    rng = random.Random(11)
    for _ in range(20):
        config = replace(random_request(rng, 30, 5_000), **budget)
        config = replace(config, embedding_ratio="auto") if ratio == "auto" else config
        assert answer(config) == answered(try_all(config)) == answered(try_all_depths(config)), config


@given(requests(1_000_000, 10_000_000_000) | structured_requests(1_000_000, 10_000_000_000), some_budget, st.booleans())
@settings(deadline=timedelta(seconds=5), max_examples=150)
def test_designs_keep_every_promise(asked: ModelConfig, budget: dict[str, Any], shape_leads: bool) -> None:
    config = replace(asked, **budget)
    config = replace(config, embedding_ratio="auto") if shape_leads else config
    found = answer(config)
    if found is None:
        assert out_of_reach(config)
        return
    check_design(solve(config))
    dims, heads = found
    chosen = rank(config, *dims, heads if config.n_heads == "auto" else None)
    assert chosen is not None
    assert all(chosen <= neighbour for neighbour in neighbours(config, dims))
    assert solve(config).cost == pytest.approx(chosen.cost, rel=1e-9, abs=1e-15)


@given(log_spaced(1, 10**15), some_budget)
def test_a_window_is_half_a_percent_on_either_side(total: int, budget: dict[str, Any]) -> None:
    config = ModelConfig(total_params=total, **budget)
    assert window(config) == accepted(config)
    assert target_params(config) == max(1, int(budget_params(config)))
    low, high = window(config)
    for end in (low, high) if low <= high else ():  # no whole number of parameters has 1 byte in fp32
        assert abs(in_budget_unit(config, end) - total) <= 0.005 * total * (1 + 1e-12)


@given(structured_requests(10_000_000, 10_000_000), some_budget, st.integers(1, 300), st.integers(1, 99))
@settings(deadline=None, max_examples=60)
def test_the_polynomials_count_what_the_budget_counts(
    asked: ModelConfig, budget: dict[str, Any], x: int, n_layers: int
) -> None:
    config = replace(asked, **budget)
    space = SearchSpace(config)
    dims = ModelDims(space.width_grain * x, space.grain * 7, n_layers)
    for level in space.levels(x):
        architecture = Architecture.of(config, dims, level.n_heads)
        assert level.total(7, n_layers) == count_params(architecture, config.budget)
    totals = {level.total(7, n_layers) for level in space.levels(x)}
    assert totals == {counted_form(config, *dims, heads) for heads in head_counts(config, dims.d_model)}


def test_a_model_of_1_3_million_outside_its_tables() -> None:
    asked = ModelConfig(total_params=1_300_000, budget="non_embedding", glu_expansion=2, embedding_ratio=0.95, **SMALL)
    design = solve(asked)
    assert design.dims == (256, 508, 2)
    assert design.account.non_embedding_params == 1_305_856
    assert design.total_params == 1_305_856 + 2 * 50_432 * 256 == 27_127_040
    assert [target.actual for target in design.targets] == [1_305_856, design.account.embedding_ratio, 508 / 256]


def test_sixteen_megabytes_in_int8() -> None:
    design = solve(ModelConfig(total_params=16_000_000, budget="bytes"))
    assert 15_920_000 <= design.total_params <= 16_080_000
    half = solve(ModelConfig(total_params=16_000_000, budget="bytes", budget_precision="bf16"))
    assert 7_960_000 <= half.total_params <= 8_040_000
    assert solve(ModelConfig(total_params=16_000_000)).architecture == design.architecture


def test_the_ratio_is_a_share_of_all_parameters() -> None:
    asked = ModelConfig(total_params=6_500_000, budget="non_embedding", embedding_ratio=0.35, n_heads=2)
    assert target_table_params(asked) == pytest.approx(3_500_000)
    design = solve(asked)
    assert design.account.embedding_ratio == pytest.approx(0.35, abs=0.01)
    assert design.total_params == pytest.approx(10_000_000, rel=0.02)


def test_a_ratio_that_follows_from_the_shape_has_no_target() -> None:
    with pytest.raises(TypeError, match="embedding_ratio='auto' has no target"):
        target_table_params(ModelConfig(embedding_ratio="auto"))


@pytest.mark.parametrize("budget", BUDGETS, ids=lambda budget: "-".join(budget.values()))
def test_alternatives_meet_the_budget(budget: dict[str, Any]) -> None:
    others = alternatives(ModelConfig(**budget))
    assert len(others) > 3
    for other in others:
        check_design(other.design)
        assert solve(other.request).architecture == other.design.architecture


def test_an_architecture_has_a_request_again() -> None:
    design = solve(ModelConfig(total_params=1_300_000, budget="non_embedding", embedding_ratio=0.9, **SMALL))
    again = request_like(design.architecture)
    assert (again.budget, again.total_params) == ("total", design.total_params)
    assert solve(again).architecture == design.architecture


def test_an_impossible_budget_is_refused_in_its_own_unit() -> None:
    asked = ModelConfig(total_params=1000, budget="non_embedding")
    message = (
        r"^total_params=1,000 \(non-embedding parameters\) clashes with max_seq_length=512, n_heads=8: the smallest "
        r"such model \(d_model=8, d_ff=1, n_layers=1\) has 4,424 non-embedding parameters; any one of these would "
        r"work: total_params=4424, max_seq_length=84, n_heads=1$"
    )
    with pytest.raises(BudgetError, match=message) as refused:
        solve(asked)
    for suggestion in refused.value.suggestions:
        assert suggestion.config.budget == "non_embedding"
        check_design(solve(suggestion.config))


def test_impossible_bytes_are_refused_in_bytes() -> None:
    message = (
        r"total_params=1,000 \(bytes in bf16\) is out of reach: .* has 264,848 bytes in bf16; .*total_params=264848$"
    )
    with pytest.raises(BudgetError, match=message):
        solve(ModelConfig(total_params=1000, budget="bytes", budget_precision="bf16"))


@given(requests(100_000, 100_000), some_budget)
@settings(deadline=None, max_examples=25)
def test_every_suggestion_works(asked: ModelConfig, budget: dict[str, Any]) -> None:
    try:
        check_design(solve(replace(asked, **budget)))
    except BudgetError as error:
        for suggestion in error.suggestions:
            check_design(solve(suggestion.config))


def test_a_design_that_misses_its_budget_is_refused() -> None:
    architecture = Architecture(d_model=216, d_ff=544, n_layers=12)
    with pytest.raises(FieldError, match="has 6,591,024 non-embedding parameters; total_params=6591024 would work"):
        Design(ModelConfig(budget="non_embedding"), architecture)
    with pytest.raises(FieldError, match="has 20,094,048 bytes in bf16; total_params=20094048 would work"):
        Design(ModelConfig(budget="bytes", budget_precision="bf16"), architecture)
    assert Design(ModelConfig(total_params=6_591_024, budget="non_embedding"), architecture).targets[0].miss == 0


@pytest.mark.parametrize(("field", "value"), [("budget", "layers"), ("budget_precision", "int3")])
def test_an_unknown_budget_is_refused(field: str, value: str) -> None:
    with pytest.raises(FieldError, match=f"{field}='{value}' is not allowed: it must be one of '.*would work"):
        ModelConfig(**{field: value})  # type: ignore[arg-type]
