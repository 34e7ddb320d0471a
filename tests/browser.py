"""A server of the app and a real Chromium, for tests and benchmarks, and the steps that browser tests share."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.server import ROOT, serving

DESKTOP = ViewportSize(width=1440, height=900)

PATIENCE_MS = 60_000
"""How long a test waits for what has to come: no measure of speed, for a busy machine answers late and rightly."""


def chromium_path() -> str:
    """Return an installed Chromium; `make test` installs one where there is none."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if not found:
        raise RuntimeError("no Chromium on the PATH; `make chromium` installs one")
    return found


@contextmanager
def running(app: Path = ROOT / "app.py", port: int | None = None) -> Iterator[str]:
    """Run an app on a server of its own, on a free port unless one is given; yield its address."""
    with serving(app, port=port) as server:
        yield server.address


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(),
            # A GPU that is emulated on the CPU takes a quarter of a page's time.
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        )
        expect.set_options(timeout=PATIENCE_MS)
        yield browser
        browser.close()


def settle(page: Page) -> None:
    """Wait until the app is connected, has run, and shows no placeholder."""
    page.locator(
        "[data-testid=stApp][data-test-connection-state=CONNECTED][data-test-script-state=notRunning]"
    ).wait_for(state="attached", timeout=PATIENCE_MS)
    page.locator("[data-testid=stSkeleton]").first.wait_for(state="detached", timeout=PATIENCE_MS)


def finished_runs(page: Page) -> list[str]:
    """Return a list that grows by one at every run that ends, on connections that begin from now on."""
    ended: list[str] = []

    def take(payload: bytes | str) -> None:
        message = ForwardMsg()
        message.ParseFromString(payload if isinstance(payload, bytes) else payload.encode())
        if message.WhichOneof("type") == "script_finished":
            ended.append(page.url)

    page.on("websocket", lambda socket: socket.on("framereceived", take))
    return ended


def open_app(page: Page, address: str, query: str = "") -> None:
    """Open a page of the app and wait until its first run is over."""
    page.goto(f"{address}/{query}", wait_until="domcontentloaded")
    page.get_by_test_id("stMarkdown").first.wait_for(state="attached", timeout=PATIENCE_MS)
    settle(page)


def chart(page: Page) -> Locator:
    """Return the first chart."""
    return page.get_by_test_id("stVegaLiteChart").first


def press(page: Page, slider: str, key: str) -> None:
    """Press a key on a slider."""
    handle = page.get_by_role("slider", name=slider)
    handle.focus()
    handle.press(key)


def check_passes(page: Page) -> None:
    """Wait until the PyTorch check of a design has passed; where the machine is busy, it is offered as a button."""
    tile, build = page.get_by_test_id("stMetric").nth(4), page.get_by_role("button", name="Build and check")
    expect(tile.get_by_text("passed").or_(build)).to_be_visible()
    if build.is_visible():
        build.click()
    expect(tile).to_contain_text("passed")


def open_section(page: Page, name: str) -> None:
    """Open a section of a model's page."""
    page.get_by_role("tab", name=name, exact=True).click()
    expect(page.get_by_role("tab", name=name, exact=True)).to_have_attribute("aria-selected", "true")
    settle(page)


def type_exactly(page: Page, field: str, text: str) -> None:
    """Type into the field beside a slider."""
    box = page.get_by_label(f"{field}, exact")
    box.fill(text)
    box.press("Enter")


_DRAWN = "[...document.querySelectorAll('[data-testid=stVegaLiteChart]')].every(chart => chart.querySelector('svg'))"


_UNFOLDED = "[...document.querySelectorAll('details')].every(details => !details.getAnimations().length)"
"""Expanders unfold for half a second, and collapse for one frame at its end: that closes a list below them."""

_AT_REST = """box => new Promise(rest => {
  let last, equal = 0;
  const look = () => {
    const top = box.getBoundingClientRect().top;
    equal = top === last ? equal + 1 : 0;
    last = top;
    equal >= 10 ? rest() : requestAnimationFrame(look);
  };
  look();
})"""
"""Resolves when an element has not moved for ten frames."""


def choose(page: Page, label: str, word: str) -> None:
    """Choose from a list, when every chart is drawn: a list that is open closes as a chart moves it down the page."""
    settle(page)
    page.wait_for_function(_DRAWN, timeout=PATIENCE_MS)
    page.wait_for_function(_UNFOLDED, timeout=PATIENCE_MS)
    box, option = (
        page.get_by_role("combobox", name=label, exact=True),
        page.get_by_role("option", name=word, exact=True),
    )
    box.scroll_into_view_if_needed()
    box.evaluate(_AT_REST)  # scrolling closes it
    box.press("ArrowDown")
    expect(page.get_by_role("option").first).to_be_visible()
    if not option.count():  # a long list shows only some of its options
        box.fill(word)
    option.click()


TITLES: dict[str, str | re.Pattern[str]] = {
    "Design": re.compile(r"^(slimlm · design|\S+ · \S+ × \S+ · slimlm)$"),
    "Sweep": "slimlm · sweep",
    "Rank": "slimlm · rank",
    "Inspect": re.compile(r"^(slimlm · inspect|(?!\S+ · \S+ × ).+ · slimlm)$"),
    "Compare": "slimlm · compare",
}
"""Title of each page, from its first message on."""


def go_to(page: Page, name: str) -> None:
    """Follow the link to another page of the app."""
    page.get_by_role("link", name=re.compile(rf"^{name}( · \d)?$")).click()  # with the number of pins
    expect(page).to_have_title(TITLES[name])
    settle(page)


def shared_links(page: Page) -> list[str]:
    """Open the list of links and return them: the plain one, and the one for screenshots."""
    page.get_by_role("button", name="Share").click()
    codes = page.get_by_test_id("stPopoverBody").get_by_test_id("stCode")
    expect(codes).to_have_count(2)
    return [(code.text_content() or "").strip() for code in codes.all()]


def saved(page: Page, label: str) -> tuple[str, bytes]:
    """Click an open list's download; return the file's name and content."""
    with page.expect_download(timeout=PATIENCE_MS) as waiting:
        page.get_by_role("button", name=label, exact=True).click()
    return waiting.value.suggested_filename, waiting.value.path().read_bytes()
