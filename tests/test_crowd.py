"""Several sessions on one server, without browsers: each ends with its own chart, and models are built one by one.

The benchmark puts a server under load (`make bench ONLY=crowd`); nothing here depends on time.
"""

import asyncio
import queue
import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.NewSession_pb2 import NewSession
from streamlit.testing.v1 import AppTest

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.probing import probe as probing
from slimlm.ui import model_builds
from tests.server import Server
from tests.visitor import Visitor, caption, in_a_loop, next_move
from tests.watched import count_builds, watched

SOON = 60.0
"""Seconds after which a session that waits for another is a failure."""

APP = str(Path(__file__).parent.parent / "app.py")


LAST_TOTALS = (2_000_000, 3_000_000, 4_000_000)


async def move_quickly(address: str, last: int, all_open: asyncio.Barrier) -> Visitor:
    """Open the page, move the slider of the total three times without a look between, and wait for the end."""
    async with Visitor(address, "total_params=1M&vocab_size=1000") as visitor:
        await visitor.until_idle()
        await all_open.wait()
        for total in (10_000_000, 5_000_000, last):
            await visitor.move("total_params", total)
        await visitor.until_shown(caption(ModelConfig(total_params=last, vocab_size=1000)))
        await visitor.until_idle()
    return visitor


async def move_at_once(address: str) -> list[Visitor]:
    """Let sessions that are all open move the same slider, each to its own place."""
    all_open = asyncio.Barrier(len(LAST_TOTALS))
    return await asyncio.gather(*(move_quickly(address, last, all_open) for last in LAST_TOTALS))


def test_every_session_ends_with_the_chart_of_its_own_last_request() -> None:
    with watched() as (server, builds):
        visitors = in_a_loop(move_at_once(server.address))
        assert [visitor.problems for visitor in visitors] == [[], [], []]
        for visitor, last in zip(visitors, LAST_TOTALS, strict=True):
            assert visitor.caption.startswith(caption(ModelConfig(total_params=last, vocab_size=1000)))
        assert builds().begun >= 1
        assert builds().most_at_once == 1


def test_models_of_several_sessions_are_built_one_by_one_in_the_order_of_their_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {1237: "first", 1249: "second", 1259: "third"}  # vocabularies that no other test builds
    events: list[str] = []
    may_finish, heard = threading.Event(), dict[int, queue.Queue[str]]()

    def probe(arch: Architecture, **_: object) -> str:
        events.append(f"{names[arch.vocab_size]} begins")
        heard[arch.vocab_size].put("building")
        assert may_finish.wait(SOON)
        events.append(f"{names[arch.vocab_size]} ends")
        return f"report of the {names[arch.vocab_size]}"

    monkeypatch.setattr(probing, "probe", probe)
    places, results = list[str](), list[Future[Any]]()
    with ThreadPoolExecutor(3) as sessions:
        for vocabulary in names:
            heard[vocabulary] = queue.Queue()
            arch = Architecture(vocab_size=vocabulary, d_model=16, d_ff=16, n_layers=1)
            show = partial(_put, heard[vocabulary])
            results.append(sessions.submit(model_builds.build, arch, show))
            places.append(heard[vocabulary].get(timeout=SOON))
        may_finish.set()
        reports = [result.result(SOON) for result in results]
    assert places == ["building", "waiting for 1 other model to be built", "waiting for 2 other models to be built"]
    assert events == [f"{name} {what}" for name in names.values() for what in ("begins", "ends")]
    assert reports == [f"report of the {name}" for name in names.values()]


def _put(heard: queue.Queue[str], _: float, message: str) -> None:
    heard.put(message)


async def close_while_building(server: Server) -> None:
    """Start to build a PyTorch model of 500M parameters; close the page while its weights are initialised."""
    async with Visitor(server.address, "total_params=500M") as visitor:
        await visitor.until_idle()
        await visitor.press("Build and check")
        await visitor.until(lambda: any("initialising" in message for message in visitor.messages))


