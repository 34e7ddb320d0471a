"""Values as people write them: lists, ranges, words, and what is refused."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.config import ModelConfig
from slimlm.serialization.fields import KNOBS
from slimlm.sweep.axis_values import default_values, label_value, parse_values, write_value
from tests.strategies import anything_allowed


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("embedding_ratio", "0.25, 0.35, 45%", (0.25, 0.35, 0.45)),
        ("glu_expansion", "8/3", (2.666667,)),
        ("vocab_size", "16k,32k, 50257", (16_000, 32_000, 50_257)),
        ("embedding_ratio", "0.2..0.5 in 7 steps", (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)),
        ("total_params", "10M..1B x 3 (log)", (10_000_000, 100_000_000, 1_000_000_000)),
        ("total_params", "10M..1B × 3 values (LOG)", (10_000_000, 100_000_000, 1_000_000_000)),
        ("n_layers", "none, 6..12 x 3", (None, 6, 9, 12)),
        ("n_layers", "12..6 x 3", (12, 9, 6)),
        ("n_heads", "auto, 4, 8", ("auto", 4, 8)),
        ("norm", "LayerNorm, rmsnorm", ("layernorm", "rmsnorm")),
        ("tied_lm_head", "true, False", (True, False)),
        ("embedding_ratio", "0.5...9 x 3", (0.5, 0.7, 0.9)),
        ("embedding_ratio", "0.3, 0.1..0.3 x 2", (0.3, 0.1)),
        ("n_layers", "1..3 x 9", (1, 2, 3)),
        ("layer_norm_eps", "1e-6..1e-4 x 3 log", (1e-6, 1e-5, 1e-4)),
    ],
)
def test_values_are_read_in_the_order_in_which_they_are_written(
    name: str, text: str, values: tuple[object, ...]
) -> None:
    assert parse_values(name, text) == values


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("ratio", "0.3", r"^'ratio' is not a knob: it must be one of total_params, .*; embedding_ratio would work$"),
        ("embedding_ratio", " ", r"^embedding_ratio: there are no values; write some such as 0\.25, 0\.35, 0\.45$"),
        ("embedding_ratio", "0.1,,0.2", r"^embedding_ratio: a value is missing between two commas$"),
        ("embedding_ratio", "much", r"^embedding_ratio: 'much' is not a number; write one such as 0\.35, 35% or 8/3$"),
        (
            "embedding_ratio",
            "0.2, 1.5",
            r"^embedding_ratio=1\.5 is not allowed: .*; embedding_ratio=0\.9999 would work$",
        ),
        ("embedding_ratio", "0.1..0.5", r"'0\.1\.\.0\.5' is not a range; write one such as 2\.\.4 in 5 steps"),
        ("embedding_ratio", "0.1..0.5 in 1 steps", r"asks for 1 values; a range has 2 to 10,000$"),
        ("embedding_ratio", "0.1..0.5 x 20000", r"asks for 20,000 values; a range has 2 to 10,000$"),
        (
            "total_params",
            "1..9999 x 9999, 1M..2M x 9999",
            r"^total_params: there are more than 10,000 values; at most",
        ),
        (
            "norm",
            "layernorm..rmsnorm x 2",
            r"^norm: .* is a range of words; write them one by one: layernorm, rmsnorm,",
        ),
        ("norm", "batchnorm", r"^norm='batchnorm' is not allowed: it must be one of 'layernorm', "),
        ("n_heads", "auto..8 x 3", r"^n_heads: 'auto' is not an end of a range: both ends must be numbers$"),
        ("n_layers", "none..8 x 3", r"^n_layers: 'none' is not an end of a range: both ends must be numbers$"),
        (
            "dropout",
            "0..0.5 x 3 (log)",
            r"^dropout: 0\.\.0\.5 is not a log range: both ends must be above 0$",
        ),
        ("tied_lm_head", "perhaps", r"^tied_lm_head: 'perhaps' is neither true nor false$"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence_that_names_the_knob(name: str, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_values(name, text)


@pytest.mark.parametrize("name", KNOBS)
def test_every_knob_has_values_to_start_from(name: str) -> None:
    assert len(parse_values(name, default_values(name))) >= 2


@pytest.mark.parametrize("name", KNOBS)
@given(data=st.data())
@settings(deadline=None)
def test_a_written_value_is_read_back(name: str, data: st.DataObject) -> None:
    value = KNOBS[name].as_linked(data.draw(anything_allowed(ModelConfig, name)))
    assert parse_values(name, write_value(name, value)) == (value,)
    assert label_value(name, value)


@given(st.floats(0.001, 0.9), st.floats(0.001, 0.9), st.integers(2, 300), st.booleans())
def test_a_range_has_its_ends_its_number_of_values_and_even_steps(
    first: float, last: float, count: int, log: bool
) -> None:
    first, last = round(first, 5), round(last, 5)
    if abs(first - last) < 0.01:
        last = first + 0.05
    text = f"{first:.10g}..{last:.10g} x {count}{' (log)' if log else ''}"
    values = [float(value) for value in parse_values("embedding_ratio", text)]  # type: ignore[arg-type]
    assert len(values) == count
    assert (values[0], values[-1]) == pytest.approx((first, last))
    steps = [math.log(b / a) if log else b - a for a, b in pairwise(values)]
    even = (math.log(last / first) if log else last - first) / (count - 1)
    assert steps == pytest.approx([even] * (count - 1), rel=0.2, abs=2e-3)
    assert all((step > 0) == (even > 0) for step in steps)
