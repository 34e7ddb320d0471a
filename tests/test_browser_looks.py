"""What a reader sees, light and dark, wide and narrow: nothing is cut off, nothing overlaps, nothing jumps."""

from contextlib import suppress

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, ViewportSize, expect

from tests.browser import open_app
from tests.test_browser import chart, press

WIDE, NARROW = ViewportSize(width=1440, height=900), ViewportSize(width=1024, height=768)
QUERIES = {
    "default": "",
    "125M": "?total_params=125M&vocab_size=32000&embedding_ratio=0.15&n_heads=9&max_seq_length=2048&multiple_of=32",
    "10B": "?total_params=10B&vocab_size=262144&embedding_ratio=0.2&tied_lm_head=false&n_heads=64",
    "gemma": "inspect?model=gemma-3-270m",
    "bloom": "inspect?model=bloom-560m",
    "olmo": "inspect?model=OLMo-1B-hf",
}

# Text that its own box hides, and lines that a chart had to shorten.
CUT_OFF = """
() => {
  const hidden = [...document.querySelectorAll('[data-testid=stMain] *, [data-testid=stSidebar] *')].filter((box) => {
    const style = getComputedStyle(box);
    const words = [...box.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    return words && box.clientWidth > 0 && style.overflowX !== 'visible' && box.scrollWidth > box.clientWidth + 1;
  });
  const shortened = [...document.querySelectorAll('svg text')].filter((text) => text.textContent.includes('…'));
  return [...hidden, ...shortened].map((box) => box.textContent.trim());
}
"""

# Pairs of a chart's texts whose boxes cover each other by more than their rounding.
OVERLAPS = """
() => [...document.querySelectorAll('[data-testid=stVegaLiteChart] svg')].flatMap((svg) => {
  const lines = [...svg.querySelectorAll('text')].filter((text) => text.textContent.trim() && text.checkVisibility());
  const boxes = lines.map((line) => [line.textContent, line.getBoundingClientRect()])
    .filter(([, box]) => box.width > 0);
  return boxes.flatMap(([one, a], i) => boxes.slice(i + 1)
    .filter(([, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
                    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4)
    .map(([other]) => `${one} | ${other}`));
})
"""


def at_rest(page: Page, problems: str) -> list[str]:
    """Return what is still wrong when charts have taken the width of a page that has come to rest."""
    with suppress(TimeoutError):
        page.wait_for_function(f"({problems})().length === 0", timeout=10_000)
    found: list[str] = page.evaluate(problems)
    return found


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("name", QUERIES)
def test_nothing_is_cut_off_and_no_texts_overlap(
    browser: Browser, address: str, name: str, colours: str, viewport: ViewportSize
) -> None:
    context = browser.new_context(viewport=viewport, color_scheme="dark" if colours == "dark" else "light")
    page = context.new_page()
    open_app(page, address, QUERIES[name])
    expect(chart(page)).to_contain_text("parameters")
    last = 1 if QUERIES[name].startswith("inspect") else 2
    expect(page.get_by_test_id("stVegaLiteChart").nth(last).locator("svg")).to_be_attached()
    cut_off, overlaps = at_rest(page, CUT_OFF), at_rest(page, OVERLAPS)
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    context.close()
    assert cut_off == []
    assert overlaps == []
    assert wider <= 0


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
    expect(page.get_by_test_id("stMetric").nth(4)).to_contain_text("passed", timeout=30_000)
    charts = "[...document.querySelectorAll('[data-testid=stVegaLiteChart]')]"
    places = f"() => {charts}.map((chart) => chart.getBoundingClientRect().top)"
    before = page.evaluate(places)
    press(page, "GLU expansion", "ArrowRight")
    expect(chart(page)).to_contain_text("GLU expansion 2.7 ")
    during = page.evaluate(places)
    expect(page.get_by_test_id("stMetric").nth(4)).to_contain_text("passed", timeout=30_000)
    assert before[:2] == during[:2] == page.evaluate(places)[:2]


def test_headings_are_whole_again_when_a_narrow_window_is_widened(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=ViewportSize(width=900, height=768))
    page = context.new_page()
    open_app(page, address)
    expect(chart(page)).to_contain_text("…")
    page.set_viewport_size(NARROW)
    expect(chart(page)).not_to_contain_text("…")
    context.close()
