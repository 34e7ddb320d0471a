"""Messages that a browser sends before it has received the page's last answer undo nothing."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from slimlm.ui import query_params
from tests.models import HF_CONFIG
from tests.test_app import APP, chart_title

PINS = ["design", "model~gpt2"]


def opened(page: str = "app.py", **query: str | list[str]) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    if page != "app.py":
        app.switch_page(page)
    app.query_params.update(query)
    app.run()
    assert not app.exception
    return app


def show_address(page: AppTest, **query: str | list[str]) -> None:
    """Let the browser show an address from before the page's last answer."""
    page.query_params.clear()
    page.query_params.update(query)


def click(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception


def test_a_click_with_an_outdated_address_keeps_the_knob_that_was_moved() -> None:
    page = opened()
    page.select_slider("glu_expansion").set_value(2.7).run()
    show_address(page)
    page.selectbox("ffn").set_value("gelu").run()
    assert page.select_slider("glu_expansion").value == 2.7
    assert page.query_params == {"glu_expansion": "2.7", "ffn": "gelu"}


def test_a_click_with_an_outdated_field_keeps_the_slider_that_was_moved() -> None:
    page = opened()
    page.select_slider("glu_expansion").set_value(2.7).run()
    show_address(page)
    page.text_input("glu_expansion_typed").set_value("2.66")
    page.selectbox("ffn").set_value("gelu").run()
    assert page.select_slider("glu_expansion").value == 2.7
    assert page.text_input("glu_expansion_typed").value == "2.7"


def test_a_click_with_outdated_knobs_keeps_a_preset() -> None:
    page = opened()
    click(page, "30M, multiples of 8")
    address = dict(page.query_params)
    show_address(page)
    page.select_slider("total_params").set_value(10_000_000)
    page.select_slider("multiple_of").set_value(1)
    page.select_slider("glu_expansion").set_value(3.0)  # a move of the reader's
    page.selectbox("ffn").set_value("gelu").run()
    assert page.query_params == address | {"glu_expansion": "3", "ffn": "gelu"}


def test_a_knob_that_is_moved_back_after_a_preset_has_been_received_stays_there() -> None:
    page = opened()
    click(page, "30M, multiples of 8")
    page.select_slider("total_params").set_value(10_000_000).run()
    before = dict(page.query_params)
    page.select_slider("glu_expansion").set_value(3.0).run()
    show_address(page, **before)
    page.selectbox("ffn").set_value("gelu").run()
    assert page.select_slider("total_params").value == 10_000_000


def test_an_outdated_link_to_another_page_loses_neither_pin_nor_knob() -> None:
    page = opened()
    page.select_slider("glu_expansion").set_value(2.7).run()
    click(page, "Pin")
    show_address(page)
    page.switch_page("pages/compare.py").run()
    assert page.query_params == {"glu_expansion": "2.7", "pin": "design~glu_expansion-2.7"}
    assert "glu_expansion-2.7" in str(page.text_input[-1].key)


def test_a_move_with_an_outdated_address_keeps_a_pin_however_late_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened()
    click(page, "Pin")
    monkeypatch.setattr("time.monotonic", lambda: 1e9)
    show_address(page)
    page.select_slider("glu_expansion").set_value(2.7).run()
    assert page.query_params == {"pin": "design", "glu_expansion": "2.7"}


def test_settings_of_a_comparison_survive_an_outdated_address() -> None:
    page = opened("pages/compare.py", pin=PINS)
    page.segmented_control("measure").set_value("params").run()
    show_address(page, pin=PINS)
    page.selectbox("baseline").set_value(1).run()
    assert page.query_params == {"pin": PINS, "measure": "params", "baseline": "2"}


def test_a_pin_that_was_taken_away_does_not_come_back_with_an_outdated_address() -> None:
    page = opened("pages/compare.py", pin=PINS)
    page.button("remove_0").click().run()
    show_address(page, pin=PINS)
    page.segmented_control("measure").set_value("params").run()
    assert page.query_params == {"pin": "model~gpt2", "measure": "params"}


def test_a_sweep_survives_an_outdated_address() -> None:
    page = opened("pages/sweep.py")
    page.select_slider("total_params").set_value(11_000_000).run()
    page.selectbox("sweep_fig").set_value("n_layers").run()
    show_address(page)
    page.segmented_control("sweep_view").set_value("pareto").run()
    assert page.query_params == {"total_params": "11M", "fig": "n_layers", "view": "pareto"}


def test_a_model_chosen_on_the_inspect_page_survives_an_outdated_address() -> None:
    page = opened("pages/inspect.py", model="gpt2")
    page.selectbox("picked").set_value("Qwen3-0.6B").run()
    show_address(page, model="gpt2")
    click(page, "Pin")
    assert page.query_params == {"model": "Qwen3-0.6B", "pin": "model~Qwen3-0.6B"}


def test_a_config_that_was_read_survives_an_outdated_address_and_list() -> None:
    page = opened("pages/inspect.py", model="gpt2")
    page.text_area("config_text").input(json.dumps(HF_CONFIG))
    click(page, "Read the text")
    title = chart_title(page)
    show_address(page, model="gpt2")
    page.selectbox("picked").set_value("gpt2")
    click(page, "Pin")
    assert chart_title(page) == title
    page.selectbox("picked").set_value("gpt2").run()
    assert page.query_params["model"] == "gpt2"


def test_a_link_names_a_model_unless_another_was_chosen_since_it_was_drawn() -> None:
    page = opened(model="gpt2", pin=["design"])
    show_address(page, model="opt-125m")
    page.switch_page("pages/inspect.py").run()
    assert page.query_params == {"model": "opt-125m", "pin": "design"}
    page.selectbox("picked").set_value("Qwen3-0.6B").run()
    show_address(page, model="opt-125m")
    page.switch_page("app.py").run()
    assert page.query_params == {"model": "Qwen3-0.6B", "pin": "design"}


def test_an_address_from_history_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(norm="rmsnorm", total_params="12.5M", pin=["design"])
    monkeypatch.setattr(query_params, "is_from_history", lambda: True)
    show_address(page, ffn="gelu")
    page.run()
    assert (page.selectbox("norm").value, page.selectbox("ffn").value) == ("layernorm", "gelu")
    assert page.text_input("total_params_typed").value == "10M"
    assert page.query_params == {"ffn": "gelu"}


def test_outdated_values_of_an_axis_do_not_replace_those_of_a_new_knob() -> None:
    page = opened("pages/sweep.py", xs="0.3, 0.4")
    page.selectbox("sweep_x").set_value("n_layers").run()
    assert page.text_input("sweep_xs").value == "6, 8, 12, 16, 24"
    show_address(page, xs="0.3, 0.4")
    page.text_input("sweep_xs").set_value("0.3, 0.4")
    page.selectbox("sweep_fig").set_value("n_layers").run()
    assert page.text_input("sweep_xs").value == "6, 8, 12, 16, 24"
    assert page.query_params == {"x": "n_layers", "fig": "n_layers"}
