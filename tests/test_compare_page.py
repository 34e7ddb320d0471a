"""The Compare page without a browser, pins on the other pages, and what models cost."""

import csv
import io
import json
import re
from html import escape
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from slimlm.compare.comparison import Comparison
from slimlm.compare.findings import Kind
from slimlm.compare.pin_links import read_pin, write_pin
from slimlm.compare.pins import FULL, MOST_PINS, pin_of
from slimlm.compare.presets import COMPARISON_PRESETS, preset_pins
from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model, published_models
from slimlm.costs import CostSettings, costs
from slimlm.export.comparison_tables import comparison_csv, comparison_html, comparison_markdown
from slimlm.solver.alternatives import alternatives
from tests.test_app import APP, shown

TWO = ["design", "model~gpt2~name-older"]
CONFIG = json.dumps(
    {
        "model_type": "llama",
        "vocab_size": 4096,
        "hidden_size": 192,
        "intermediate_size": 512,
        "num_hidden_layers": 5,
        "num_attention_heads": 6,
    }
)


def opened(*pins: str, page: str = "pages/compare.py", **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    if page != "app.py":
        app.switch_page(page)
    if pins:
        app.query_params["pin"] = list(pins)
    app.query_params.update(query)
    return app.run()


def pins_in(page: AppTest) -> list[str]:
    found = page.query_params.get("pin", [])
    return [found] if isinstance(found, str) else list(found)


def click(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception


def specs(page: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in page.get("vega_lite_chart")]


def html_of(page: AppTest) -> str:
    """Return what the page writes in HTML, without its style sheets."""
    found = "\n".join(element.proto.body for element in page.get("html"))
    return re.sub("<style>.*?</style>", "", found, flags=re.DOTALL)


def names(page: AppTest) -> list[str]:
    return [str(field.value) for field in page.text_input if field.label.startswith("Name of pin")]


def models_in(chart: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(row["model"] for row in chart["layer"][0]["data"]["values"]))


# The page.


def test_without_pins_there_is_a_sentence_and_three_comparisons_to_start_from() -> None:
    page = opened()
    assert not page.exception and not specs(page)
    assert any(text.value.startswith("Pin designs on the Design page") for text in page.markdown)
    assert [button.label for button in page.button if button.label in COMPARISON_PRESETS] == list(COMPARISON_PRESETS)


@pytest.mark.parametrize("label", COMPARISON_PRESETS)
def test_a_start_is_one_click(label: str) -> None:
    page = opened()
    click(page, label)
    assert pins_in(page) == [write_pin(pin) for pin in preset_pins(label)]
    assert models_in(specs(page)[0]) == names(page) == [pin.name for pin in preset_pins(label)]


def test_a_link_shows_its_pins_in_both_charts_and_the_table() -> None:
    page = opened(*TWO)
    *charts, chart = specs(page)
    assert [models_in(chart) for chart in charts] == [["10.05M · 12 × 216", "older"]] * 2
    ringed = [row["label"] for row in chart["layer"][1]["data"]["values"] if row["ringed"]]
    assert ringed == ["10.05M · 12 × 216", "older"]
    assert '<th scope="col">older</th>' in html_of(page)
    assert "+114.4M · ×12" in html_of(page)
    assert not page.warning


def test_damaged_pins_get_a_sentence_each_and_the_others_stay() -> None:
    page = opened("nonsense", *TWO, "shape~d_model-8")
    assert [shown(warning.value) for warning in page.warning] == [
        "Pin 1 of the link is ignored: 'nonsense' is not a kind of pin: it must be design, shape or model.",
        "Pin 4 of the link is ignored: the shape has missing fields: 'd_ff', 'n_layers'.",
    ]
    assert len(names(page)) == 2


def test_pins_are_renamed_moved_and_taken_away() -> None:
    page = opened(*TWO)
    page.text_input(key="name_design").input("  mine ~ all\nmine ").run()
    assert pins_in(page) == ["design~name-mine - all mine", TWO[1]]
    page.button(key="down_0").click().run()
    assert names(page) == ["older", "mine - all mine"]
    page.button(key="up_1").click().run()
    assert names(page) == ["mine - all mine", "older"]
    page.button(key="remove_0").click().run()
    assert pins_in(page) == [TWO[1]]
    click(page, "Clear")
    assert pins_in(page) == [] and not specs(page)


def test_the_ends_of_the_list_cannot_be_moved_beyond() -> None:
    page = opened(*TWO)
    assert page.button(key="up_0").disabled and page.button(key="down_1").disabled
    assert not page.button(key="down_0").disabled


def test_a_name_taken_away_gives_the_model_its_own() -> None:
    page = opened(*TWO)
    page.text_input(key="name_model~gpt2").input("").run()
    assert names(page) == ["10.05M · 12 × 216", "gpt2"]


def test_the_switch_changes_both_charts_and_the_link() -> None:
    page = opened(*TWO)
    assert "Each strip is one model" in str(specs(page)[0]["title"])
    page.segmented_control(key="measure").set_value("params").run()
    assert page.query_params["measure"] in ("params", ["params"])
    assert "Length is parameters" in str(specs(page)[0]["title"])
    assert "Area is parameters" in str(specs(page)[1]["title"])
    assert "Length is parameters" in str(specs(opened(*TWO, measure="params"))[0]["title"])
    assert "Each strip is one model" in str(specs(opened(*TWO, measure="banana"))[0]["title"])


def test_the_baseline_is_chosen_linked_and_stays_the_same_model_when_moved() -> None:
    page = opened(*TWO)
    page.selectbox(key="baseline").set_value(1).run()
    assert "older<small>baseline</small>" in html_of(page)
    page.button(key="up_1").click().run()
    assert names(page) == ["older", "10.05M · 12 × 216"]
    assert "older<small>baseline</small>" in html_of(page)
    page.button(key="remove_0").click().run()
    assert "baseline" not in html_of(page)
    for place in ("2", "9", "x", "²"):
        expected = "older" if place == "2" else "216"
        assert f"{expected}<small>baseline</small>" in html_of(opened(*TWO, baseline=place))


def test_equal_rows_are_folded() -> None:
    page = opened(*TWO)
    labels = [expander.label for expander in page.expander]
    folded = next(label for label in labels if label.endswith("rows are equal in all models"))
    equal = next(expander for expander in page.expander if expander.label == folded)
    assert (
        ">Tied LM head<" in equal.get("html")[0].proto.body and "Width (d_model)" not in equal.get("html")[0].proto.body
    )
    assert html_of(page).count(">Tied LM head<") == html_of(page).count(">Width (d_model)<") == 1
    assert not any("equal in all" in expander.label for expander in opened(TWO[1]).expander)


def test_the_findings_stand_above_the_charts() -> None:
    page = opened(*[write_pin(pin) for pin in preset_pins("25, 35 and 45 % of 10M in embeddings")])
    found = [shown(text.value) for text in page.markdown if shown(text.value).startswith("**What ")]
    assert [text.partition(".")[0] for text in found] == [f"**{kind}" for kind in Kind]
    assert "“45 % embedding” needs 57\u00a0% less KV cache" in found[0].replace("45\u00a0", "45 ")
    assert "Add a second model" not in "".join(text.value for text in page.caption)
    alone = opened(TWO[1])
    assert not [text for text in alone.markdown if text.value.startswith("**What ")]
    assert any(text.value.startswith("Add a second model") for text in alone.caption)


def test_names_from_a_link_are_text_on_the_page() -> None:
    page = opened('design~name-<img src=x onerror="alert(1)">**b**', TWO[1])
    assert "<img" not in html_of(page) and "&lt;img src=x" in html_of(page)
    assert not any(re.search(r"(?<!\\)<img|(?<!\\)\*\*b", text.value) for text in page.markdown)


# What is added there.


def test_a_published_model_is_added_by_name() -> None:
    page = opened(*TWO)
    page.selectbox(key="added").set_value("Qwen3-0.6B").run()
    assert pins_in(page) == [*TWO, "model~Qwen3-0.6B"]
    assert page.selectbox(key="added").value is None
    assert shown(page.toast[0].value) == "Pinned as “Qwen3-0.6B”, 3 of 8."


def test_a_model_that_is_pinned_is_not_added_again() -> None:
    page = opened(*TWO)
    page.selectbox(key="added").set_value("gpt2").run()
    assert pins_in(page) == TWO
    assert shown(page.toast[0].value) == "It is already pinned as 'older'."


def test_a_ninth_gets_one_sentence() -> None:
    eight = [write_pin(pin_of(model)) for model in published_models()[:MOST_PINS]]
    page = opened(*eight)
    page.selectbox(key="added").set_value("Qwen3-0.6B").run()
    assert pins_in(page) == eight
    assert shown(page.toast[0].value) == f"{FULL}."


def test_a_config_is_added_from_its_text_and_a_broken_one_is_a_sentence() -> None:
    page = opened(*TWO)
    page.text_area(key="added_text").input(CONFIG)
    click(page, "Add it")
    assert pins_in(page)[2].startswith("shape~vocab_size-4096~")
    shape, _, remark = pins_in(page)[2].partition("~remark-")
    assert shape.endswith("~d_model-192~d_ff-512~n_layers-5~name-llama")
    assert remark == "max_position_embeddings 2,048 is a default of llama, not in the config"
    page.text_area(key="added_text").input("{")
    click(page, "Add it")
    assert len(pins_in(page)) == 3
    assert shown(page.error[0].value) == "the config cannot be read: line 1 ends where a key was expected."


def test_what_was_not_read_of_an_added_config_is_said() -> None:
    page = opened(*TWO)
    assert list(page.get("file_uploader")[0].proto.type) == [".json", ".yaml", ".yml", ".txt", ".py"]
    page.text_area(key="added_text").input("dim: 64\nn_layers: 2\nn_heads: 2\nvocab_size: 99\nlayers: 3\n")
    click(page, "Add it")
    assert len(pins_in(page)) == 3 and not page.error
    remark = "layers is no key of Meta's params.json, and is not read"
    assert any(f"* **unnamed:** {remark}." in shown(text.value) for text in page.markdown)
    again = opened(*pins_in(page))
    assert any(remark in shown(text.value) for text in again.markdown)
    (pinned,) = [read_pin(text) for text in pins_in(page)[2:]]
    comparison = Comparison((pinned,))
    assert remark in comparison_html(comparison).replace("&#39;", "'")
    assert remark in comparison_markdown(comparison).replace("\\", "")
    assert [row for row in csv.reader(io.StringIO(comparison_csv(comparison))) if remark in row] == [
        ["Remarks", "remark", "Remark", "unnamed", remark, "", "", "", ""]
    ]
    assert write_pin(pinned) == pins_in(page)[2]


# Pins elsewhere.


def test_the_design_is_pinned_and_taken_off_on_its_own_page() -> None:
    page = opened(page="app.py", total_params="12.5M")
    assert page.button(key="pin").label == "Pin"
    page.button(key="pin").click().run()
    assert pins_in(page) == ["design~total_params-12.5M"]
    assert page.button(key="pin").label == "Pinned"
    page.button(key="pin").click().run()
    assert pins_in(page) == []


def test_the_link_to_the_page_counts_the_pins() -> None:
    for page in ("app.py", "pages/sweep.py", "pages/compare.py"):
        labels = [link.proto.label for link in opened(*TWO, page=page).get("page_link")]
        assert labels[-5:] == ["Design", "Sweep", "Rank", "Inspect", "Compare · 2"]
    assert [link.proto.label for link in opened().get("page_link")][-1] == "Compare"


def test_alternatives_are_pinned_under_what_they_change() -> None:
    page = opened(page="app.py", tab="alternatives")
    page.button(key="pin_0").click().run()
    best = alternatives(ModelConfig())[0]
    assert pins_in(page) == ["design~n_heads-5~name-10.02M · 5 heads"]
    assert pin_of(best.request).architecture == best.design.architecture


def test_a_published_model_is_pinned_on_the_inspect_page() -> None:
    page = opened("design", page="pages/inspect.py", model="gpt2")
    page.button(key="pin").click().run()
    assert pins_in(page) == ["design", "model~gpt2"]


# Costs.


@pytest.mark.parametrize("page", ["app.py", "pages/inspect.py"])
def test_costs_of_one_model_follow_their_settings(page: str) -> None:
    app = opened(page=page, model="gpt2", tab="costs")
    arch = published_model("gpt2").architecture if "inspect" in page else pin_of(ModelConfig()).architecture
    for row in costs(arch):
        assert f">{escape(row.name)}</th><td>{escape(row.text)}</td>" in html_of(app)
    app.selectbox(key="cost_accelerator").set_value("a100").run()
    app.number_input(key="cost_context_length").set_value(256).run()
    app.text_input(key="cost_training_tokens").input("300B").run()
    links = [code.value for code in app.code if "?" in code.value]
    assert all("cost_context_length=256" in link and "cost_training_tokens=300B" in link for link in links) and links
    settings = CostSettings(context_length=256, training_tokens=300_000_000_000, accelerator="a100")
    for row in costs(arch, settings):
        assert f">{escape(row.name)}</th><td>{escape(row.text)}</td>" in html_of(app)


def test_a_link_shows_its_cost_settings_and_ignores_impossible_ones() -> None:
    query = {"cost_accelerator": "a100", "cost_context_length": "256", "cost_training_tokens": "300B"}
    app = opened(page="app.py", tab="costs", cost_utilisation="7", **query)
    settings = CostSettings(context_length=256, training_tokens=300_000_000_000, accelerator="a100")
    for row in costs(pin_of(ModelConfig()).architecture, settings):
        assert f">{escape(row.name)}</th><td>{escape(row.text)}</td>" in html_of(app)
    assert app.number_input(key="cost_utilisation").value == 0.4


def test_training_tokens_that_cannot_be_read_are_a_sentence() -> None:
    page = opened(*TWO)
    page.text_input(key="cost_training_tokens").input("many").run()
    assert not page.exception
    assert shown(page.error[0].value).startswith("'many' is not a size; write a number such as 10M")
    page.text_input(key="cost_training_tokens").input("0").run()
    assert shown(page.error[0].value).startswith("training_tokens=0 is not allowed")


def test_an_emptied_setting_goes_back_to_what_it_was() -> None:
    page = opened(*TWO)
    page.number_input(key="cost_usd_per_hour").set_value(3.5).run()
    page.number_input(key="cost_usd_per_hour").set_value(None).run()
    assert not page.exception
    assert page.number_input(key="cost_usd_per_hour").value == 3.5


def test_a_context_that_a_new_pin_does_not_take_is_given_up() -> None:
    page = opened("model~gpt2", "model~SmolLM2-135M")
    page.number_input(key="cost_context_length").set_value(1000).run()
    assert "context of 1,000 tokens" in shown("".join(text.value for text in page.caption))
    page.selectbox(key="added").set_value("stories15M").run()
    assert not page.exception
    assert "context of 256 tokens" in shown("".join(text.value for text in page.caption))
