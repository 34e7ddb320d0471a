"""What a reader sees, light and dark, wide and narrow: nothing is cut off, nothing overlaps, nothing jumps."""

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser import chart, check_passes, open_app, open_section, press
from tests.looks import WIDTHS, faults, start_at

QUERIES = {
    "default": "",
    "125M": "?total_params=125M&vocab_size=32000&embedding_ratio=0.15&n_heads=9&max_seq_length=2048&multiple_of=32",
    "10B": "?total_params=10B&vocab_size=262144&embedding_ratio=0.2&tied_lm_head=false&n_heads=64",
    "gemma": "inspect?model=gemma-3-270m",
    "olmo": "inspect?model=OLMo-1B-hf",
    "405B": "inspect?model=Llama-3.1-405B",
    "compare": "compare?pin=design&pin=model~gpt2&pin=model~SmolLM2-135M",
}
SECTIONS = ("PyTorch check", "Alternatives", "Notes", "Costs", "Export")


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("name", QUERIES)
def test_nothing_is_cut_off_and_no_texts_overlap(fresh: Page, address: str, name: str, widths: str) -> None:
    start_at(fresh, widths)
    open_app(fresh, address, QUERIES[name])
    expect(chart(fresh)).to_contain_text("parameters")
    expect(fresh.get_by_test_id("stVegaLiteChart").nth(2).locator("svg")).to_be_attached()
    assert faults(fresh, widths) == []
    for section in SECTIONS if name == "default" else ():
        open_section(fresh, section)
        assert faults(fresh, widths) == [], section


@pytest.mark.parametrize("width", [1440, 1024])
def test_costs_show_assumptions_and_sources_without_scrolling(fresh: Page, address: str, width: int) -> None:
    fresh.set_viewport_size(ViewportSize(width=width, height=900))
    open_app(fresh, address, "?tab=costs")
    table = fresh.locator("table.costs")
    expect(table.get_by_role("cell", name="Chowdhery")).to_be_attached()
    assert table.evaluate("table => table.parentElement.scrollWidth - table.parentElement.clientWidth") <= 0


def test_charts_say_in_words_what_they_show(page: Page, address: str) -> None:
    open_app(page, address)
    label = (
        "10.05M parameters · 12 layers × d_model 216 · d_ff 544 · 8 heads: SwiGLU 42.1 %, Token embedding 34.4 %, "
        "Attention 22.3 %, Position embedding 1.1 %, LayerNorms 0.1 %, Final LayerNorm < 0.1 %."
    )
    expect(chart(page).get_by_label(label)).to_be_attached()


def test_a_key_press_changes_the_chart_in_its_place(page: Page, address: str) -> None:
    open_app(page, address)
    expect(chart(page)).to_contain_text("vocabulary 16,000")
    drawn = chart(page).locator("svg").element_handle()
    press(page, "Vocabulary size", "ArrowRight")
    expect(chart(page)).to_contain_text("vocabulary 24,000")
    assert drawn.evaluate("picture => picture.isConnected && picture.textContent.includes('vocabulary 24,000')")


def test_nothing_above_the_fold_moves_while_the_model_is_built(page: Page, address: str) -> None:
    open_app(page, address)
    check_passes(page)
    charts = "[...document.querySelectorAll('[data-testid=stVegaLiteChart]')]"
    places = f"() => {charts}.map((chart) => chart.getBoundingClientRect().top)"
    before = page.evaluate(places)
    press(page, "GLU expansion", "ArrowRight")
    expect(chart(page)).to_contain_text("GLU expansion 2.7 ")
    during = page.evaluate(places)
    check_passes(page)
    assert before[:2] == during[:2] == page.evaluate(places)[:2]


def test_headings_are_whole_again_when_a_narrow_window_is_widened(fresh: Page, address: str) -> None:
    fresh.set_viewport_size(ViewportSize(width=800, height=768))
    open_app(fresh, address)
    expect(chart(fresh)).to_contain_text("12 layers × d_model 216d_ff 544")
    fresh.set_viewport_size(ViewportSize(width=1024, height=768))
    expect(chart(fresh)).to_contain_text("12 layers × d_model 216 · d_ff 544")
