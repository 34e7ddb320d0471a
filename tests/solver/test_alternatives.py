"""Alternatives are other good designs, and each can be asked for."""

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.config import ModelConfig
from slimlm.solver.alternatives import Alternative, alternatives
from slimlm.solver.solver import BudgetError, solve
from tests.strategies import requests

FIELDS = {"heads": "n_heads", "alignment": "multiple_of", "depth": "n_layers", "width": "embedding_ratio"}


def changed(asked: ModelConfig, other: ModelConfig) -> list[str]:
    return [f.name for f in dataclasses.fields(asked) if getattr(asked, f.name) != getattr(other, f.name)]


def found_for(config: ModelConfig) -> tuple[Alternative, ...]:
    """Return the alternatives; none for a request that is impossible itself."""
    try:
        solve(config)
    except BudgetError:
        with pytest.raises(BudgetError, match=r"^total_params="):
            alternatives(config)
        return ()
    return alternatives(config)


def test_the_first_at_the_default_meets_ratio_and_expansion() -> None:
    best = alternatives(ModelConfig())[0]
    assert (best.kind, best.change) == ("heads", "5 heads")
    assert best.design.dims == (220, 585, 11)
    assert best.design.total_params == 10_019_460
    _, ratio, expansion = best.design.targets
    assert abs(ratio.miss) < 0.01
    assert abs(expansion.miss) < 0.01
    assert best.design.cost < solve(ModelConfig()).cost


def test_heads_depths_and_alignments_are_offered_at_the_default() -> None:
    found = alternatives(ModelConfig(), limit=16)
    assert {other.kind for other in found} == FIELDS.keys() - {"width"}  # the widths nearby are those of other depths
    assert {"11 layers", "multiples of 64"} <= {other.change for other in found}


def test_widths_are_offered_with_the_ratio_that_asks_for_them() -> None:
    found = alternatives(ModelConfig(total_params=1_000_000, vocab_size=8000))
    widths = {other.change: other for other in found if other.kind == "width"}
    assert widths["d_model 48"].design.dims == (48, 129, 21)
    assert widths["d_model 48"].request.embedding_ratio == pytest.approx(8000 * 48 / 1_000_000)


@given(requests(1_000_000, 10_000_000_000))
@settings(deadline=timedelta(seconds=10), max_examples=60)
def test_each_is_another_good_design_that_can_be_asked_for(config: ModelConfig) -> None:
    chosen, found = None, found_for(config)
    if found:
        chosen = solve(config).dims
    for other in found:
        assert solve(other.request).architecture == other.design.architecture
        assert changed(config, other.request) == [FIELDS[other.kind]]
        knobs = {knob.name: knob.target for knob in other.design.targets}
        assert knobs == {name: getattr(config, name) for name in knobs}, "judged against the original request"
        assert 1000 * abs(other.design.total_params - config.total_params) <= 5 * config.total_params
        assert other.design.dims != chosen
    assert len({other.design.dims for other in found}) == len(found)
    costs = [other.design.cost for other in found]
    assert costs == sorted(costs)


@given(requests(1_000_000, 1_000_000_000))
@settings(deadline=timedelta(seconds=10), max_examples=40)
def test_the_change_is_named(config: ModelConfig) -> None:
    for other in found_for(config):
        request = other.request
        layers = {None: "depth left open", 1: "1 layer"}.get(request.n_layers, f"{request.n_layers} layers")
        aligned = f"multiples of {request.multiple_of}" if request.multiple_of > 1 else "no alignment"
        heads = f"{request.n_heads} heads" if request.n_heads != 1 else "1 head"
        width = f"d_model {other.design.dims.d_model:,}"
        assert other.change == {"heads": heads, "depth": layers, "width": width, "alignment": aligned}[other.kind]


def test_a_pinned_depth_can_be_left_open() -> None:
    opened = [other for other in alternatives(ModelConfig(n_layers=3)) if other.change == "depth left open"]
    assert [other.request for other in opened] == [ModelConfig()]
    assert opened[0].design.dims == solve(ModelConfig()).dims


@given(st.integers(1, 16))
@settings(deadline=timedelta(seconds=10))
def test_the_limit_is_kept_and_no_kind_crowds_out_the_others(limit: int) -> None:
    found = alternatives(ModelConfig(), limit)
    kinds = [other.kind for other in found]
    assert 1 <= len(found) <= limit
    assert max(kinds.count(kind) for kind in kinds) <= max(1, limit // 4)
    assert found[0] == alternatives(ModelConfig())[0], "the nearest comes first whatever the limit"


def test_head_widths_are_usual_ones() -> None:
    heads = [other for other in alternatives(ModelConfig(total_params=125_000_000), 100) if other.kind == "heads"]
    assert len(heads) >= 2
    assert all(
        16 <= head_dim <= 256 and head_dim % 2 == 0 for head_dim in (o.design.architecture.head_width for o in heads)
    )


def test_an_impossible_request_has_no_alternatives() -> None:
    with pytest.raises(BudgetError, match=r"^total_params=1,000 is out of reach: .*: total_params=132424$"):
        alternatives(ModelConfig(total_params=1000))


def test_heads_that_the_solver_chose_are_chosen_anew_for_other_depths_and_widths() -> None:
    others = alternatives(
        ModelConfig(n_heads="auto", total_params=125_000_000, vocab_size=32_000, embedding_ratio=0.15)
    )
    assert {"alignment", "depth", "width"} <= {other.kind for other in others}
    assert all(other.request.n_heads != "auto" for other in others if other.kind == "heads")
    assert all(other.request.n_heads == "auto" for other in others if other.kind != "heads")
    assert all(solve(other.request).architecture == other.design.architecture for other in others)


def test_grouped_heads_stay_grouped() -> None:
    others = alternatives(ModelConfig(n_kv_heads=2, positions="rope", norm="rmsnorm"))
    assert {other.design.architecture.kv_heads for other in others} == {2}
    assert all(other.design.architecture.n_heads % 2 == 0 for other in others)
