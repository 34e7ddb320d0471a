"""Whatever is asked for, the answer is a valid design or one clear sentence, after work that is bounded and counted."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.table import format_param_table
from slimlm.solver.alternatives import alternatives
from slimlm.solver.search import MOST_WORK, SearchSpace
from slimlm.solver.solver import BudgetError, solve
from slimlm.utils.formatting import format_count, format_size, parse_size
from tests.strategies import (
    accepted,
    any_requests,
    anything_allowed,
    closed_form,
    counted_form,
    limits_of,
    structured_requests,
)

LONGEST_SENTENCE = 1_000
"""Characters of the longest message: one that names every knob, or every remedy."""


class Unwritable:
    """A value that cannot be written, compared or hashed."""

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError("not to be written")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")


class Lines:
    """A value that is written on several lines, with a terminal's control characters."""

    def __repr__(self) -> str:
        return "one\ntwo\r\N{LINE SEPARATOR}\x1b[31mthree"


def deep_list(depth: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    return nested


NUMBERS = [0, -1, 10**400, -(10**400), 10**5000, math.nan, math.inf, -math.inf, -0.0, 1e308, 5e-324, 1j]
TEXTS = [
    "",
    " ",
    "10",
    "1e3",
    "auto",
    "None",
    "٣",
    "１０",
    "½",
    "\ud800",
    "\x00",
    "a\nb",
    "x" * 15_000,
    "9" * 5_000,
]
SCALARS = [np.int64(8), np.float64(0.35), np.float64("nan"), np.float32(0.35), np.bool_(True), np.str_("rmsnorm")]
OTHERS = [True, False, None, b"10", b"x" * 20_000, Decimal(8), Decimal("sNaN"), Fraction(1, 3), [], [1], {}, {1: 2}]
OBJECTS = [
    deep_list(5_000),
    np.zeros((3, 3)),
    np.array(["layernorm", "x"]),
    object,
    Unwritable(),
    Lines(),
    len,
    range(3),
]
HOSTILE: list[Any] = [*NUMBERS, *TEXTS, *SCALARS, *OTHERS, *OBJECTS]

hostile = (
    st.integers(0, len(HOSTILE) - 1).map(lambda place: HOSTILE[place])
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals()
)


def sentence_of(error: ValueError) -> str:
    """Return an error's message after holding it against the rules for one: short, one line, printable."""
    message = str(error)
    assert 0 < len(message) <= LONGEST_SENTENCE
    assert message.isprintable()
    return message


def refusal(call: Callable[..., object], *arguments: Any) -> str:
    """Return the sentence with which a call refuses its arguments; empty when it takes them."""
    try:
        call(*arguments)
    except ValueError as error:
        return sentence_of(error)
    return ""


@contextmanager
def counted() -> Iterator[list[SearchSpace]]:
    """Collect every search that is made meanwhile: its `work` counts the ranges and widths that it looks at."""
    spaces: list[SearchSpace] = []
    make = SearchSpace.__init__

    def collect(space: SearchSpace, config: ModelConfig) -> None:
        make(space, config)
        spaces.append(space)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SearchSpace, "__init__", collect)
        yield spaces


def check_work(spaces: list[SearchSpace]) -> None:
    """Hold searches against the two limits that bound the work of a call: of each, and of how many there are."""
    assert len(spaces) <= 80
    assert all(space.work <= MOST_WORK + 2_000 for space in spaces)


def check_answer(config: ModelConfig) -> None:
    """Hold the answer to a request against what every answer promises."""
    try:
        design = solve(config)
    except BudgetError as error:
        assert sentence_of(error).startswith(f"total_params={config.total_params:,} ")
        return
    found = account(design.architecture)
    heads = design.architecture.n_heads if config.n_heads == "auto" else None
    assert found.total_params == closed_form(config, *design.dims, heads)
    low, high = accepted(config)
    assert low <= counted_form(config, *design.dims, heads) <= high


def fields_of(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


SIZES = {"d_model": 64, "d_ff": 64, "n_layers": 2}


@pytest.mark.parametrize(("cls", "rest"), [(ModelConfig, {}), (Architecture, SIZES)], ids=["request", "architecture"])
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: type(value).__name__)
def test_each_field_takes_a_value_or_names_itself_in_a_sentence(cls: type, rest: dict[str, Any], value: Any) -> None:
    for name in fields_of(cls):
        try:
            made = cls(**rest | {name: value})
        except ValueError as error:
            assert f"{name}=" in sentence_of(error)
            assert " is not allowed" in str(error)
        else:
            check_answer(made) if isinstance(made, ModelConfig) else account(made)


