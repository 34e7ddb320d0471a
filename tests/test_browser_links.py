"""Links in a real Chromium: copied, opened in a fresh browser on a fresh server, damaged, and for screenshots."""

import re
import time
from urllib.parse import parse_qsl, urlencode

from playwright.sync_api import Page, WebSocketRoute, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.browser import PATIENCE_MS, chart, open_app, press, settle, shared_links, type_exactly


def test_a_copied_link_shows_the_same_design_in_another_browser_on_another_server(
    page: Page, fresh: Page, address: str, elsewhere: str
) -> None:
    open_app(page, address)
    type_exactly(page, "Total parameters", "12.5M")
    expect(chart(page)).to_contain_text("Target: 12.5M")
    type_exactly(page, "Vocabulary size", "8000")
    expect(chart(page)).to_contain_text("vocabulary 8,000")
    page.get_by_text("Tied LM head", exact=True).click()
    expect(chart(page)).to_contain_text("· untied ·")
    press(page, "GLU expansion", "ArrowRight")
    expect(chart(page)).to_contain_text("GLU expansion 2.7 ")
    expect(page).to_have_url(re.compile("glu_expansion=2.7"))
    here, drawn = page.url, chart(page).text_content()
    link = shared_links(page)[0]
    assert link.startswith(address)
    assert "n_heads=8" in link  # a default is written out: the link keeps its meaning when the default changes
    for copied in (link, here):
        open_app(fresh, elsewhere, copied.removeprefix(address).lstrip("/"))
        expect(chart(fresh)).to_have_text(drawn or "never")


EVERY_CHOICE = {
    "n_heads": "auto",
    "n_kv_heads": "2",
    "head_dim": "32",
    "norm": "rmsnorm",
    "positions": "rope",
    "ffn": "geglu",
    "bias": "qkv",
    "qk_norm": "head",
    "block": "sandwich_norm",
    "rope_theta": "500000",
    "lm_head_bias": "true",
    "embedding_norm": "true",
    "dropout": "0",
}


def test_a_copied_link_holds_every_choice_in_the_words_of_a_request(
    page: Page, fresh: Page, address: str, elsewhere: str
) -> None:
    open_app(page, address, f"?{urlencode(EVERY_CHOICE)}")
    expect(page.get_by_test_id("stMain")).to_contain_text("GeGLU")
    drawn = chart(page).text_content()
    link = shared_links(page)[0]
    assert EVERY_CHOICE.items() <= dict(parse_qsl(link.partition("?")[2])).items()
    open_app(fresh, elsewhere, link.removeprefix(address).lstrip("/"))
    expect(chart(fresh)).to_have_text(drawn or "never")


def test_a_bad_link_says_what_was_ignored_and_mends_the_address(page: Page, address: str) -> None:
    open_app(page, address, "?embedding_ratio=700&n_heads=abc&total_params=12500000&glu_expansion=8/3")
    warnings = page.get_by_test_id("stAlert").filter(has_text="The link's")
    expect(warnings).to_have_count(2)
    expect(warnings.first).to_contain_text("The link's embedding_ratio was ignored and 0.9999 is shown")
    expect(warnings.last).to_contain_text("The link's n_heads was ignored and 8 is shown: 'abc' is neither auto nor")
    expect(chart(page)).to_contain_text("Target: 12.5M ·")
    expect(page).to_have_url(re.compile(r"total_params=12\.5M"))
    expect(page).to_have_url(re.compile(r"embedding_ratio=0\.9999"))


def test_nothing_from_a_link_is_reflected_as_markup(page: Page, address: str) -> None:
    open_app(page, address, "?total_params=%3Cimg%20src%3Dx%3E&n_layers=**bold**[a](javascript:alert(1))")
    expect(page.get_by_test_id("stAlert").first).to_contain_text("<img src=x>")
    assert page.locator("[data-testid=stAlert] img, [data-testid=stAlert] a, [data-testid=stAlert] strong").count() == 0


def test_the_link_for_screenshots_hides_sidebar_and_bar(page: Page, address: str) -> None:
    open_app(page, address)
    open_app(page, address, shared_links(page)[1].removeprefix(address).lstrip("/"))
    expect(chart(page)).to_contain_text("10.05M parameters")
    expect(page.get_by_role("slider").first).not_to_be_in_viewport()
    expect(page.get_by_test_id("stHeader")).to_be_hidden()
    expect(page.get_by_role("button", name="Share")).to_have_count(0)


def test_going_back_undoes_a_preset(page: Page, address: str) -> None:
    open_app(page, address)
    page.get_by_role("button", name="Presets").click()
    page.get_by_role("button", name="30M, multiples of 8").click()
    expect(chart(page)).to_contain_text("Target: 30M ·")
    expect(page).to_have_url(re.compile("total_params=30M"))  # written after the chart
    page.go_back()
    settle(page)
    expect(chart(page)).to_contain_text("Target: 10M ·")
    page.go_forward()
    expect(chart(page)).to_contain_text("Target: 30M ·")


class Answers:
    """What the server sends to a page, held back on demand: how a slow connection looks."""

    def __init__(self, page: Page) -> None:
        self._page, self._held, self._holding = page, list[bytes | str](), False
        page.route_web_socket(re.compile("_stcore/stream"), self._route)

    def _route(self, socket: WebSocketRoute) -> None:
        self._socket, server = socket, socket.connect_to_server()
        server.on_message(self._take)
        socket.on_message(server.send)

    def _take(self, message: bytes | str) -> None:
        if self._holding:
            self._held.append(message)
        else:
            self._socket.send(message)

    def hold(self) -> None:
        """Send nothing on from here."""
        self._holding = True

    def until_complete(self, runs: int) -> None:
        """Wait until the answers of this many runs are held."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while sum(map(_ends_a_run, self._held)) < runs:
            assert time.monotonic() < deadline, "the server has not answered"
            self._page.evaluate("new Promise(requestAnimationFrame)")

    def release(self) -> None:
        """Send on what is held and what comes."""
        self._holding = False
        for message in self._held:
            self._socket.send(message)


def _ends_a_run(message: bytes | str) -> bool:
    assert isinstance(message, bytes)
    return bool(ForwardMsg.FromString(message).WhichOneof("type") == "script_finished")


def test_clicks_before_the_browser_has_received_any_answer_undo_nothing(page: Page, address: str) -> None:
    answers = Answers(page)
    open_app(page, address, "?tab=pytorch-check")
    answers.hold()
    press(page, "GLU expansion", "ArrowRight")
    answers.until_complete(runs=1)
    page.locator(".st-key-pin").get_by_role("button").click()
    answers.until_complete(runs=2)
    page.get_by_text("bfloat16", exact=True).first.click()
    answers.until_complete(runs=3)
    answers.release()
    expect(page).to_have_url(re.compile(r"glu_expansion=2\.7&pin=design~glu_expansion-2\.7"))
    expect(chart(page)).to_contain_text("GLU expansion 2.7 ")
    expect(page.locator(".st-key-pin")).to_contain_text("Pinned")
