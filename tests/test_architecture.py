"""Architecture: what fixes every shape."""

import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.architecture import Architecture, Choices
from slimlm.config import ModelConfig
from tests.strategies import architectures


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
    assert architecture.head_dim * architecture.n_heads == architecture.d_model
    assert architecture.glu_expansion == architecture.d_ff / architecture.d_model
    assert architecture.vocabulary_tables == (1 if architecture.tied_lm_head else 2)


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
        ({"d_model": 0}, "^d_model=0 is not allowed: it must be a whole number between 1 and 1,000,000,000"),
        ({"d_model": "8"}, "^d_model='8' is not allowed: it must be a whole number between 1 and 1,000,000,000$"),
        ({"d_ff": 0}, "^d_ff=0 is not allowed: .* between 1 and 1,000,000,000,000; d_ff=1 would work$"),
        (
            {"n_layers": None},
            "^n_layers=None is not allowed: it must be a whole number between 1 and 1,000,000,000,000$",
        ),
        ({"n_layers": 1.0}, r"^n_layers=1\.0 is not allowed: .*; n_layers=1 would work$"),
        ({"vocab_size": 0}, "^vocab_size=0 is not allowed: .*; vocab_size=2 would work$"),
    ],
)
def test_a_bad_dimension_is_refused(changes: dict[str, Any], message: str) -> None:
    dims: dict[str, Any] = {"d_model": 8, "d_ff": 8, "n_layers": 1}
    with pytest.raises(ValueError, match=message):
        Architecture(**(dims | changes))
