"""The knobs as data: every value is written as text that reads back, and bad text gives a sentence and a neighbour."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.core.config import ModelConfig
from slimlm.serialization.fields import (
    BLOCK,
    HEADS,
    KNOBS,
    SLIDERS,
    STRUCTURE,
    Knob,
    complaint,
    to_query,
    to_short_query,
    values_of,
)
from slimlm.solver.solver import BudgetError, solve
from slimlm.utils.validation import FieldError
from tests.companions import with_companions
from tests.strategies import any_requests, options_of


def test_every_field_of_a_request_has_a_knob_with_help() -> None:
    assert set(KNOBS) == {field.name for field in fields(ModelConfig)}
    assert all(knob.help for knob in KNOBS.values())


@pytest.mark.parametrize("knob", (*STRUCTURE, BLOCK), ids=lambda knob: knob.field)
def test_a_choice_has_readable_words_for_all_that_its_field_takes(knob: Knob) -> None:
    assert sorted(knob.words) == sorted(options_of(ModelConfig, knob.field))
    assert next(iter(knob.words)) == knob.default
    assert len(set(knob.words.values())) == len(knob.words)


@pytest.mark.parametrize("knob", (*SLIDERS, HEADS), ids=lambda knob: knob.field)
def test_stops_ascend_hold_the_default_and_have_labels_of_their_own_that_read_back(knob: Knob) -> None:
    assert knob.stops(None) == list(knob.options)
    assert knob.default in knob.options
    labels = [knob.write(stop) for stop in knob.options]
    assert len(set(labels)) == len(labels)
    assert tuple(map(knob.from_text, labels)) == knob.options


@pytest.mark.parametrize("knob", SLIDERS, ids=lambda knob: knob.field)
def test_any_value_finds_its_place_among_the_stops(knob: Knob) -> None:
    between = (knob.options[0] + knob.options[1]) / 2
    assert knob.stops(between)[:3] == [knob.options[0], between, knob.options[1]]


def test_any_number_of_heads_finds_its_place_behind_auto() -> None:
    assert HEADS.stops(7)[:9] == ["auto", 1, 2, 3, 4, 5, 6, 7, 8]
    assert HEADS.stops("auto") == list(HEADS.options)


def read_back(query: dict[str, str]) -> ModelConfig:
    return ModelConfig(**{name: KNOBS[name].from_text(text) for name, text in query.items()})  # type: ignore[arg-type]


@given(any_requests())
def test_a_link_gives_the_request_back(config: ModelConfig) -> None:
    asked = ModelConfig(**values_of(config))  # type: ignore[arg-type]
    assert asked.embedding_ratio == pytest.approx(config.embedding_ratio, abs=1e-6)
    assert read_back(to_query(values_of(asked))) == asked
    assert read_back(to_short_query(values_of(asked))) == asked


def test_a_link_says_words_as_a_request_does() -> None:
    asked = ModelConfig(n_heads="auto", norm="rmsnorm", block="sandwich_norm", lm_head_bias=True)
    assert to_short_query(values_of(asked)) == {
        "n_heads": "auto",
        "norm": "rmsnorm",
        "block": "sandwich_norm",
        "lm_head_bias": "true",
    }


@pytest.mark.parametrize(("field", "value"), [("dropout", 0), ("rope_theta", 500_000), ("embedding_ratio", 0.25)])
def test_a_real_knob_takes_a_real_value(field: str, value: float) -> None:
    taken = values_of(ModelConfig(**{field: value}))[field]  # type: ignore[arg-type]
    assert taken == value
    assert type(taken) is float


@pytest.mark.parametrize(
    ("field", "text", "sentence", "nearest"),
    [
        ("total_params", "plenty", "'plenty' is not a size", 10_000_000),
        ("total_params", "0", "total_params=0 is not allowed: it must be a whole number between 1 and", 1),
        ("embedding_ratio", "700", "embedding_ratio=700.0 is not allowed", 0.9999),
        ("embedding_ratio", "1e999", "is too large", 0.35),
        ("glu_expansion", "1/0", "'1/0' is not a number", 2.66),
        ("tied_lm_head", "perhaps", "'perhaps' is neither true nor false", True),
        ("n_layers", "-3", "'-3' is not a size", None),
        ("n_heads", "9999", "n_heads=9999 is not allowed", 1024),
        ("n_heads", "many", "'many' is neither auto nor a whole number", 8),
        ("norm", "banana", "norm='banana' is not allowed: it must be one of 'layernorm', 'rmsnorm'", "layernorm"),
        ("n_kv_heads", "0", "n_kv_heads=0 is not allowed: it must be a whole number between 1 and 1,024, or None", 1),
        ("lm_head_bias", "1", "'1' is neither true nor false", False),
        (
            "layer_pattern",
            "local",
            "layer_pattern='local' is not allowed: it must be 1 to 256 letters of 'f', 'w'",
            "f",
        ),
        ("attention_scale", "0", "attention_scale=0.0 is not allowed: it must be a number between 1e-09 and", 1e-9),
        ("attention_scale", "large", "'large' is not a number; write one such as 0.35", None),
        ("logit_softcap", "1e999", "'1e999' is too large", None),
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


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("total_params", "12.5M", 12_500_000),
        ("n_heads", "Auto", "auto"),
        ("n_heads", "7", 7),
        ("n_kv_heads", "3", 3),
        ("n_kv_heads", "", None),
        ("head_dim", "63", 63),
        ("rope_theta", "1e6", 1_000_000.0),
        ("ffn", "geglu", "geglu"),
    ],
)
def test_good_text_gives_no_complaint_whatever_the_other_knobs_say(field: str, text: str, value: object) -> None:
    assert complaint(field, text) == ""
    assert KNOBS[field].from_text(text) == KNOBS[field].nearest(text) == value


REFUSED: list[dict[str, Any]] = [
    {"n_heads": 8, "n_kv_heads": 3},
    {"n_heads": 7, "n_kv_heads": 9},
    {"head_dim": 63, "positions": "rope"},
    {"n_heads": "auto", "head_dim": 63},
    {"n_heads": "auto", "head_dim": 500},
    {"position_offset": 2, "positions": "alibi"},
]


@pytest.mark.parametrize("choices", REFUSED, ids=str)
def test_each_remedy_of_choices_that_exclude_each_other_works(choices: dict[str, Any]) -> None:
    with pytest.raises(FieldError, match="is not allowed") as refusal:
        ModelConfig(**choices)
    assert refusal.value.remedies
    for name, value in refusal.value.remedies:
        ModelConfig(**choices | {name: value})


@given(st.sampled_from(sorted(KNOBS)), st.text(max_size=60))
def test_any_text_is_a_value_or_one_sentence(field: str, text: str) -> None:
    ModelConfig(**with_companions(field, KNOBS[field].nearest(text)))
    complaint(field, text)


@pytest.mark.parametrize("ends", range(16))
def test_all_sliders_at_their_ends_give_a_design_or_ways_out(ends: int) -> None:
    corner = {knob.field: knob.options[-1 if ends >> place & 1 else 0] for place, knob in enumerate(SLIDERS)}
    try:
        solve(ModelConfig(**corner))
    except BudgetError as error:
        assert error.suggestions
