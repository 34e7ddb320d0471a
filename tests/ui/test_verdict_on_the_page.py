"""The verdict on the Design and Inspect pages, its button, and the switch that lets the shape lead."""

import pytest
from streamlit.testing.v1 import AppTest

from slimlm.core.config import ModelConfig
from slimlm.notes.verdict import verdict
from slimlm.solver.solver import solve
from tests.test_app import chart_title, opened, shown

pytestmark = pytest.mark.usefixtures("idle_machine")


def sentences(page: AppTest) -> list[str]:
    return [shown(markdown.value) for markdown in page.markdown]


def button(page: AppTest, label: str) -> None:
    next(found for found in page.button if found.label == label).click().run()
    assert not page.exception


def test_an_odd_shape_is_said_before_the_figures_and_one_click_mends_it() -> None:
    page = opened(total_params="100M")
    found = verdict(solve(ModelConfig(total_params=100_000_000)))
    assert found.remedy
    said = next(index for index, words in enumerate(sentences(page)) if str(found) in words)
    assert said <= 2, "after the name of the app and the heading"
    button(page, "Use it")
    assert page.query_params["embedding_ratio"] == "0.11"
    assert "16 layers × d_model 680" in " ".join(chart_title(page)["text"])
    assert not any(found.text in words for words in sentences(page))


def test_a_good_design_has_no_button() -> None:
    page = opened(embedding_ratio="0.4", multiple_of="8", n_heads="4")
    assert any("is a usual shape" in words for words in sentences(page))
    assert "Use it" not in [found.label for found in page.button]


def test_the_switch_lets_the_shape_lead_and_back() -> None:
    page = opened()
    page.toggle("shape_leads").set_value(True).run()
    assert page.query_params["embedding_ratio"] == "auto"
    assert "8 layers × d_model 248" in " ".join(chart_title(page)["text"])
    assert [metric.label for metric in page.metric][1] == "d_model / n_layers"
    page.toggle("shape_leads").set_value(False).run()
    assert page.query_params["embedding_ratio"] == "0.4"
    assert page.select_slider("embedding_ratio").value == 0.4


def test_a_link_and_the_field_take_the_word_auto() -> None:
    page = opened(embedding_ratio="auto")
    assert page.toggle("shape_leads").value is True
    page.text_input("embedding_ratio_typed").set_value("0.3").run()
    assert page.toggle("shape_leads").value is False
    page.text_input("embedding_ratio_typed").set_value("Auto").run()
    assert page.query_params["embedding_ratio"] == "auto"


def test_a_published_model_is_judged_by_its_shape() -> None:
    page = opened()
    page.switch_page("pages/inspect.py").run()
    assert not page.exception
    assert any("30 layers × 576 is a usual shape" in words for words in sentences(page))