@st.composite
def wild_fields(draw: st.DrawFn, cls: type) -> dict[str, Any]:
    """Draw values for some fields: hostile ones in a quarter of all cases, else allowed ones."""
    names = draw(st.lists(st.sampled_from(fields_of(cls)), unique=True, max_size=8))
    allowed = {name: anything_allowed(cls, name) for name in names}
    return {name: draw(hostile if draw(st.integers(0, 3)) == 0 else allowed[name]) for name in names}


@given(wild_fields(ModelConfig))
@settings(deadline=None, max_examples=200)
def test_any_fields_together_are_a_design_or_a_sentence(fields: dict[str, Any]) -> None:
    try:
        config = ModelConfig(**fields)
    except ValueError as error:
        assert any(f"{name}=" in sentence_of(error) for name in fields)
    else:
        check_answer(config)


@given(wild_fields(Architecture))
@settings(deadline=None, max_examples=200)
def test_any_architecture_is_counted_or_refused_in_a_sentence(fields: dict[str, Any]) -> None:
    try:
        made = Architecture(**SIZES | fields)
    except ValueError as error:
        assert any(f"{name}=" in sentence_of(error) for name in SIZES | fields)
    else:
        assert account(made).total_params == closed_form(made, made.d_model, made.d_ff, made.n_layers)


def test_the_largest_architecture_is_counted_exactly_and_written() -> None:
    whole = {
        name: limits_of(Architecture, name).high for name in ("d_model", "d_ff", "n_layers", "n_heads", "head_dim")
    }
    most = {"vocab_size": 10**8, "max_seq_length": 10**8, "bias": "all", "qk_norm": "full", "tied_lm_head": False}
    largest = Architecture(**whole, **most)  # type: ignore[arg-type]
    found = account(largest)
    assert found.total_params == closed_form(largest, 10**15, 10**15, 10**15)
    assert f"{found.total_params:,}" in format_param_table(largest)
    assert parse_size(format_size(10**18)) == 10**18
    assert format_count(10**18) == "1,000,000T"


LINEAR: dict[str, Any] = {"n_heads": 1, "head_dim": 1, "vocab_size": 4, "total_params": 10**15}
"""Widths by the quadrillion: a layer's count is linear in d_model."""


@given(any_requests() | structured_requests(1_000, 10**15))
@example(ModelConfig(**LINEAR, embedding_ratio=0.0002286, glu_expansion=8.27, ffn="gelu", multiple_of=3))
@example(ModelConfig(**LINEAR, embedding_ratio=0.9999, glu_expansion=0.01, n_layers=1))
@example(ModelConfig(n_heads=512, n_kv_heads=32, head_dim=10**15, total_params=10**15, glu_expansion=3.27))
@example(ModelConfig(n_heads="auto", n_layers=10**12, total_params=3707, multiple_of=1051))
@example(ModelConfig(n_heads="auto", n_layers=1_140_051_772, total_params=10**15, multiple_of=2138))
@example(ModelConfig(n_heads="auto", n_kv_heads=251, multiple_of=65_521, total_params=10**15))
@settings(deadline=None, max_examples=150)
def test_the_work_of_every_request_is_bounded(config: ModelConfig) -> None:
    with counted() as spaces:
        check_answer(config)
    check_work(spaces)


@given(structured_requests(1_000_000, 10_000_000_000))
@settings(deadline=None, max_examples=80)
def test_the_work_of_what_the_sliders_ask_for_is_small(config: ModelConfig) -> None:
    with counted() as spaces:
        check_answer(config)
    assert sum(space.work for space in spaces) <= 1_000


@given(any_requests())
@settings(deadline=None, max_examples=40)
def test_the_work_of_finding_alternatives_is_bounded(config: ModelConfig) -> None:
    with counted() as spaces:
        refusal(alternatives, config)
    check_work(spaces)


def test_a_search_at_its_limit_ends_with_the_best_of_what_it_has_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ModelConfig(**LINEAR, embedding_ratio=0.0002286, glu_expansion=8.27, ffn="gelu")
    exact = solve(config)
    monkeypatch.setattr("slimlm.solver.search.MOST_WORK", 300)
    space = SearchSpace(config)
    found = space.nearest()
    assert found is not None
    assert space.work <= 310
    assert exact.cost <= found.cost
