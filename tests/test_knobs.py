"""The knobs as data: every value is written as text that reads back, and bad text gives a sentence and a neighbour."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.config import ModelConfig
from slimlm.knobs import KNOBS, SLIDERS, Knob, complaint, to_query
from slimlm.solver import BudgetError, solve


def test_every_field_of_a_request_has_a_knob_with_help() -> None:
    assert set(KNOBS) == {field.name for field in fields(ModelConfig)}
    assert all(knob.help for knob in KNOBS.values())


@pytest.mark.parametrize("knob", SLIDERS, ids=lambda knob: knob.field)
def test_stops_ascend_hold_the_default_and_have_labels_of_their_own_that_read_back(knob: Knob) -> None:
    assert list(knob.options) == sorted(set(knob.options))
    assert knob.default in knob.options
    labels = [knob.write(stop) for stop in knob.options]
    assert len(set(labels)) == len(labels)
    assert tuple(map(knob.from_text, labels)) == knob.options


@pytest.mark.parametrize("knob", SLIDERS, ids=lambda knob: knob.field)
def test_any_value_finds_its_place_among_the_stops(knob: Knob) -> None:
    between = (knob.options[0] + knob.options[1]) / 2
    assert knob.stops(between)[:3] == [knob.options[0], between, knob.options[1]]


@given(st.integers(1, 10**15), st.floats(0.0001, 0.9999), st.one_of(st.none(), st.integers(1, 10**12)), st.booleans())
def test_a_link_gives_the_request_back(total: int, ratio: float, depth: int | None, tied: bool) -> None:
    asked = ModelConfig(total_params=total, embedding_ratio=round(ratio, 6), n_layers=depth, tied_lm_head=tied)
    assert ModelConfig(**{name: KNOBS[name].from_text(text) for name, text in to_query(asked).items()}) == asked  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "text", "sentence", "nearest"),
    [
        ("total_params", "plenty", "'plenty' is not a size", 10_000_000),
        ("total_params", "0", "total_params=0 is not allowed: it must be a whole number between 1 and", 1),
        ("embedding_ratio", "7", "embedding_ratio=7.0 is not allowed", 0.9999),
        ("embedding_ratio", "1e999", "is too large", 0.35),
        ("glu_expansion", "1/0", "'1/0' is not a number", 2.66),
        ("tied_lm_head", "perhaps", "'perhaps' is neither true nor false", True),
        ("n_layers", "-3", "'-3' is not a size", None),
        ("n_heads", "9999", "n_heads=9999 is not allowed", 1024),
    ],
)
def test_bad_text_gets_a_sentence_and_the_nearest_allowed_value(
    field: str, text: str, sentence: str, nearest: object
) -> None:
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(")):
        KNOBS[field].from_text(text)
    assert KNOBS[field].nearest(text) == nearest
    assert sentence in complaint(field, text)
    assert f"The link's {field} was ignored" in complaint(field, text)


def test_good_text_gives_no_complaint() -> None:
    assert complaint("total_params", "12.5M") == ""


@given(st.sampled_from(sorted(KNOBS)), st.text(max_size=60))
def test_any_text_is_a_value_or_one_sentence(field: str, text: str) -> None:
    ModelConfig(**{field: KNOBS[field].nearest(text)})  # type: ignore[arg-type]
    complaint(field, text)


@pytest.mark.parametrize("ends", range(16))
def test_all_sliders_at_their_ends_give_a_design_or_ways_out(ends: int) -> None:
    corner = {knob.field: knob.options[-1 if ends >> place & 1 else 0] for place, knob in enumerate(SLIDERS)}
    try:
        solve(ModelConfig(**corner))  # type: ignore[arg-type]
    except BudgetError as error:
        assert error.suggestions
