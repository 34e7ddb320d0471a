"""Named models as text in links: exact, bounded, and readable in every form that links have had."""

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.named_model import FROM_CONFIG, FROM_LINK, LONGEST_NAME, NamedModel
from slimlm.core.published import published_models
from slimlm.interop.hf.import_config import hf_named_model
from slimlm.serialization.design_json import request_from_record, to_record
from slimlm.serialization.fields import values_of
from slimlm.serialization.links import (
    LONGEST_REMARK,
    LONGEST_REMARKS,
    LONGEST_TEXT,
    MOST_REMARKS,
    join,
    read_named_model,
    split,
    write_named_model,
)
from slimlm.solver.solver import solve
from tests.hf_judge import real_configs
from tests.strategies import architectures, attention_options

SMALL = Architecture(d_model=216, d_ff=544, n_layers=12)
SHAPE = "shape~d_model-216~d_ff-544~n_layers-12"


@given(architectures(), st.text(max_size=80), st.lists(st.text(max_size=60), max_size=5))
@settings(deadline=None, max_examples=100)
def test_a_named_model_comes_back_from_a_link(arch: Architecture, name: str, remarks: list[str]) -> None:
    text = write_named_model(NamedModel(name, arch, FROM_CONFIG, tuple(remarks)))
    found = read_named_model(text)
    assert found.architecture == arch and found.origin == FROM_CONFIG
    assert len(found.remarks) <= len(remarks)
    assert write_named_model(found) == text


@given(attention_options("rope"))
@settings(deadline=None, max_examples=60)
def test_windows_factors_and_caps_come_back_with_every_digit(options: dict[str, Any]) -> None:
    arch = replace(SMALL, positions="rope", n_heads=6, **options)
    assert read_named_model(write_named_model(NamedModel("w", arch, FROM_CONFIG))).architecture == arch
    config = ModelConfig(positions="rope", **options)
    assert ModelConfig(**values_of(config)) == config  # type: ignore[arg-type]
    assert request_from_record(json.loads(json.dumps(to_record(solve(config))))) == config


def test_a_windowed_model_is_written_as_its_changes() -> None:
    arch = replace(SMALL, window=512, layer_pattern="wwwwwf", embedding_scale=25.298221281347036)
    assert write_named_model(NamedModel("", arch, FROM_CONFIG)).startswith(
        "shape~window-512~layer_pattern-wwwwwf~embedding_scale-25.298221281347036~d_model-216"
    )


@given(st.lists(st.text("~-ab", max_size=6), min_size=1, max_size=5), st.lists(st.text("~-ab", max_size=6), max_size=5))
def test_any_parts_come_back(heads: list[str], values: list[str]) -> None:
    found = split(join(["shape", *(f"x{head}" for head in heads)], [("name", f"{value}") for value in values]))
    assert found == ["shape", *(f"x{head}" for head in heads), *(f"name-{value}" for value in values)]


@pytest.mark.parametrize("name", real_configs())
def test_all_that_a_real_config_says_comes_back_from_a_link(name: str) -> None:
    model = hf_named_model(real_configs()[name][0], name)
    assert read_named_model(write_named_model(model)) == model


def test_a_published_origin_is_not_taken_from_a_link() -> None:
    for model in published_models():
        text = write_named_model(model)
        found = read_named_model(text)
        assert "\n" not in text and len(text) < 700
        assert (found.name, found.architecture, found.origin) == (model.name, model.architecture, FROM_LINK)
        assert found.remarks == model.remarks


def test_a_real_field_that_holds_a_whole_number_comes_back() -> None:
    arch = Architecture(d_model=216, d_ff=544, n_layers=12, rope_theta=100_000)
    text = write_named_model(NamedModel("a", arch, FROM_CONFIG))
    assert text == "shape~rope_theta-100000~d_model-216~d_ff-544~n_layers-12~name-a~origin-config"
    assert read_named_model(text).architecture == read_named_model(f"{SHAPE}~rope_theta-100k").architecture == arch


