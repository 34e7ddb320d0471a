"""Charts of models side by side: lengths and areas, names, and that nothing is cut off or covered."""

import json
import math
import re
from functools import cache
from typing import Any, get_args

import altair as alt
import pytest

from slimlm.charts.comparison_profiles import profiles_chart
from slimlm.charts.comparison_strips import Measure, comparison_chart, describe_comparison, legend_rows
from slimlm.charts.palette import COMPONENT_COLORS
from slimlm.charts.theme import Figure
from slimlm.compare.pins import LONGEST_NAME, Pin, pin_of, with_pin
from slimlm.compare.presets import COMPARISON_PRESETS, preset_pins
from slimlm.core.config import ModelConfig
from slimlm.core.names import COMPONENT_NAMES
from slimlm.core.published import published_model
from tests.figures import assert_well_set, rows_of, svg_of, texts_of, words_of

LONG = "W" * LONGEST_NAME
EIGHT = (
    ("pythia-14m", LONG),
    ("stories15M", ""),
    ("OLMo-tiny-20M", ""),
    ("gpt2", "m" * LONGEST_NAME),
    ("SmolLM2-135M", ""),
    ("gemma-3-270m", ""),
    ("Qwen3-0.6B", "a name that is as long as names may be, and"),
    ("Llama-3.2-1B", ""),
)


@cache
def pins_of(name: str) -> tuple[Pin, ...]:
    if name in COMPARISON_PRESETS:
        return preset_pins(name)
    pins: tuple[Pin, ...] = ()
    for model, own_name in EIGHT[: {"one": 1, "two": 2, "five": 5, "eight": 8}[name]]:
        pins = with_pin(pins, pin_of(published_model(model), own_name))
    return pins


CHARTS = {"strips": comparison_chart, "profiles": profiles_chart}
SETS = (*COMPARISON_PRESETS, "one", "two", "five", "eight")
OF_EXPERTS = {"dense_ffn", "router", "experts", "shared_experts"}

every_chart = pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
every_set = pytest.mark.parametrize("name", SETS)
every_measure = pytest.mark.parametrize("measure", get_args(Measure))


def by_model(chart: Figure) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(chart):
        found.setdefault(row["model"], []).append(row)
    return found


@every_measure
@every_set
@every_chart
def test_no_text_is_clipped_or_covers_another(chart: Any, name: str, measure: Measure) -> None:
    for width in (720, 1400) if name in ("one", "two", "five", "eight") else (346, 480, 720, 1400):
        assert_well_set(svg_of(chart(pins_of(name), measure), width=width))


@every_measure
@every_chart
def test_the_specification_conforms_to_the_schema(chart: Any, measure: Measure) -> None:
    alt.LayerChart.from_dict(chart(pins_of("eight"), measure).to_dict(), validate=True)


@every_set
def test_strips_of_shares_have_one_length_and_components_in_the_order_of_the_model(name: str) -> None:
    order = list(COMPONENT_NAMES)
    for pin in pins_of(name):
        rows = by_model(comparison_chart(pins_of(name)))[pin.name]
        assert rows[0]["start"] == 0 and rows[-1]["end"] == pytest.approx(1)
        assert [row["key"] for row in rows] == sorted((row["key"] for row in rows), key=order.index)
        shares = {part.key: part.share for part in pin.subject.account.components if part.params}
        assert {row["key"]: row["end"] - row["start"] for row in rows} == pytest.approx(shares)


@every_set
def test_strips_of_parameters_share_one_scale(name: str) -> None:
    largest = max(pin.subject.total_params for pin in pins_of(name))
    for pin in pins_of(name):
        for row in by_model(comparison_chart(pins_of(name), "params"))[pin.name]:
            counted = pin.subject.account[row["key"]].params
            assert (row["end"] - row["start"]) * largest == pytest.approx(counted)


@every_measure
@every_set
def test_areas_of_profiles_are_shares_or_parameters_in_the_models_own_proportion(name: str, measure: Measure) -> None:
    pins = pins_of(name)
    largest = max(pin.subject.total_params for pin in pins)
    full = 0.93 * 180
    for pin in pins:
        rows = by_model(profiles_chart(pins, measure))[pin.name]
        for row in rows:
            area = (row["end_first"] - row["start_first"]) * (row["bottom_first"] - row["top_first"]) / full
            part = pin.subject.account[row["key"]]
            assert area == pytest.approx(part.share if measure == "share" else part.params / largest)
        width = max(row["end_first"] for row in rows) - min(row["start_first"] for row in rows)
        height = max(row["bottom_first"] for row in rows) - min(row["top_first"] for row in rows)
        assert width / 0.93 == pytest.approx(height / 180)


@every_chart
def test_a_component_has_one_colour_everywhere_and_is_named_once(chart: Any) -> None:
    written = chart(pins_of("eight")).to_dict()
    assert all(row["fill"] == COMPONENT_COLORS[row["key"]] for row in rows_of(chart(pins_of("eight"))))
    keys = written["layer"][-1]["data"]["values"]
    names = [name for key, name in COMPONENT_NAMES.items() if key not in OF_EXPERTS]
    assert [row["name"] for row in keys] == names
    words = [text.words for text in texts_of(svg_of(chart(pins_of("eight"))))]
    assert all(words.count(name) == 1 for name in names)


