"""A server that is restarted under an open page, in a real Chromium."""

import re
from contextlib import ExitStack

from playwright.sync_api import Page, expect

from tests.browser import chart, finished_runs, open_app, press, running, settle, type_exactly
from tests.server import free_port

LINK = "?total_params=12M&n_heads=4&pin=model~gpt2&tab=costs"


def set_cost(page: Page, label: str, text: str) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    field.press("Enter")


def test_a_page_brings_knobs_pins_and_settings_along_to_a_restarted_server(fresh: Page) -> None:
    port, page = free_port(), fresh  # that the server is away for a moment is an error in the console
    with ExitStack() as first:
        address = first.enter_context(running(port=port))
        open_app(page, address, LINK)
        press(page, "GLU expansion", "ArrowRight")
        type_exactly(page, "Vocabulary size", "8000")
        expect(page).to_have_url(re.compile(r"vocab_size=8000.*glu_expansion=2\.7|glu_expansion=2\.7.*vocab_size=8000"))
        set_cost(page, "How many", "8")
        training_time = page.get_by_role("row").filter(has_text="Training time")
        expect(training_time).to_contain_text("8 × NVIDIA")
        expect(page).to_have_url(re.compile("cost_accelerators=8"))
        drawn, url = chart(page).text_content() or "never", page.url
    app, runs = page.get_by_test_id("stApp"), finished_runs(page)
    expect(app).not_to_have_attribute("data-test-connection-state", "CONNECTED")
    with running(port=port):
        expect(app).to_have_attribute("data-test-connection-state", "CONNECTED", timeout=60_000)
        for _ in range(600):  # the new server's first run takes the address for the state: an earlier key press is lost
            if not runs:
                page.wait_for_timeout(100)
        settle(page)
        expect(page).to_have_url(url)
        expect(chart(page)).to_have_text(drawn)
        expect(training_time).to_contain_text("8 × NVIDIA")
        press(page, "GLU expansion", "ArrowRight")
        expect(chart(page)).to_contain_text("GLU expansion 2.8 ")
        expect(page).to_have_url(re.compile("pin=model~gpt2"))
        page.get_by_role("link", name="Compare · 1", exact=True).click()
        expect(page.get_by_label("Name of pin 1", exact=True)).to_have_value("gpt2")
