"""Several sessions on one server, without browsers: each ends with its own chart, and models are built one by one."""

import random
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from slimlm.core.config import ModelConfig
from tests.bench.crowd import gather
from tests.server import Server
from tests.visitor import Visitor, in_a_loop, next_move
from tests.watched import count_builds, watched

APP = str(Path(__file__).parent.parent / "app.py")


def test_every_session_ends_with_the_chart_of_its_own_last_request() -> None:
    with watched() as (server, builds):
        outcome = in_a_loop(gather(server.address, sessions=6, seconds=4.0))
        assert outcome.problems == []
        assert outcome.right == 6
        assert outcome.requests >= 6
        assert builds().begun >= 1
        assert builds().most_at_once == 1


async def close_while_building(server: Server) -> None:
    """Have a real model of 500M parameters built, and close the page as soon as its weights are drawn."""
    async with Visitor(server.address, "total_params=500M") as visitor:
        await visitor.until_idle()
        await visitor.press("Build the real model")
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
