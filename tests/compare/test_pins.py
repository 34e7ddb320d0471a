"""Pins: their text in links and back, their names, and what is refused in a sentence."""

import re
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.compare.pin_links import LONGEST_TEXT, read_pin, read_pins, write_pin
from slimlm.compare.pins import (
    LONGEST_NAME,
    MOST_PINS,
    Pin,
    moved_pin,
    pin_of,
    pinned_as,
    renamed_pin,
    with_pin,
    without_pin,
)
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.named_model import NamedModel
from slimlm.core.published import published_model, published_models
from slimlm.serialization.fields import to_query, values_of
from slimlm.serialization.presets import PRESETS
from slimlm.solver.alternatives import alternatives
from slimlm.solver.solver import BudgetError, solve
from tests.strategies import architectures, requests

SMALL = Architecture(d_model=216, d_ff=544, n_layers=12)
DEFAULT, GPT2, SHAPE = pin_of(ModelConfig()), pin_of(published_model("gpt2")), Pin(SMALL)


def eight() -> tuple[Pin, ...]:
    pins: tuple[Pin, ...] = ()
    for model in published_models()[:MOST_PINS]:
        pins = with_pin(pins, pin_of(model))
    return pins


@pytest.mark.parametrize("model", published_models(), ids=lambda model: model.name)
def test_a_published_model_and_its_bare_shape_come_back_from_a_link(model: object) -> None:
    for pin in (Pin(model), Pin(model.architecture)):  # type: ignore[attr-defined, arg-type]
        assert read_pin(write_pin(pin)) == pin


@given(architectures())
@settings(deadline=None, max_examples=100)
def test_any_shape_comes_back_from_a_link_exactly(architecture: Architecture) -> None:
    assert read_pin(write_pin(Pin(architecture))).held == architecture


@given(requests(1_000_000, 10**9))
@settings(deadline=None, max_examples=60)
def test_any_request_that_can_be_met_comes_back_from_a_link(config: ModelConfig) -> None:
    try:
        pin = pin_of(config)
    except BudgetError:
        return
    assert read_pin(write_pin(pin)) == pin
    assert pin.subject == solve(ModelConfig(**values_of(config)))  # type: ignore[arg-type]


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_a_pin_solves_the_request_again(preset: ModelConfig) -> None:
    assert read_pin(write_pin(pin_of(solve(preset)))).architecture == solve(preset).architecture


def test_only_what_is_not_at_its_default_stands_in_a_link() -> None:
    assert write_pin(DEFAULT) == "design"
    assert write_pin(SHAPE) == "shape~d_model-216~d_ff-544~n_layers-12"
    assert write_pin(GPT2.renamed("old ~ one")) == "model~gpt2~name-old - one"


def test_a_named_model_that_is_published_is_held_as_that_and_others_by_their_shape() -> None:
    named_model = published_model("gpt2")
    assert pin_of(named_model) == GPT2
    assert pin_of(NamedModel("gpt2", SMALL, "From a file")) == Pin(SMALL, "gpt2")


def test_alternatives_are_pinned_by_their_own_request() -> None:
    for other in alternatives(ModelConfig()):
        assert pin_of(other.request, other.change).architecture == other.design.architecture


@given(st.text(max_size=200))
def test_a_name_is_one_short_visible_line_and_comes_back(name: str) -> None:
    pin = SHAPE.renamed(name)
    assert 0 < len(pin.name) <= LONGEST_NAME
    assert pin.name.isprintable()
    assert read_pin(write_pin(pin)) == pin


def test_without_a_name_a_model_has_its_own() -> None:
    assert [pin.renamed("x").renamed(" ").name for pin in (DEFAULT, GPT2)] == ["10.05M · 12 × 216", "gpt2"]
    assert GPT2.renamed("gpt2").given_name == ""