def test_links_written_before_are_read() -> None:
    record = {"name": "old", "d_model": 216, "d_ff": 544, "n_layers": 12}
    for text in (json.dumps(record), f"\ufeff {json.dumps(record | SMALL.concrete())}"):
        assert read_named_model(text) == NamedModel("old", SMALL, FROM_LINK)
    unnamed = read_named_model('{"d_model":216,"d_ff":544,"n_layers":12}')
    assert read_named_model(json.dumps(record | {"name": "a\n" * 100})).name == ("a " * (LONGEST_NAME // 2)).rstrip()
    assert unnamed == read_named_model(SHAPE) == NamedModel("unnamed", SMALL, FROM_LINK)


def test_remarks_that_do_not_fit_are_counted_in_the_last_one() -> None:
    long = tuple(f"remark {number} √{'x' * 185}" for number in range(20))
    found = read_named_model(write_named_model(NamedModel("a", SMALL, FROM_CONFIG, long)))
    assert found.remarks[:-1] == long[:9]
    assert found.remarks[-1] == "11 more that did not fit into the link; the config.json holds them"
    assert read_named_model(write_named_model(found)) == found


def test_short_remarks_beyond_the_most_are_counted_in_the_last_one() -> None:
    many = tuple(map(str, range(100)))
    found = read_named_model(write_named_model(NamedModel("a", SMALL, FROM_CONFIG, many))).remarks
    assert found[:-1] == many[: MOST_REMARKS - 1]
    assert found[-1] == "61 more that did not fit into the link; the config.json holds them"


@given(st.lists(st.text(min_size=1, max_size=2 * LONGEST_REMARK), max_size=60))
@settings(deadline=None)
def test_whatever_the_remarks_a_link_is_bounded_and_written_the_same_again(remarks: list[str]) -> None:
    text = write_named_model(NamedModel("ж" * 100, SMALL, FROM_CONFIG, tuple(remarks)))
    found = read_named_model(text)
    assert sum(len(quote_plus(remark)) for remark in found.remarks) <= LONGEST_REMARKS
    assert all(remark.isprintable() and len(remark) <= LONGEST_REMARK for remark in found.remarks)
    assert write_named_model(found) == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("small", "the link's model is 'small': it must start with shape~; copy the whole link again"),
        ("3", "the link's model is '3': it must start with shape~"),
        ("[" * 100_000, "the link's model has 100,000 characters: it must have at most 4,000"),
        ('{"d_model":8,"d_ff":"8","n_layers":1}', "d_ff='8' is not allowed: it must be a whole number"),
        ('{"d_model":9,"d_ff":8,"n_layers":1}', "d_model=9 is not allowed: it must be a multiple of n_heads=8"),
        ("[1]", "the link's model is '[1]': it must start with shape~"),
        ("{", "the link's model is not JSON: Expecting property name"),
        ("x" * (LONGEST_TEXT + 1), "the link's model has 4,001 characters: it must have at most 4,000"),
        ("shape~d_model-216", "the link's model has missing fields: 'd_ff', 'n_layers'"),
        ('{"d_model":216}', "the link's model has missing fields: 'd_ff', 'n_layers'"),
        (f"{SHAPE}~colour-red", "the link's model has unknown fields: 'colour'"),
        ('{"d_model":8,"d_ff":8,"n_layers":1,"colour":1}', "the link's model has unknown fields: 'colour'"),
        (f"{SHAPE}~bananas", "'bananas' is not a field and its value, such as total_params-12.5M"),
        (f"{SHAPE}~d_ff-9", 'the link\'s model gives "d_ff" twice: keep one of them'),
        (f"{SHAPE}~origin-Published 2024", "origin='Published 2024' is not allowed: it must be one of 'config'"),
        (f"{SHAPE}{'~remark-a' * 41}", "the link's model has 41 remarks: it must have at most 40"),
        (f"{SHAPE}~dropout-much", "dropout='much' is not a number"),
        (f"{SHAPE}~tied_lm_head-so", "'so' is neither true nor false"),
        (f"{SHAPE}~norm-batch", "norm='batch' is not allowed"),
    ],
)
def test_a_damaged_text_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}") as refusal:
        read_named_model(text)
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 300


@given(st.text(max_size=60) | st.text("~-_.shapedmol1234", max_size=60).map("shape~{}".format))
def test_no_text_brings_more_than_a_sentence(text: str) -> None:
    try:
        read_named_model(text)
    except ValueError as error:
        assert len(str(error)) < 400