@every_chart
def test_the_experts_of_a_mixture_are_named_beside_a_dense_model(chart: Any) -> None:
    pins = (pin_of(published_model("SmolLM2-135M")), pin_of(published_model("DeepSeek-V2-Lite")))
    words = [text.words for text in texts_of(svg_of(chart(pins)))]
    assert all(words.count(COMPONENT_NAMES[key]) == 1 for key in OF_EXPERTS)
    assert any("15.71B (2.661B active)" in line for line in words)


def test_only_components_that_occur_are_named() -> None:
    rope = (pin_of(published_model("SmolLM2-135M")),)
    assert [row["name"] for row in legend_rows(rope)] == [
        "Token embedding",
        "Attention",
        "Feed-forward",
        "Norms",
        "Final norm",
    ]


def test_segments_and_ends_say_figures() -> None:
    words = {text.words for text in texts_of(svg_of(comparison_chart(preset_pins(next(iter(COMPARISON_PRESETS))))))}
    assert {"34.4 % · 3.456M", "42.1 % · 4.230M", "10.05M", "134.5M", "596.0M"} <= words
    assert "12 layers × d_model 216 · d_ff 544 · 8 heads" in words


def test_the_heading_says_what_length_and_area_stand_for() -> None:
    pins = pins_of("two")
    assert words_of(comparison_chart(pins)) == (
        "Where the parameters go 2 models side by side, from input to output Each strip is one model (100 %)"
    )
    assert "Length is parameters, on one scale" in words_of(comparison_chart(pins, "params"))
    assert "Area is share of the model" in words_of(profiles_chart(pins))
    assert "Area is parameters, on one scale" in words_of(profiles_chart(pins, "params"))
    assert "One model from input to output" in words_of(comparison_chart((pin_of(published_model("gpt2")),)))


@every_chart
def test_on_a_narrow_page_titles_and_legend_are_whole(chart: Any) -> None:
    models = ("pythia-14m", "stories15M", "OLMo-tiny-20M", "gpt2", "SmolLM2-135M", "gemma-3-270m", "Qwen3-0.6B")
    pins = (pin_of(ModelConfig()), *(pin_of(published_model(model)) for model in models))
    for count in (1, 2, 3, 8):
        for width in (346, 620):
            svg = svg_of(chart(pins[:count]), width=width)
            assert_well_set(svg)
            words = {text.words for text in texts_of(svg)}
            assert not any("…" in text for text in words)
            assert {pin.name for pin in pins[:count]} | {"Token embedding", "Position embedding"} <= words


def test_profiles_take_fewer_columns_on_a_narrow_page() -> None:
    def columns(width: int) -> int:
        names = {pin.name for pin in preset_pins("From GPT-2 to Llama at 125M")}
        texts = texts_of(svg_of(profiles_chart(preset_pins("From GPT-2 to Llama at 125M")), width=width))
        return len({round(text.left) for text in texts if text.words in names})

    assert [columns(width) for width in (346, 600, 960)] == [2, 2, 4]


def test_blocks_are_ruled_off_and_a_group_is_named() -> None:
    deep = (pin_of(ModelConfig(total_params=200_000_000, n_layers=1500, embedding_ratio=0.05)),)
    chart = profiles_chart(deep)
    lines, captions = rows_of(chart, 1), rows_of(chart, 3)
    group = int(re.findall(r"a line every (\d+)", captions[0]["shape"])[0])
    assert [row["count"] for row in lines] == [math.ceil(1500 / group) - 1]
    rules = re.findall(r"layer_1_layer_0_marks.*?</g>", svg_of(chart), re.DOTALL)[0]
    assert rules.count("<line") == lines[0]["count"]
    one_by_one = profiles_chart((pin_of(ModelConfig()),))
    assert [row["count"] for row in rows_of(one_by_one, 1)] == [11]
    assert "a line every" not in rows_of(one_by_one, 3)[0]["shape"]


@every_chart
def test_names_are_text_and_nothing_else(chart: Any) -> None:
    svg = svg_of(chart((pin_of(ModelConfig(), '<script>alert("x")</script>'),)))
    assert "&lt;script&gt;" in svg and "<script" not in svg


def test_the_description_says_every_share() -> None:
    assert describe_comparison(pins_of("25, 35 and 45 % of 10M in embeddings")).startswith(
        "25 % embedding, 10.02M parameters: Token embedding 25.5 %, Position embedding 0.8 %, Attention 24.5 %, "
    )


@every_chart
def test_eight_models_are_sent_in_a_few_kilobytes(chart: Any) -> None:
    assert len(json.dumps(chart(pins_of("eight")).to_dict())) < 60_000


@every_chart
def test_eight_mixtures_are_hardly_more(chart: Any) -> None:
    names = ("DeepSeek-V3", "DeepSeek-V2", "DeepSeek-V2-Lite", "Qwen1.5-MoE-A2.7B", "Qwen2-57B-A14B", "Mixtral-8x7B")
    pins: tuple[Pin, ...] = ()
    for name in (*names, "Qwen3-30B-A3B", "OLMoE-1B-7B"):
        pins = with_pin(pins, pin_of(published_model(name)))
    assert len(json.dumps(chart(pins).to_dict())) < 60_000