def test_closing_the_page_ends_the_building_of_its_model_and_gives_its_memory_back() -> None:
    with watched() as (server, builds):
        in_a_loop(close_while_building(server))
        deadline = time.monotonic() + 60
        while builds().under_way and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (builds().begun, builds().finished, builds().under_way) == (1, 0, 0)
        assert server.resident_bytes < 700e6, "the weights alone would take 2 GB more"


def test_a_slider_that_moves_before_the_page_has_answered_keeps_the_move_before() -> None:
    page = AppTest.from_file(APP, default_timeout=60).run()
    total, field = page.select_slider(key="total_params"), page.text_input(key="total_params_typed")
    total.set_value(11_000_000)
    page.run()
    page.select_slider(key="glu_expansion").set_value(3.0)
    field.set_value("10M")  # a browser that has not heard of the page's answer yet
    page.run()
    assert page.select_slider(key="total_params").value == 11_000_000
    assert page.text_input(key="total_params_typed").value == "11M"


def test_a_value_shown_before_can_be_typed_again() -> None:
    page = AppTest.from_file(APP, default_timeout=60).run()
    page.select_slider(key="total_params").set_value(11_000_000).run()
    page.text_input(key="total_params_typed").set_value("10M").run()
    assert page.select_slider(key="total_params").value == 10_000_000


async def rename_late(address: str) -> Visitor:
    """Rename the last of three pins in a message that also goes back to a page with the first alone."""
    pins = [f"model~{name}" for name in ("gpt2", "SmolLM2-135M", "Qwen3-0.6B")]
    async with Visitor(address) as visitor:
        await visitor.until_idle()
        await visitor.open("compare", pins)
        await visitor.until_idle()
        (widget,) = (id for id in visitor._states if id.endswith(f"-name_{pins[2]}"))
        visitor._states[widget].string_value = "mine"
        await visitor.open("compare", pins[:1])
        await visitor.until_idle()
    return visitor


def test_a_late_change_of_a_pin_that_is_gone_changes_nothing() -> None:
    with watched() as (server, _):
        visitor = in_a_loop(rename_late(server.address))
    assert not visitor.problems
    assert visitor._query == "pin=model~gpt2"


class Deaf:
    """A connection on which messages are sent, and nothing else happens."""

    async def send(self, _: bytes) -> None:
        pass


def test_the_end_of_an_earlier_run_is_not_taken_for_that_of_the_last_move() -> None:
    begun, over = ForwardMsg(new_session=NewSession()), ForwardMsg(script_finished=ForwardMsg.FINISHED_SUCCESSFULLY)
    waits = []

    async def meet() -> None:
        visitor = Visitor("http://127.0.0.1:1")
        visitor._socket = Deaf()  # type: ignore[assignment]
        await visitor._send()
        visitor._take(begun)
        await visitor._send()  # a second move, before the server has told that the first one's run is over
        for message in (over, begun, over):
            visitor._take(message)
            waits.append(visitor._running)

    in_a_loop(meet())
    assert waits == [True, True, False]


def test_moves_go_to_requests_that_can_be_met_and_differ() -> None:
    config, draw = ModelConfig(), random.Random(0)
    for _ in range(200):
        move = next_move(config, draw)
        assert getattr(move.config, move.field) == move.value != getattr(config, move.field)
        config = move.config


def test_builds_are_counted_whatever_becomes_of_them(tmp_path: Path) -> None:
    account = tmp_path / "builds.json"

    def probe(ends_well: bool) -> str:
        if not ends_well:
            raise MemoryError("too large")
        return "report"

    counted = count_builds(probe, account)
    assert counted(ends_well=True) == "report"
    with pytest.raises(MemoryError, match="too large"):
        counted(ends_well=False)
    assert account.read_text() == "[2, 1, 0, 1]"
