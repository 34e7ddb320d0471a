"""The Inspect page in a real Chromium: a model by name, from a file, from text and from a link, and on to Design."""

import json
import re

from playwright.sync_api import FilePayload, Page, expect

from tests.browser import chart, open_app, shared_links
from tests.models import HF_CONFIG

TITLE = "2.755M parameters"


def upload(page: Page, content: str, name: str = "tiny.json") -> None:
    page.get_by_role("button", name="Read a config.json").click()
    file = FilePayload(name=name, mimeType="application/json", buffer=content.encode())
    page.locator("input[type=file]").set_input_files(file)


def test_a_model_is_picked_by_typing_a_part_of_its_name(page: Page, address: str) -> None:
    open_app(page, address, "inspect")
    expect(chart(page)).to_contain_text("SmolLM2-135M · 134.5M parameters")
    picker = page.get_by_role("combobox", name="Published model")
    picker.click()
    picker.fill("Qwen3-0")
    page.get_by_role("option", name="Qwen3-0.6B · Qwen 2025 · 596.0M").click()
    expect(chart(page)).to_contain_text("Qwen3-0.6B · 596.0M parameters")
    expect(page).to_have_url(re.compile(r"/inspect\?model=Qwen3-0\.6B$"))
    expect(page.get_by_test_id("stMetric").nth(4)).to_contain_text("passed", timeout=30_000)
    page.go_back()
    expect(chart(page)).to_contain_text("SmolLM2-135M · 134.5M parameters")


def test_a_link_to_a_model_opens_it(fresh: Page, elsewhere: str) -> None:
    open_app(fresh, elsewhere, "inspect?model=gemma-3-270m")
    expect(chart(fresh)).to_contain_text("gemma-3-270m · 268.1M parameters")
    expect(fresh.get_by_text("equal to the count outside slimlm")).to_be_visible()


def test_an_uploaded_config_is_shown_and_its_link_shows_it_again(page: Page, fresh: Page, address: str) -> None:
    open_app(page, address, "inspect?model=gpt2")
    upload(page, json.dumps(HF_CONFIG | {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}))
    expect(chart(page)).to_contain_text(f"tiny · {TITLE}")
    page.keyboard.press("Escape")
    link = shared_links(page)[0]
    assert "architecture=" in link
    drawn = chart(page).text_content() or "never"
    open_app(fresh, address, link.removeprefix(address).lstrip("/"))
    expect(chart(fresh)).to_have_text(drawn)
    expect(fresh.get_by_text('rescaled rotary positions (rope_type="linear")')).to_be_visible()


def test_a_pasted_config_is_shown(page: Page, address: str) -> None:
    open_app(page, address, "inspect?model=gpt2")
    page.get_by_role("button", name="Read a config.json").click()
    page.get_by_role("textbox", name="Or its text").fill(json.dumps(HF_CONFIG))
    page.get_by_role("button", name="Read the text").click()
    expect(chart(page)).to_contain_text(f"llama · {TITLE}")
    expect(page.get_by_role("textbox", name="Or its text")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/inspect\?architecture=shape(~|%7E)vocab_size-"))


def test_a_broken_file_is_one_sentence_and_nothing_of_it_is_markup(page: Page, address: str) -> None:
    open_app(page, address, "inspect?model=gpt2")
    upload(page, '{"model_type": "<img src=x>**b**"}')
    alert = page.get_by_test_id("stAlert").filter(has_text="is not supported")
    expect(alert).to_contain_text('model_type="<img src=x>**b**" is not supported: slimlm reads')
    assert alert.locator("img, strong").count() == 0
    expect(chart(page)).to_contain_text("gpt2 · 124.4M parameters")


def test_an_unknown_name_in_a_link_is_one_sentence_with_names_like_it(page: Page, address: str) -> None:
    open_app(page, address, "inspect?model=SmolLM-135M-x")
    expect(page.get_by_test_id("stAlert")).to_contain_text("name='SmolLM-135M' or name='SmolLM2-135M'")
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(0)


def test_the_same_shape_is_asked_for_on_the_design_page(page: Page, address: str) -> None:
    open_app(page, address, "inspect?model=gemma-3-270m")
    expect(chart(page)).to_contain_text("gemma-3-270m · 268.1M parameters")
    page.get_by_role("button", name="Edit as a design").click()
    expect(chart(page)).to_contain_text("Target: 268098176 · vocabulary 262,144")
    expect(chart(page)).to_contain_text("18 layers × d_model 640 · d_ff 2,048 · 4 heads (1 KV)")
    expect(chart(page)).to_contain_text("(±0 %)")
    expect(page.get_by_role("table").first).to_contain_text("268,098,176")
    expect(page).to_have_url(re.compile("block=sandwich_norm"))
    page.reload()
    expect(chart(page)).to_contain_text("18 layers × d_model 640 · d_ff 2,048 · 4 heads (1 KV)")


def test_the_knobs_of_the_design_page_survive_a_visit(page: Page, address: str) -> None:
    open_app(page, address, "?total_params=12.5M")
    expect(chart(page)).to_contain_text("Target: 12.5M")
    page.get_by_role("link", name="Inspect").click()
    expect(chart(page)).to_contain_text("SmolLM2-135M")
    page.get_by_role("link", name="Design").click()
    expect(chart(page)).to_contain_text("Target: 12.5M")


def test_the_design_page_leads_to_published_models_of_its_size(page: Page, address: str) -> None:
    open_app(page, address, "?total_params=125M")
    page.get_by_role("link", name="opt-125m · 125.2M · 12 layers × 768 · embedding ratio 30.8 %").click()
    expect(chart(page)).to_contain_text("opt-125m · 125.2M parameters")
    page.get_by_role("link", name="Design").click()
    expect(chart(page)).to_contain_text("Target: 125M")


def test_a_screenshot_holds_the_model_alone(page: Page, address: str) -> None:
    open_app(page, address, "inspect?model=gpt2&embed=true")
    expect(chart(page)).to_contain_text("gpt2 · 124.4M parameters")
    for name in ("Read a config.json", "Share", "Edit as a design"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
