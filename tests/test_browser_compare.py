"""The Compare page in a real Chromium: pins from every page, their names and order, links, switch and files."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect

from slimlm.compare.comparison import Comparison
from slimlm.compare.pin_links import write_pin
from slimlm.compare.pins import LONGEST_NAME, MOST_PINS, pin_of
from slimlm.compare.presets import COMPARISON_PRESETS
from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model, published_models
from slimlm.export.downloads import comparison_downloads
from tests.browser import (
    chart,
    check_passes,
    choose,
    go_to,
    open_app,
    open_section,
    press,
    saved,
    settle,
    shared_links,
)
from tests.models import HF_CONFIG

TWO = "compare?" + urlencode({"pin": ["design", "model~gpt2"]}, doseq=True)


def pin(page: Page) -> None:
    control(page, "pin").click()
    expect(control(page, "pin")).to_contain_text("Pinned")
    settle(page)


def names(page: Page) -> list[str]:
    fields = page.get_by_role("textbox", name=re.compile("^Name of pin"))
    return [field.input_value() for field in fields.all()]


def control(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key}").get_by_role("button")


def test_pins_of_every_page_come_together_and_the_knobs_stay(page: Page, address: str) -> None:
    open_app(page, address, "?total_params=12.5M&tab=alternatives")
    pin(page)
    control(page, "pin_0").click()
    expect(page.get_by_text("Pinned as “12.45M · multiples of 8”, 2 of 8")).to_be_visible()
    settle(page)
    go_to(page, "Inspect")
    pin(page)
    go_to(page, "Compare")
    expect(chart(page)).to_contain_text("3 models side by side")
    assert names(page)[1:] == ["12.45M · multiples of 8", "SmolLM2-135M"]
    for name in names(page):
        expect(chart(page)).to_contain_text(name)
        expect(page.get_by_test_id("stVegaLiteChart").nth(1)).to_contain_text(name)
    expect(page).to_have_url(re.compile(r"total_params=12\.5M"))
    go_to(page, "Design")
    expect(chart(page)).to_contain_text("Target: 12.5M")
    expect(control(page, "pin")).to_contain_text("Pinned")
    press(page, "GLU expansion", "ArrowRight")
    expect(page).to_have_url(re.compile("glu_expansion=2.7.*"))
    expect(control(page, "pin")).not_to_contain_text("Pinned")
    go_to(page, "Compare")
    expect(page.get_by_role("textbox", name=re.compile("^Name of pin"))).to_have_count(3)


QUICK_CLICKS = """
() => [0, 1, 2]
  .map((place) => [...document.querySelectorAll(`.st-key-pin_${place} button`)].find((one) => one.checkVisibility()))
  .forEach((button) => button.click())
