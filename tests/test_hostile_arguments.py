"""Text, ranges and arguments of the command line, however wrong, are read or refused in a sentence."""

import io
import math
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.cli.main import main
from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model
from slimlm.serialization.fields import KNOBS
from slimlm.solver.alternatives import alternatives
from slimlm.sweep.axis_values import parse_values
from slimlm.sweep.grid import sweep
from slimlm.sweep.metrics import metric_of
from slimlm.utils.formatting import parse_number, parse_size
from tests.test_hostile_requests import (
    HOSTILE,
    LONGEST_SENTENCE,
    TEXTS,
    counted,
    hostile,
    refusal,
)


@given(hostile)
@settings(deadline=None, max_examples=300)
def test_text_and_numbers_are_read_or_refused_in_a_sentence(value: Any) -> None:
    for read in (parse_size, parse_number, published_model, metric_of):
        refused = refusal(read, value)
        assert refused or isinstance(value, str)
    for name in KNOBS:
        refused = refusal(parse_values, name, value)
        assert not refused or refused.startswith(name)
    assert refusal(alternatives, ModelConfig(), value) or isinstance(value, int)


ends = st.sampled_from(TEXTS) | st.integers().map(str) | st.floats().map(str)
ranges = st.builds("{}..{} x {}{}".format, ends, ends, st.integers(0, 200), st.sampled_from(["", " (log)", "\n"]))


@given(st.sampled_from([*KNOBS]), ranges | st.text("0123456789.,xX×*()logauto%/ekMB- ", max_size=60))
@settings(deadline=None, max_examples=300)
def test_ranges_are_read_or_refused_in_a_sentence_that_names_the_knob(name: str, text: str) -> None:
    refused = refusal(parse_values, name, text)
    assert not refused or refused.startswith(name)


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: type(value).__name__)
def test_a_sweep_refuses_bad_values_before_it_solves_anything(value: Any) -> None:
    with counted() as spaces:
        assert refusal(sweep, ModelConfig(), ("total_params", [1_000_000, value]), ("n_layers", [8])) or value == 8
        assert refusal(sweep, ModelConfig(), (value, [1]), ("n_layers", [8])).endswith("embedding_ratio would work")
    assert not spaces or value == 8


def test_a_sweep_of_too_many_values_is_refused_before_they_are_looked_at() -> None:
    sentence = r"^x=n_layers has 1,000,000 values: it must be at most 10,000$"
    with counted() as spaces, pytest.raises(ValueError, match=sentence):
        sweep(ModelConfig(), ("n_layers", range(1_000_000)), ("n_heads", [8]))
    assert not spaces


@pytest.mark.parametrize("limit", [0, -1, 2.5, True, None, math.nan, "12"])
def test_alternatives_refuse_a_limit_that_is_no_number_of_them(limit: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^limit=.* is not allowed: it must be a whole number of at least 1; limit=12 would"
    ):
        alternatives(ModelConfig(), limit)


texts = st.sampled_from(TEXTS) | st.text() | st.integers().map(str)
options = st.sampled_from(
    ["--heads", "--vocab-size", "--embedding-ratio", "--layers", "--norm", "--kv-heads", "--untied"]
)
lines = st.lists(texts | options, max_size=6)


@given(st.sampled_from(["design", "sweep", "inspect", "published"]) | texts, lines)
@settings(deadline=None, max_examples=200)
def test_the_command_line_ends_with_an_exit_code_and_a_sentence(command: str, arguments: list[str]) -> None:
    writes_or_builds = ("-o", "--o", "--probe", "--measure")
    code: Any = 0
    with redirect_stderr(io.StringIO()) as told, redirect_stdout(io.StringIO()):
        try:
            code = main([command, *(part for part in arguments if not part.startswith(writes_or_builds))])
        except SystemExit as ended:
            code = ended.code
    *usage, sentence, end = ["", *told.getvalue().split("\n")]
    assert code in (0, 2)
    assert bool(sentence) == bool(code) or (command == "sweep" and not sentence.startswith("slimlm:"))
    assert end == ""
    assert len(sentence) <= LONGEST_SENTENCE
    assert not any(usage) or usage[1].startswith("usage: slimlm")
