"""Fixtures: one server and one Chromium for all browser tests, a fresh context for each, and an idle machine."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from tests.browser import DESKTOP, chromium, running


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with running() as found:
        yield found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def _failure(request: Request) -> list[str]:
    # Chromium calls a request aborted when its answer is saved as a file or another page is opened meanwhile.
    return [] if request.failure == "net::ERR_ABORTED" else [f"{request.url}: {request.failure}"]


def _error(message: ConsoleMessage) -> list[str]:
    # Opened at a page's own address, Streamlit looks below it for its server first, and finds it above.
    looking = re.fullmatch(r"https?://[^/]+/\w+/_stcore/(health|host-config)", message.location["url"])
    return [message.text] if message.type == "error" and not looking else []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a context of its own that fails its test on an error in the console or a request that fails."""
    context = browser.new_context(viewport=DESKTOP)
    found, problems = context.new_page(), list[str]()
    found.on("console", lambda message: problems.extend(_error(message)))
    found.on("requestfailed", lambda request: problems.extend(_failure(request)))
    found.on("pageerror", lambda error: problems.append(str(error)))
    yield found
    context.close()
    assert not problems


@pytest.fixture
def fresh(browser: Browser) -> Iterator[Page]:
    """A page in another context, whose console may complain."""
    context = browser.new_context(viewport=DESKTOP)
    yield context.new_page()
    context.close()


@pytest.fixture
def idle_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimate times as on an idle machine: on a busy one, small models would wait behind a button."""
    from slimlm.probing.speed import Speed  # imports torch, which most tests do without

    speed = Speed(1e-9, 1e-11, per_layer_build=1e-3, per_layer_run=1e-3)
    monkeypatch.setattr("slimlm.probing.estimate.machine_speed", lambda *_: speed)