"""
"""Click three pins in one step, on buttons that are in the page: between two steps the page may replace one."""


def test_a_quick_second_click_loses_no_pin(page: Page, address: str) -> None:
    open_app(page, address, "?tab=alternatives")
    check_passes(page)
    settle(page)
    page.evaluate(QUICK_CLICKS)
    press(page, "GLU expansion", "ArrowRight")
    expect(page).to_have_url(re.compile("glu_expansion=2.7"))
    settle(page)
    assert page.url.count("pin=design") == 3


def test_pins_are_renamed_moved_and_taken_away(page: Page, address: str) -> None:
    open_app(page, address, TWO)
    field = page.get_by_role("textbox", name="Name of pin 1")
    field.fill("The <b>small</b> one")
    field.press("Enter")
    expect(chart(page)).to_contain_text("The <b>small</b> one")
    expect(page).to_have_url(re.compile("pin=design~name-The"))
    control(page, "down_0").click()
    expect(page.get_by_role("textbox", name="Name of pin 1")).to_have_value("gpt2")
    expect(page.get_by_role("textbox", name="Name of pin 2")).to_have_value("The <b>small</b> one")
    expect(page.get_by_role("columnheader", name="The <b>small</b> one")).to_be_visible()
    settle(page)
    control(page, "remove_0").click()
    expect(page.get_by_role("textbox", name="Name of pin 2")).to_have_count(0)
    expect(chart(page)).to_contain_text("One model from input to output")
    page.go_back()
    expect(page.get_by_role("textbox", name="Name of pin 2")).to_be_visible()


def test_a_link_opens_the_comparison_in_another_browser_on_another_server(
    page: Page, address: str, fresh: Page, elsewhere: str
) -> None:
    open_app(page, address, f"{TWO}&pin=shape~d_model-64~d_ff-128~n_layers-2~name-%3Ci%3Etiny%26&total_params=12.5M")
    page.get_by_role("radio", name="Parameters").click()
    expect(chart(page)).to_contain_text("Length is parameters")
    settle(page)
    link = shared_links(page)[0]
    assert "measure=params" in link and len(link) < 300
    drawn = [chart.text_content() for chart in page.get_by_test_id("stVegaLiteChart").all()]
    open_app(fresh, elsewhere, link.removeprefix(address).lstrip("/"))
    for place, text in enumerate(drawn):
        expect(fresh.get_by_test_id("stVegaLiteChart").nth(place)).to_have_text(text or "never")
    assert names(fresh) == ["10.05M · 12 × 216", "gpt2", "<i>tiny&"]


def test_a_start_is_one_click_and_a_model_is_added_by_a_part_of_its_name(page: Page, address: str) -> None:
    open_app(page, address, "compare")
    page.get_by_role("button", name=list(COMPARISON_PRESETS)[2]).click()
    expect(chart(page)).to_contain_text("4 models side by side")
    settle(page)
    picker = page.get_by_role("combobox", name="Add a published model")
    picker.click()
    picker.fill("Qwen3-0")
    page.get_by_role("option", name="Qwen3-0.6B · Qwen 2025 · 596.0M").click()
    expect(chart(page)).to_contain_text("5 models side by side")
    expect(page.get_by_text("Pinned as “Qwen3-0.6B”, 5 of 8.")).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.get_by_role("button", name=next(iter(COMPARISON_PRESETS)))).to_be_visible()


def test_a_config_is_added_from_a_file(page: Page, address: str) -> None:
    open_app(page, address, TWO)
    page.get_by_role("button", name="Add a config.json").click()
    file = FilePayload(name="tiny.json", mimeType="application/json", buffer=json.dumps(HF_CONFIG).encode())
    page.locator("input[type=file]").set_input_files(file)
    expect(chart(page)).to_contain_text("tiny")
    expect(chart(page)).to_contain_text("2.755M")


def test_a_ninth_pin_is_one_sentence(page: Page, address: str) -> None:
    eight = [write_pin(pin_of(model)) for model in published_models()[:MOST_PINS]]
    open_app(page, address, "?" + urlencode({"pin": eight}, doseq=True))
    control(page, "pin").click()
    expect(page.get_by_text("8 models are pinned, which is the limit")).to_be_visible()
    expect(control(page, "pin")).not_to_contain_text("Pinned")


def test_the_baseline_changes_the_table_and_equal_rows_are_folded(page: Page, address: str) -> None:
    open_app(page, address, TWO)
    table = page.locator("table.models").first
    expect(table).to_contain_text("Width (d_model)")
    choose(page, "Differences from", "gpt2")
    expect(table.get_by_role("columnheader", name="gpt2 baseline")).to_be_visible()
    expect(page).to_have_url(re.compile("baseline=2"))
    folded = page.get_by_role("rowheader", name="Tied LM head")
    expect(folded).to_have_count(0)
    page.get_by_text("rows are equal in all models").click()
    expect(folded).to_be_visible()


def test_nothing_of_a_name_is_markup_and_nothing_is_wider_than_the_page(page: Page, address: str) -> None:
    eight = [write_pin(pin_of(model, "W" * LONGEST_NAME)) for model in published_models()[: MOST_PINS - 1]]
    rude = "design~name-<img src=x onerror=alert(1)>**b**"
    open_app(page, address, "compare?" + urlencode({"pin": [*eight, rude], "measure": "params"}, doseq=True))
    expect(chart(page)).to_contain_text("<img src=x")
    main = page.get_by_test_id("stMain")
    assert main.locator("img[src=x]").count() == 0
    assert main.evaluate("element => element.scrollWidth <= element.clientWidth")
    assert main.locator(".scrolled").first.evaluate("element => element.scrollWidth <= element.clientWidth + 1")


FILES = comparison_downloads(Comparison((pin_of(ModelConfig()), pin_of(published_model("gpt2")))))


def test_every_file_is_saved_and_the_page_stays(page: Page, address: str) -> None:
    open_app(page, address, TWO)
    page.get_by_role("button", name="Download", exact=True).click()
    for download in FILES:
        name, data = saved(page, download.label)
        assert name == download.file_name
        check_file(name.rpartition(".")[2], data)
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(3)


def check_file(kind: str, data: bytes) -> None:
    """Hold a file against what its kind promises."""
    if kind == "png":
        assert Image.open(io.BytesIO(data)).width == 1920
    elif kind == "svg":
        assert "gpt2" in "".join(ET.fromstring(data).itertext())
    elif kind == "csv":
        assert {row["model"] for row in csv.DictReader(io.StringIO(data.decode()))} == {"10.05M · 12 × 216", "gpt2"}
    else:
        assert "gpt2" in data.decode() and "Costs at a context of 512 tokens" in data.decode()


def test_costs_survive_a_change_of_page(page: Page, address: str) -> None:
    open_app(page, address, TWO)
    page.get_by_text("Settings of the costs").click()
    field = page.get_by_role("spinbutton", name="USD an hour")
    field.fill("3.5")
    field.press("Enter")
    expect(page.get_by_text("and 3.5 USD an hour")).to_be_visible()
    go_to(page, "Inspect")
    open_section(page, "Costs")
    expect(page.get_by_role("spinbutton", name="USD an hour")).to_have_value("3.5")
    expect(page.locator("table.costs")).to_contain_text("at 3.5 USD")
