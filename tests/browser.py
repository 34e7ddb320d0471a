"""A server of the app and a real Chromium, for tests and benchmarks."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.server import ROOT, serving


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
            executable_path=chromium_path(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


def settle(page: Page) -> None:
    """Wait until the app is connected, has run, and shows no placeholder."""
    page.locator(
        "[data-testid=stApp][data-test-connection-state=CONNECTED][data-test-script-state=notRunning]"
    ).wait_for(state="attached", timeout=90_000)
    page.locator("[data-testid=stSkeleton]").first.wait_for(state="detached", timeout=90_000)


def open_app(page: Page, address: str, query: str = "") -> None:
    """Open a page of the app and wait until its first run is over."""
    page.goto(f"{address}/{query}", wait_until="domcontentloaded")
    page.get_by_test_id("stMarkdown").first.wait_for(state="attached", timeout=90_000)
    settle(page)
