"""Architecture: what fixes every shape."""

import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture, Choices, width_multiple
from slimlm.core.config import ModelConfig
from tests.strategies import architectures, structures


def test_shares_its_choices_with_a_request() -> None:
    shared = {field.name: field for field in dataclasses.fields(Choices)}
    assert issubclass(ModelConfig, Choices)
    assert issubclass(Architecture, Choices)
    assert {field.name for field in dataclasses.fields(Architecture)} - shared.keys() == {"d_model", "d_ff", "n_layers"}
    asked, built = ModelConfig(), Architecture(d_model=8, d_ff=1, n_layers=1)
    assert all(getattr(asked, name) == getattr(built, name) for name in shared)


@pytest.mark.parametrize("missing", ["d_model", "d_ff", "n_layers"])
def test_dimensions_are_required(missing: str) -> None:
    dims: dict[str, Any] = {"d_model": 8, "d_ff": 8, "n_layers": 1}
    dims.pop(missing)
    with pytest.raises(TypeError, match=f"missing 1 required keyword-only argument: '{missing}'"):
        Architecture(**dims)


def test_frozen_and_keyword_only() -> None:
    architecture = Architecture(d_model=8, d_ff=8, n_layers=1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'd_model'"):
        architecture.d_model = 16  # type: ignore[misc]
    positional: Any = Architecture
    with pytest.raises(TypeError, match="takes 1 positional argument but 4 were given"):
        positional(8, 8, 1)


@given(architectures())
@settings(deadline=None)
def test_derived_values(architecture: Architecture) -> None:
    assert architecture.glu_expansion == architecture.d_ff / architecture.d_model
    assert architecture.vocabulary_tables == (1 if architecture.tied_lm_head else 2)
    assert architecture.is_gated == (architecture.ffn in {"swiglu", "geglu", "geglu_tanh"})
    assert dataclasses.replace(architecture) == architecture


@given(structures(), st.integers(1, 100))
@settings(deadline=None)
def test_what_is_left_open_follows_from_the_other_fields(structure: dict[str, Any], heads: int) -> None:
    d_model = 2 * structure["n_heads"] * heads
    built = Architecture(**structure, d_model=d_model, d_ff=1, n_layers=1)
    assert built.head_width == (structure["head_dim"] or d_model // structure["n_heads"])
    assert built.kv_heads == (structure["n_kv_heads"] or structure["n_heads"])
    written_out = {"head_dim": built.head_width, "n_kv_heads": built.kv_heads}
    explicit = Architecture(**structure | written_out, d_model=d_model, d_ff=1, n_layers=1)
    assert explicit == built
    assert hash(explicit) == hash(built)
    assert built.concrete() == explicit.concrete() == dataclasses.asdict(explicit)


def test_replacing_a_field_keeps_open_what_was_left_open() -> None:
    eight = Architecture(d_model=512, d_ff=1365, n_layers=8, n_heads=8)
    sixteen = dataclasses.replace(eight, n_heads=16)
    assert (sixteen.kv_heads, sixteen.head_width) == (16, 32)
    assert sixteen == Architecture(d_model=512, d_ff=1365, n_layers=8, n_heads=16) != eight
    assert count_total(sixteen) == count_total(eight) == 33_633_280
    assert dataclasses.replace(eight, n_kv_heads=2, n_heads=16).kv_heads == 2


def test_an_architecture_equals_nothing_else() -> None:
    assert Architecture(d_model=8, d_ff=1, n_layers=1) != ModelConfig()


def test_a_given_head_dim_frees_the_width_from_the_heads() -> None:
    assert Architecture(d_model=10, d_ff=1, n_layers=1, n_heads=4, head_dim=16).head_dim == 16


def test_rotary_positions_need_heads_of_even_width() -> None:
    with pytest.raises(
        ValueError,
        match=r"^d_model=24 is not allowed: it must be a multiple of 2·n_heads=16 \(RoPE turns pairs\); d_model=16 or "
        r"d_model=32 would work$",
    ):
        Architecture(d_model=24, d_ff=1, n_layers=1, positions="rope")


def test_an_architecture_has_a_number_of_heads() -> None:
    with pytest.raises(
        ValueError, match=r"^n_heads='auto' is not allowed: it must be a whole number between 1 and 1,024"
    ):
        Architecture(d_model=8, d_ff=1, n_layers=1, n_heads="auto")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n_heads", "head_dim", "positions", "multiple"),
    [(8, None, "learned", 8), (8, None, "rope", 16), (8, None, "alibi", 8), (8, 64, "rope", 1), (8, 5, "none", 1)],
)
def test_the_width_is_a_multiple_of_the_heads_unless_they_have_a_width(
    n_heads: int, head_dim: int | None, positions: str, multiple: int
) -> None:
    assert width_multiple(n_heads, head_dim, positions) == multiple


@given(st.integers(2, 1024), st.integers(1, 10_000), st.data())
@settings(deadline=None)
def test_heads_must_divide_the_width(n_heads: int, whole_heads: int, data: st.DataObject) -> None:
    d_model = whole_heads * n_heads + data.draw(st.integers(1, n_heads - 1))
    message = (
        f"d_model={d_model} is not allowed: it must be a multiple of n_heads={n_heads}; "
        f"d_model={whole_heads * n_heads} or d_model={(whole_heads + 1) * n_heads} would work"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Architecture(d_model=d_model, d_ff=1, n_layers=1, n_heads=n_heads)


def test_a_width_below_the_heads_names_one_that_works() -> None:
    with pytest.raises(ValueError, match=r"^d_model=4 is not allowed: .* n_heads=8; d_model=8 would work$"):
        Architecture(d_model=4, d_ff=1, n_layers=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 0}, "^d_model=0 is not allowed: it must be a whole number between 1 and 1,000,000,000,000,000"),
        (
            {"d_model": "8"},
            "^d_model='8' is not allowed: it must be a whole number between 1 and 1,000,000,000,000,000$",
        ),
        ({"d_ff": 0}, "^d_ff=0 is not allowed: .* between 1 and 1,000,000,000,000,000; d_ff=1 would work$"),
        (
            {"n_layers": None},
            "^n_layers=None is not allowed: it must be a whole number between 1 and 1,000,000,000,000,000$",
        ),
        ({"n_layers": 1.0}, r"^n_layers=1\.0 is not allowed: .*; n_layers=1 would work$"),
        ({"vocab_size": 0}, "^vocab_size=0 is not allowed: .*; vocab_size=2 would work$"),
    ],
)
def test_a_bad_dimension_is_refused(changes: dict[str, Any], message: str) -> None:
    dims: dict[str, Any] = {"d_model": 8, "d_ff": 8, "n_layers": 1}
    with pytest.raises(ValueError, match=message):
        Architecture(**(dims | changes))
