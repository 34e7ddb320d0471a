"""What no model meets is refused with what clashes and what would work."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from slimlm.core.config import ModelConfig
from slimlm.solver.solver import BudgetError, compute_model_dims, solve
from tests.solver.test_solver import HANG, answer, check_design
from tests.strategies import (
    closed_form,
    grain_of,
    impossible_requests,
)


@given(impossible_requests())
@settings(deadline=HANG)
def test_a_budget_error_names_what_clashes_and_what_would_work(config: ModelConfig) -> None:
    with pytest.raises(BudgetError, match=f"^total_params={config.total_params:,} ") as caught:
        solve(config)
    suggestions = caught.value.suggestions
    assert suggestions[0].field == "total_params"
    for suggestion in suggestions:
        assert suggestion.config == replace(config, **{suggestion.field: suggestion.value})  # type: ignore[arg-type]
        check_design(solve(suggestion.config))
        assert str(suggestion) in str(caught.value).split("any one of these would work: ")[1].split(", ")
        if suggestion.field != "total_params":
            assert f"{suggestion.field}={getattr(config, suggestion.field)}" in str(caught.value).split(": ")[0]


@given(impossible_requests())
@settings(deadline=HANG)
def test_suggestions_go_no_further_than_needed(config: ModelConfig) -> None:
    with pytest.raises(BudgetError, match=r"^total_params=") as caught:
        solve(config)
    smallest = closed_form(config, grain_of(config), config.multiple_of, config.n_layers or 1)
    values = {suggestion.field: suggestion.value for suggestion in caught.value.suggestions}
    assert values["total_params"] == smallest
    assert answer(replace(config, total_params=max(1, smallest * 99 // 100))) is None
    for field in values.keys() & {"vocab_size", "max_seq_length"}:
        value = values[field]
        assert isinstance(value, int)
        one_more: dict[str, int] = {field: value + 1}
        assert answer(replace(config, **one_more)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            ModelConfig(total_params=1000),
            "total_params=1,000 is out of reach: the smallest such model (d_model=8, d_ff=1, n_layers=1) "
            "has 132,424 parameters; any one of these would work: total_params=132424",
        ),
        (
            ModelConfig(total_params=1_000_000, vocab_size=262_144, n_heads=128),
            "total_params=1,000,000 clashes with vocab_size=262144, n_heads=128: the smallest such model "
            "(d_model=128, d_ff=1, n_layers=1) has 33,686,656 parameters; any one of these would work: "
            "total_params=33686656, vocab_size=6818, n_heads=2",
        ),
        (
            ModelConfig(total_params=5_000_000, vocab_size=1000, n_layers=24, multiple_of=128),
            "total_params=5,000,000 clashes with multiple_of=128, n_layers=24: the nearest such totals are "
            "4,138,240 and 5,317,888; any one of these would work: total_params=5317888, total_params=4138240, "
            "multiple_of=32, n_layers=None",
        ),
        (
            ModelConfig(total_params=1_000_000, n_layers=10**12, multiple_of=65_536),
            "total_params=1,000,000 is out of reach: the smallest such model (d_model=65536, d_ff=65536, "
            "n_layers=1000000000000) has 30,065,033,216,001,082,261,504 parameters",
        ),
        (
            ModelConfig(total_params=1000, n_heads="auto"),
            "total_params=1,000 is out of reach: the smallest such model (d_model=16, d_ff=1, n_layers=1) "
            "has 265,360 parameters; any one of these would work: total_params=265360",
        ),
        (
            ModelConfig(total_params=1_000_000, n_heads=12, n_kv_heads=4, vocab_size=100_000),
            "total_params=1,000,000 clashes with vocab_size=100000, n_heads=12: the smallest such model "
            "(d_model=12, d_ff=1, n_layers=1) has 1,206,636 parameters; any one of these would work: "
            "total_params=1206636, vocab_size=83197, n_heads=8",
        ),
        (
            ModelConfig(n_heads="auto", n_kv_heads=255, multiple_of=65_536),
            "total_params=10,000,000 is out of reach: no d_model that is a multiple of 65536 has heads from 16 to 256 "
            "wide in groups of n_kv_heads=255",
        ),
    ],
)
def test_budget_error_text(config: ModelConfig, message: str) -> None:
    with pytest.raises(BudgetError, match=f"^{re.escape(message)}$"):
        solve(config)


def test_totals_between_the_nearest_two_are_out_of_reach() -> None:
    config = ModelConfig(total_params=5_000_000, vocab_size=1000, n_layers=24, multiple_of=128)
    with pytest.raises(BudgetError, match="the nearest such totals are ") as caught:
        solve(config)
    above, below = (other.config for other in caught.value.suggestions if other.field == "total_params")
    assert below.total_params < config.total_params < above.total_params
    assert [solve(other).total_params for other in (below, above)] == [below.total_params, above.total_params]
    between = np.linspace(below.total_params / 0.9949, above.total_params / 1.0051, 50)
    assert [answer(replace(config, total_params=round(total))) for total in between] == [None] * 50


def test_a_budget_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"^total_params=1 is out of reach: "):
        compute_model_dims(ModelConfig(total_params=1))
