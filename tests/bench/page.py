"""How long a reader waits: from opening the page to the first chart, and from a key press to the next one.

A new server is opened once for each page; then each slider is moved eight times in each of two rounds in turns.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page

from slimlm.serialization.fields import SLIDERS
from tests.bench.kit import Row
from tests.browser import chromium, running, settle
from tests.server import ROOT

APP, FLOOR = ROOT / "app.py", ROOT / "tests" / "floor_app.py"
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


@contextmanager
def opened(browser: Browser, app: Path) -> Iterator[Page]:
    """Open an app on a server of its own, and wait until it is at rest."""
    with running(app) as address:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        page.locator(f"{CHART} :is(svg, canvas)").first.wait_for(timeout=90_000)
        settle(page)
        yield page
        page.close()


def slider_latency(page: Page, slider: str, presses: int) -> float:
    """Return the median seconds from key press to chart, after two presses to warm up."""
    keys = ["ArrowRight", "ArrowLeft"] * (presses // 2 + 1)
    return statistics.median([seconds_to_the_chart(page, slider, key) for key in keys][2:])


def medians(rounds: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the median of ours and that of the peer's, of rounds of both."""
    ours, peer = zip(*rounds, strict=True)
    return statistics.median(ours), statistics.median(peer)


def page_rows(presses: int = 6, rounds: int = 2) -> Iterator[Row]:
    """Compare the app with the bare page: each latency is the median of rounds taken in turns."""
    with chromium() as browser:
        ours, peer = first_chart(browser, APP), first_chart(browser, FLOOR)
        yield Row("opening the page → first chart | bare page", ours, peer)
        with opened(browser, APP) as app, opened(browser, FLOOR) as floor:
            for knob in SLIDERS:
                times = [[slider_latency(page, knob.label, presses) for page in (app, floor)] for _ in range(rounds)]
                ours, peer = medians(times)
                yield Row(f"{knob.label}: key press → chart | bare page", ours, peer, most_ratio=1.25)