def test_eight_pins_with_everything_said_stay_below_8_kilobytes() -> None:
    long = ModelConfig(
        total_params=123_456_789,
        vocab_size=50_257,
        embedding_ratio=0.234567,
        glu_expansion=2.345678,
        max_seq_length=123_456,
        n_heads=12,
        n_kv_heads=4,
        head_dim=96,
        norm="layernorm_no_params",
        positions="none",
        ffn="geglu",
        bias="output_ffn",
        qk_norm="full",
        block="parallel_one_norm",
        rope_theta=123_456.5,
        tied_lm_head=False,
        lm_head_bias=True,
        embedding_norm=True,
        dropout=0.123456,
        attention_dropout=0.123456,
        layer_norm_eps=1.5e-5,
        multiple_of=2,
    )
    texts = [write_pin(Pin(long).renamed("ж" * LONGEST_NAME)) for _ in range(MOST_PINS)]
    knobs = to_query(values_of(long))
    assert len(texts[0].split("~")) > 22
    assert len("http://localhost:8501/compare?" + urlencode(knobs | {"pin": texts}, doseq=True)) < 8_000


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "'' is not a kind of pin: it must be design, shape or model"),
        ("<b>x</b>", "'<b>x</b>' is not a kind of pin"),
        ("design~banana", "'banana' is not a field and its value, such as total_params-12.5M"),
        ("design~colour-red", "the design has unknown fields: 'colour'"),
        ("design~ffn-banana", "ffn='banana' is not allowed"),
        ("design~n_kv_heads-3", "n_kv_heads=3 is not allowed"),
        ("design~total_params-1k", "total_params=1,000 is out of reach"),
        ("shape~d_model-216", "the shape has missing fields: 'd_ff', 'n_layers'"),
        ("shape~d_model-216~d_ff-9~n_layers-1~total_params-9", "the shape has unknown fields: 'total_params'"),
        ("shape~d_model-217~d_ff-9~n_layers-1", "d_model=217 is not allowed"),
        ("shape~d_model-8~d_ff-9~n_layers-1~rope_theta-inf", "rope_theta=inf is not allowed"),
        ("shape~d_model-8~d_ff-9~n_layers-1~dropout-much", "dropout='much' is not a number"),
        ("shape~d_model-8~d_ff-9~n_layers-1~tied_lm_head-so", "'so' is neither true nor false"),
        ("model~gpt-2", "name='gpt-2' is not allowed: it must be one of"),
        ("model", "name='' is not allowed: it must be one of"),
        ("design~ffn-gelu~ffn-relu", 'it gives "ffn" twice: keep one of them'),
        ("model~gpt2~n_heads-3", "'n_heads' is not allowed: a published model takes only a name"),
        ("design~name-" + "x" * LONGEST_TEXT, "it has 1,212 characters: it must have at most 1,200"),
    ],
)
def test_a_damaged_pin_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as refusal:
        read_pin(text)
    assert "\n" not in str(refusal.value)


@given(st.text(max_size=60) | st.text("~-_.designmolhapk1234", max_size=60).map("shape~{}".format))
def test_no_text_of_a_pin_brings_more_than_a_sentence(text: str) -> None:
    try:
        read_pin(text)
    except ValueError as error:
        assert len(str(error)) < 400


def test_damaged_pins_get_a_sentence_each_and_the_others_stay() -> None:
    pins, problems = read_pins(("model~gpt2", "nonsense", "design", "model~gpt2~name-again", "shape~d_model-8"))
    assert pins == (GPT2, DEFAULT)
    assert problems == (
        "Pin 2 of the link is ignored: 'nonsense' is not a kind of pin: it must be design, shape or model.",
        "Pin 4 of the link is ignored: it is already pinned as 'gpt2'.",
        "Pin 5 of the link is ignored: the shape has missing fields: 'd_ff', 'n_layers'.",
    )


def test_more_pins_than_there_is_room_for_are_said_once_each() -> None:
    texts = tuple(write_pin(pin_of(model)) for model in published_models()[: MOST_PINS + 1])
    pins, problems = read_pins(texts)
    assert pins == eight()
    assert problems == (
        "Pin 9 of the link is ignored: 8 models are pinned, which is the limit: remove one on the Compare page.",
    )


def test_a_ninth_pin_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^8 models are pinned, which is the limit"):
        with_pin(eight(), DEFAULT)


def test_the_same_model_twice_is_recognised_even_when_another_request_finds_it() -> None:
    with pytest.raises(ValueError, match=r"^it is already pinned as '10\.05M · 12 × 216'$"):
        with_pin((DEFAULT,), SHAPE.renamed("another"))
    assert pinned_as((GPT2, DEFAULT), SMALL) == DEFAULT
    assert pinned_as((GPT2,), SMALL) is None


def test_names_are_kept_apart() -> None:
    pins = with_pin((GPT2.renamed("one"),), DEFAULT.renamed("one"))
    assert [pin.name for pin in pins] == ["one", "one (2)"]
    assert [pin.name for pin in renamed_pin(pins, 1, "two")] == ["one", "two"]
    assert [pin.name for pin in renamed_pin(pins, 0, "one (2)")] == ["one (2) (2)", "one (2)"]
    long = "x" * LONGEST_NAME
    assert [len(pin.name) for pin in with_pin((GPT2.renamed(long),), DEFAULT.renamed(long))] == [40, 40]


def test_pins_are_moved_and_removed() -> None:
    shape = Pin(Architecture(d_model=64, d_ff=128, n_layers=2))
    pins = (DEFAULT, GPT2, shape)
    assert moved_pin(pins, 2, -1) == (DEFAULT, shape, GPT2)
    assert moved_pin(pins, 0, -1) == moved_pin(pins, 2, 1) == pins
    assert without_pin(pins, 1) == (DEFAULT, shape)
