"""The solver is exact for mixtures and latents, with a total or with active parameters as the budget."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.architecture import Architecture, ModelDims
from slimlm.core.budget import count_params
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.solver.alternatives import alternatives
from slimlm.solver.inverse import request_like
from slimlm.solver.scaling import scaled
from slimlm.solver.search import SearchSpace
from slimlm.solver.solver import BudgetError, solve
from tests.core.test_expert_account import DEEPSEEK_V3, MIXTRAL
from tests.mixtures import extras
from tests.solver.test_solver import answer, answered, random_request
from tests.strategies import counted_form, fewer_dense_layers, head_counts, structured_requests, try_all

SMALL: dict[str, Any] = {"n_experts": 4, "n_shared_experts": 1, "n_dense_layers": 1}


def with_experts(rng: random.Random, config: ModelConfig) -> ModelConfig:
    """Give a request experts, latents, or both."""
    kind, changes = rng.choice(["experts", "latents", "both"]), dict[str, Any]()
    if kind != "latents":
        dense = rng.choice([0, 0, 1, 2])
        dense = min(dense, (config.n_layers or 9) - 1)
        changes |= {
            "n_experts": rng.choice([2, 3, 4]),
            "n_shared_experts": rng.choice([0, 1]),
            "n_dense_layers": dense,
            "d_dense": rng.choice([None, 5]) if dense else None,
            "bias": {"ffn": "none", "all": "attention"}.get(config.bias, config.bias),
        }
    if kind != "experts":
        changes |= {"kv_lora_rank": rng.choice([2, 8]), "q_lora_rank": rng.choice([None, 4]), "qk_rope_head_dim": 2}
        changes |= {"positions": "rope", "n_kv_heads": None, "qk_norm": "none", "head_dim": None}
        changes |= {"n_heads": 2 if config.n_heads == "auto" else config.n_heads}
    return replace(config, **changes)


@pytest.mark.parametrize("ratio", ["asked", "auto"])
@pytest.mark.parametrize("budget", ["total", "active"])
def test_no_better_design_exists(budget: Any, ratio: str) -> None:
    rng, answers = random.Random(5), []
    for _ in range(40):
        config = replace(with_experts(rng, random_request(rng, 300, 20_000)), budget=budget)
        config = replace(config, embedding_ratio="auto") if ratio == "auto" else config
        answers.append(answer(config))
        assert answers[-1] == answered(try_all(config)), config
    assert 0 < answers.count(None) < 35, "the requests are of both kinds"


@given(structured_requests(10_000_000, 10_000_000), st.data())
@settings(deadline=None, max_examples=60)
def test_the_polynomials_count_what_the_budget_counts(asked: ModelConfig, data: st.DataObject) -> None:
    fields = {name: getattr(asked, name) for name in ModelConfig.__dataclass_fields__}
    structure = fields | ({"n_heads": 2, "head_dim": None, "n_kv_heads": None} if asked.n_heads == "auto" else {})
    kind = data.draw(st.sampled_from(["total", "active", "non_embedding"]))
    config = ModelConfig(**fewer_dense_layers(data.draw(extras(structure))) | {"budget": kind})
    space, x, n_layers = SearchSpace(config), data.draw(st.integers(1, 99)), data.draw(st.integers(1, 9))
    dims = ModelDims(space.width_grain * x, space.grain * 7, config.n_dense_layers + n_layers)
    for level in space.levels(x):
        architecture = Architecture.of(config, dims, level.n_heads)
        assert level.total(7, n_layers) == count_params(architecture, config.budget)
    totals = {level.total(7, n_layers) for level in space.levels(x)}
    assert totals == {counted_form(config, *dims, heads) for heads in head_counts(config, dims.d_model)}


def test_heads_of_the_solver_change_the_dense_layers_too() -> None:
    config = ModelConfig(total_params=3_000_000, n_heads="auto", n_kv_heads=2, vocab_size=512, **SMALL)
    assert answer(config) is not None
    for level in SearchSpace(config).levels(64):
        arch = Architecture.of(config, ModelDims(256, 7, 4), level.n_heads)
        assert level.total(7, 3) == count_params(arch, "total")


def test_an_active_budget_is_met_by_what_a_token_uses() -> None:
    design = solve(ModelConfig(total_params=20_000_000, budget="active", n_experts=16, experts_per_token=2))
    total, ratio, _ = design.targets
    assert abs(total.miss) <= 0.005
    assert total.actual == design.account.active_params < design.total_params / 2
    assert ratio.actual == design.account.embedding_params / design.account.active_params


def test_a_budget_too_small_for_the_experts_says_what_would_work() -> None:
    with pytest.raises(BudgetError, match=r"the smallest such model .* has [\d,]+ parameters") as caught:
        solve(ModelConfig(total_params=100_000, n_experts=64, n_layers=30, n_dense_layers=2))
    assert caught.value.suggestions
    for suggestion in caught.value.suggestions:
        solve(suggestion.config)


@pytest.mark.parametrize("arch", [MIXTRAL, DEEPSEEK_V3], ids=["Mixtral", "DeepSeek-V3"])
def test_a_request_leads_to_a_published_mixture(arch: Architecture) -> None:
    assert solve(request_like(arch)).architecture == arch


@pytest.mark.parametrize("arch", [MIXTRAL, DEEPSEEK_V3], ids=["Mixtral", "DeepSeek-V3"])
def test_a_published_mixture_is_scaled_down(arch: Architecture) -> None:
    small = scaled(arch, 1_000_000_000)
    assert abs(small.total_params / 1e9 - 1) <= 0.005
    found = small.architecture
    assert (found.n_experts, found.n_dense_layers, found.router) == (arch.n_experts, arch.n_dense_layers, arch.router)


def test_alternatives_keep_the_experts() -> None:
    found = alternatives(ModelConfig(**SMALL, total_params=30_000_000))
    assert found
    assert all(isinstance(one.design, Design) and one.design.architecture.n_experts == 4 for one in found)
