"""Fixtures: a server and a Chromium for all browser tests, two tabs that share nothing, and an idle machine."""

import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from tests.browser import DESKTOP, chromium, running

# One process runs on each core: threads of torch would wait for each other, and cost a fifth of all processor time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell starts what runs in its background with Ctrl-C ignored, and children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Processes of tests side by side do not see the memory that each other's studies reserve.
os.environ["SLIMLM_RESERVED"] = str(Path(tempfile.gettempdir()) / f"slimlm-reserved-test-{os.getpid()}")


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


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[str]:
    """Return the address of another server: it knows nothing of what was done on the first."""
    with running() as found:
        yield found


@contextmanager
def _tab(browser: Browser) -> Iterator[Page]:
    """Open a tab for many tests: one that has shown the app before opens it again in 40 % of the CPU time."""
    context = browser.new_context(reduced_motion="reduce")
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def _first_tab(browser: Browser) -> Iterator[Page]:
    with _tab(browser) as tab:
        yield tab


@pytest.fixture(scope="session")
def _second_tab(browser: Browser) -> Iterator[Page]:
    with _tab(browser) as tab:
        yield tab


@contextmanager
def _as_new(tab: Page) -> Iterator[Page]:
    """Lend a tab to a test and leave it as it was: empty, without storage, and of a desktop's size."""
    tab.set_viewport_size(DESKTOP)
    yield tab
    if tab.url.startswith("http"):
        tab.evaluate("localStorage.clear(); sessionStorage.clear()")
    tab.context.clear_cookies()
    tab.context.set_offline(False)
    tab.goto("about:blank")
    tab.emulate_media(color_scheme="null", media="null")


@pytest.fixture
def page(_first_tab: Page) -> Iterator[Page]:
    """An empty page that fails its test on an error in the console or a request that fails."""
    problems = list[str]()
    watching: dict[str, Callable[..., None]] = {
        "console": lambda message: problems.extend(_error(message)),
        "requestfailed": lambda request: problems.extend(_failure(request)),
        "pageerror": lambda error: problems.append(str(error)),
    }
    with _as_new(_first_tab) as tab:
        for event, note in watching.items():
            tab.on(event, note)  # type: ignore[call-overload]
        yield tab
    for event, note in watching.items():
        tab.remove_listener(event, note)
    assert not problems


@pytest.fixture
def fresh(_second_tab: Page) -> Iterator[Page]:
    """An empty page of a browser that shares nothing with the first one; its console may complain."""
    with _as_new(_second_tab) as tab:
        yield tab


@pytest.fixture
def idle_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimate times as on an idle machine: on a busy one, small models would wait behind a button."""
    from slimlm.probing.speed import Speed  # imports torch, which most tests do without

    speed = Speed(1e-9, 1e-11, per_layer_build=1e-3, per_layer_run=1e-3)
    monkeypatch.setattr("slimlm.probing.estimate.machine_speed", lambda *_: speed)
