"""Charts of models that nobody asked for: their headings, their words, and that every structure is well set."""

import re
from functools import cache

import pytest
from hypothesis import given, settings

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.core.architecture import Architecture
from slimlm.core.captions import describe_allocation
from slimlm.core.named_model import NamedModel
from slimlm.core.published import published_model, published_models
from tests.figures import CHARTS, assert_well_set, rows_of, svg_of, texts_of, words_of
from tests.models import ARCHITECTURES
from tests.strategies import architectures

every_structure = pytest.mark.parametrize("name", ARCHITECTURES)
every_chart = pytest.mark.parametrize("kind", CHARTS)


@cache
def named_model_of(name: str) -> NamedModel:
    return NamedModel(name, ARCHITECTURES[name], "From a test")


@pytest.mark.parametrize("name", [model.name for model in published_models()])
def test_every_published_model_is_well_set(name: str) -> None:
    named_model = published_model(name)
    for chart in CHARTS.values():
        assert_well_set(svg_of(chart(named_model)))


@settings(max_examples=15, deadline=None)
@given(architectures(max_head=200))
def test_any_named_model_is_well_set(architecture: Architecture) -> None:
    for chart in CHARTS.values():
        assert_well_set(svg_of(chart(NamedModel("some-model-of-130M", architecture, "From a config.json")), width=720))


@every_chart
def test_the_heading_names_the_model_its_origin_and_its_structure(kind: str) -> None:
    heading = words_of(CHARTS[kind](named_model_of("gemma")))
    assert heading.startswith(
        "gemma · 268.1M parameters 18 layers × d_model 640 · d_ff 2,048 · 4 heads (1 KV) "
        "From a test: vocabulary 262,144"
    )
    for words in ("embedding ratio 0.626", "GLU expansion 3.2", "32,768 tokens", "QK-norm per head"):
        assert words in heading
    assert "Asked" not in heading and "Got" not in heading
    assert "FFN expansion 4" in words_of(CHARTS[kind](named_model_of("gpt2")))


def test_a_heading_that_is_too_long_is_broken_evenly() -> None:
    short, long = (allocation_chart(named_model_of(name)).to_dict()["title"]["text"] for name in ("gpt2", "olmo"))
    assert short == ["gpt2 · 124.4M parameters · 12 layers × d_model 768 · d_ff 3,072 · 12 heads"]
    assert long == ["olmo · 1.177B parameters", "16 layers × d_model 2,048 · d_ff 8,192 · 16 heads"]


def test_the_description_is_one_sentence_of_shares() -> None:
    assert describe_allocation(named_model_of("olmo")) == (
        "olmo · 1.177B parameters · 16 layers × d_model 2,048 · d_ff 8,192 · 16 heads: "
        "SwiGLU 68.4 %, Attention 22.8 %, Token embedding 8.8 %."
    )


def test_parts_without_parameters_are_said_in_words_with_their_reason() -> None:
    empty = [row for row in rows_of(allocation_chart(named_model_of("olmo"))) if not row["share"]]
    assert {row["label"] for row in empty} == {
        "Position embedding — rotary positions have no parameters: 0",
        "LayerNorms — norms without weight and bias: 0",
        "Final LayerNorm — norms without weight and bias: 0",
        "LM head — tied to the token embedding: 0",
    }
    assert {row["value"] for row in empty} == {""}


@settings(deadline=None)
@given(architectures())
def test_the_arithmetic_beside_a_bar_gives_its_count(architecture: Architecture) -> None:
    named_model = NamedModel("any", architecture, "From a test")
    for row in rows_of(allocation_chart(named_model)):
        source = row["origin"].replace("²", "**2").replace("·", "*").replace("×", "*").replace(",", "")
        if row["share"]:
            assert eval(source, architecture.concrete()) == named_model.account[row["key"]].params


@every_structure
def test_no_name_runs_into_its_bar(name: str) -> None:
    chart = allocation_chart(named_model_of(name))
    svg = svg_of(chart)
    ends = {text.words: text.right for text in texts_of(svg)}
    starts = [float(x) for x in re.findall(r'roledescription="bar"[^>]*d="M([\d.]+),', svg)]
    labels = [row["label"] for row in rows_of(chart) if row["share"]]
    assert len(starts) >= len(labels)
    assert max(ends[label] for label in labels) < min(starts) + 6  # the padding, which bars' paths leave out


@every_structure
def test_profile_areas_are_shares(name: str) -> None:
    rows = rows_of(layer_profile_chart(named_model_of(name)))
    for row in rows:
        area = (row["end"] - row["start"]) * (row["bottom"] - row["top"]) / 200
        assert area == pytest.approx(row["share"], rel=1e-9)
    assert {row["key"] for row in rows} == {part.key for part in named_model_of(name).account.components if part.params}
    assert max(row["bottom"] for row in rows) == pytest.approx(234)
