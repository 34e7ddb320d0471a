"""Callbacks finish although a newer message of the browser interrupts them."""

from collections.abc import Callable

import pytest
import streamlit as st
from streamlit.runtime.scriptrunner import RerunData, RerunException, get_script_run_ctx
from streamlit.testing.v1 import AppTest

from slimlm.ui.callbacks import InterruptedAfterwards, completed
from tests.server import ROOT


def interrupting(times: int, then: Callable[..., object] = lambda *values, **named: None) -> Callable[..., object]:
    """Return a function that is interrupted some times, as any access to Streamlit's state may be."""
    left = [times]

    def access(*values: object, **named: object) -> object:
        if left[0]:
            left[0] -= 1
            ctx = get_script_run_ctx()
            page = ctx.page_script_hash if ctx else ""
            raise RerunException(RerunData(query_string=f"left={left[0]}", page_script_hash=page))
        return then(*values, **named)

    return access


@pytest.mark.parametrize("times", [1, 3])
def test_an_interrupted_callback_is_done_and_the_newest_message_is_answered(times: int) -> None:
    access, done = interrupting(times), list[str]()

    def callback(word: str) -> None:
        access()
        done.append(word)

    with pytest.raises(InterruptedAfterwards) as answered:
        completed(callback)("pinned")
    assert done == ["pinned"]
    assert answered.value.rerun_data.query_string == "left=0"


def test_what_has_been_written_is_not_written_again() -> None:
    inner, done = interrupting(1), list[str]()

    @completed
    def write() -> None:
        inner()
        done.append("written")

    with pytest.raises(InterruptedAfterwards):
        completed(write)()
    assert done == ["written"]


def test_a_callback_that_is_left_alone_returns() -> None:
    done = list[str]()
    completed(done.append)("pinned")
    assert done == ["pinned"]


@pytest.mark.parametrize(("owner", "access"), [(st, "toast"), (type(st.query_params), "from_dict")])
def test_a_click_is_not_lost_when_the_next_one_arrives_while_it_is_answered(
    owner: object, access: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    monkeypatch.setattr(owner, access, interrupting(1, getattr(owner, access)))
    app.button(key="pin").click().run()
    assert not app.exception
    app.run()
    assert app.session_state["query"]["pin"] == ["design"]
    assert app.query_params["pin"] in ("design", ["design"])
