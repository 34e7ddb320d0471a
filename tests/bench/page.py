"""How long a reader waits: from opening the page to the first chart, and from a key press to the next one."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page

from slimlm.serialization.fields import SLIDERS
from tests.bench.kit import Row
from tests.browser import chromium, running, settle
from tests.server import ROOT

APPS = {"app": ROOT / "app.py", "floor": ROOT / "tests" / "floor_app.py"}
CHART = '[data-testid="stVegaLiteChart"]'

# The clock runs inside the browser, from the trusted key press to the moment the chart's text has changed.
WATCH = """
() => {
  const text = () => { const chart = document.querySelector('CHART'); return chart ? chart.textContent : null; };
  const seen = window.__seen = {down: null, changed: null, before: text()};
  const onKey = () => { if (seen.down === null) seen.down = performance.now(); };
  document.addEventListener('keydown', onKey, {capture: true, once: true});
  const observer = new MutationObserver(() => {
    const now = text();
    if (seen.down !== null && seen.changed === null && now && now !== seen.before) {
      seen.changed = performance.now();
      observer.disconnect();
    }
  });
  observer.observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
}
""".replace("CHART", CHART)


def seconds_to_the_chart(page: Page, slider: str, key: str) -> float:
    """Press a key on a slider and return the seconds until the first chart's text has changed."""
    page.evaluate(WATCH)
    page.get_by_role("slider", name=slider).press(key)
    page.wait_for_function("window.__seen.changed !== null", timeout=60_000)
    waited: float = page.evaluate("window.__seen.changed - window.__seen.down")
    settle(page)
    page.wait_for_timeout(300)  # a benchmark may wait: the next press meets a browser at rest
    return waited / 1000


def first_chart(browser: Browser, app: Path) -> float:
    """Return the seconds from opening the address of a server that nobody has visited yet to the first chart."""
    with running(app) as address:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        started = time.perf_counter()
        page.goto(address, wait_until="commit")
        page.locator(f"{CHART} :is(svg, canvas)").first.wait_for(timeout=90_000)
        waited = time.perf_counter() - started
        page.close()
    return waited


def slider_latencies(browser: Browser, app: Path, presses: int) -> dict[str, float]:
    """Return the median seconds from key press to chart for each of the four sliders."""
    with running(app) as address:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        page.locator(f"{CHART} :is(svg, canvas)").first.wait_for(timeout=90_000)
        settle(page)
        medians = {}
        for knob in SLIDERS:
            keys = ["ArrowRight", "ArrowLeft"] * (presses // 2 + 2)
            taken = [seconds_to_the_chart(page, knob.label, key) for key in keys]
            medians[knob.label] = statistics.median(taken[4:])
        page.close()
    return medians


def page_rows(presses: int = 20, rounds: int = 2) -> Iterator[Row]:
    """Compare the app with the bare page: each figure is the median of rounds taken in turns."""
    with chromium() as browser:
        opened = {name: [first_chart(browser, app) for _ in range(rounds)] for name, app in APPS.items()}
        ours, floor = (statistics.median(opened[name]) for name in APPS)
        yield Row("opening the page → first chart | bare page", ours, floor)
        turns = [{name: slider_latencies(browser, app, presses) for name, app in APPS.items()} for _ in range(rounds)]
    for knob in SLIDERS:
        ours, floor = (statistics.median(turn[name][knob.label] for turn in turns) for name in APPS)
        yield Row(f"{knob.label}: key press → chart | bare page", ours, floor, most_ratio=1.25)
