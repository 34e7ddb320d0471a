"""Counts at the ends of ranges of widths: no head makes a layer smaller or larger; bounds from them are kept."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.config import ModelConfig
from slimlm.solver.shape_search import search_space
from slimlm.solver.width_counts import Counts
from tests.mixtures import expert_options, extras
from tests.strategies import fewer_dense_layers, structured_requests

PLAIN = structured_requests(100_000, 10**9)


@st.composite
def mixtures(draw: st.DrawFn) -> ModelConfig:
    """Draw requests with experts, or with latents where the heads are given."""
    fields = dict(vars(draw(PLAIN)))
    if fields["n_heads"] == "auto":
        fields |= draw(expert_options()) | {"bias": "none"}
    else:
        fields = draw(extras(fields))
    return ModelConfig(**fewer_dense_layers(fields))


ASKED = PLAIN | mixtures()


def test_counts_give_the_d_ff_that_fills_a_total() -> None:
    sizes = {"fixed": 1000.0, "layer": 200.0, "slope": 3.0, "target": 100.0, "target_layer": 500.0}
    counts = Counts(x=1.0, log_width=0.0, **sizes, layers=(200.0, 0.0, 0.0))
    assert counts.grains(2, 2000) == 100.0
    assert counts.expansion_at(2, 2000) == 0.0
    assert counts.expansion(200.0) == pytest.approx(math.log(2))
    assert counts.expansion_at(5, 2000) == -math.inf


@given(ASKED, st.integers(1, 400))
def test_the_layers_of_a_width_lie_between_those_of_the_ends(config: ModelConfig, x: int) -> None:
    space = search_space(config)
    narrow, wide = space.counts.narrow(x), space.counts.wide(x)
    for level in space.levels(x):
        assert narrow.layer * (1 - 1e-9) <= level.layer <= wide.layer * (1 + 1e-9)
        assert narrow.fixed * (1 - 1e-9) <= level.fixed <= wide.fixed * (1 + 1e-9)
        assert narrow.slope == pytest.approx(level.slope)
        exact = narrow.layer + narrow.slope * config.glu_expansion * level.d_model / config.multiple_of
        assert narrow.target_layer == pytest.approx(exact)
    assert narrow.log_width == math.log(space.width_grain * x)


@settings(max_examples=300)
@given(ASKED, st.booleans(), st.integers(0, 300), st.integers(0, 12), st.sampled_from([math.inf, 1.0, 0.01, 0.0]))
def test_no_design_of_a_range_costs_less_than_its_bound(
    asked: ModelConfig, shape_leads: bool, start: int, length: int, enough: float
) -> None:
    space = search_space(replace(asked, embedding_ratio="auto") if shape_leads else asked)
    first = space.min_width + start % max(1, space.max_width - space.min_width + 1)
    bound = space.bound(first, first + length, enough)
    found = [space.nearest_at(x, None) for x in range(first, first + length + 1)]
    assert all(best.cost >= bound for best in found if best)


@given(ASKED, st.integers(0, 300))
def test_no_design_of_a_level_costs_less_than_the_least(config: ModelConfig, start: int) -> None:
    space = search_space(config)
    levels = list(space.levels(space.min_width + start))
    least = [level.least_cost() for level in levels]
    assert all(level.cost(f) >= cost for level, cost in zip(levels, least, strict=True) for f in level.nearest_grains())
    assert least == sorted(least), "larger layers cost no less, so that the first that costs too much ends a search"
