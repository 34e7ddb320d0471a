"""The request in the address bar, which every page reads and writes alike.

The address carries the knobs from page to page, and back and forth in the browser's history. Streamlit's own binding
of widgets to the address would drop them on the way to another page, and write what a select box shows for its word.
"""

from collections.abc import Iterable, Mapping
from typing import cast

import streamlit as st

from slimlm.serialization.fields import KNOBS, Value, complaint, to_short_query
from slimlm.ui import query_params
from slimlm.ui.callbacks import completed

Values = dict[str, Value]


def follow() -> Values:
    """Move the knobs, before they are drawn, to what the address says when it is new; return what is asked for.

    It is new at first, and when somebody goes back or forward in history.
    """
    state, texts = st.session_state, _knobs_in_address()
    _keep_given()
    if "asked" not in state:
        state.complaints = _complaints(texts)
        state.broken = bool(state.complaints)
        _take(texts)
    elif has_moved():
        state.complaints = []  # the link is history
    elif texts != state.address:
        state.complaints = []
        _take(texts)
    if state.get("page") != st.context.url:  # another page has forgotten the widgets of this one
        state.update(state.asked)
    state.page = st.context.url
    return cast("Values", state.asked)


def positions() -> Values:
    """Return where the knobs are, which `follow` or the browser has moved; they need not be drawn yet."""
    return {name: st.session_state[name] for name in KNOBS}


def write() -> Values:
    """Write the knobs into the address when one has moved, or when the link was in need of mending; return them."""
    state, values = st.session_state, positions()
    if values != state.asked or state.broken:
        query_params.replace(others() | note(values))
    state.broken = False
    return values


def note(values: Values) -> dict[str, str]:
    """Take down what is asked for; return what the address is going to say."""
    st.session_state.asked, st.session_state.address = values, to_short_query(values)
    return to_short_query(values)


def complaints() -> list[str]:
    """Return what of the link cannot be used, one sentence each, until a knob moves."""
    return list(st.session_state.complaints)


def others() -> dict[str, Iterable[str] | str]:
    """Return what pages have put into the address besides the knobs."""
    return {name: values for name, values in query_params.current().items() if name not in KNOBS}


def _knobs_in_address() -> dict[str, str]:
    return {name: values[-1] for name, values in query_params.current().items() if name in KNOBS}


def has_moved() -> bool:
    """Say whether a knob stands elsewhere than what was asked for when the address was last written or followed."""
    return any(st.session_state.get(name, value) != value for name, value in st.session_state.asked.items())


def give(values: Mapping[str, Value]) -> None:
    """Move knobs to values that the browser does not have yet."""
    state = st.session_state
    _give(values, {name: (state.get(name), value) for name, value in values.items()}, state.address)


@completed
def _give(values: Mapping[str, Value], given: Mapping[str, tuple[Value, Value]], address: Mapping[str, str]) -> None:
    st.session_state.update({"given": dict(given), "given_at": address, **values})


def _keep_given() -> None:
    """Put back knobs that a browser sends as they were, as it has not received what they were moved to."""
    state = st.session_state
    if query_params.is_late():
        for name, (before, value) in state.get("given", {}).items():
            if state.get(name) == before:
                state[name] = value
    elif state.get("given_at") != state.get("address"):  # the address has been written since, and received
        state.given = {}
    query_params.end_lateness()


def _take(texts: Mapping[str, str]) -> None:
    state = st.session_state
    state.asked = {name: knob.nearest(texts[name]) if name in texts else knob.default for name, knob in KNOBS.items()}
    state.address = dict(texts)
    state.update(state.asked)


def _complaints(texts: Mapping[str, str]) -> list[str]:
    """Say what of a link cannot be used."""
    found = []
    for name, text in texts.items():
        if (times := len(query_params.get_all(name))) > 1:
            found.append(f"The link gives {name} {times} times; the last one counts.")
        if problem := complaint(name, text):
            found.append(problem)
    return found
