"""The query parameters of the address, corrected when a browser sends an outdated address.

Each message of a browser carries the address that the browser shows. A message that is sent before the browser has
received a new address carries the old one, and a link to another page carries the address of the run that drew it.
Within a session, therefore, only the browser's history and a link that names a model bring a new address.
"""

from collections.abc import Iterable, Mapping

import streamlit as st
from streamlit.runtime.scriptrunner import RerunException, get_script_run_ctx

from slimlm.ui.callbacks import InterruptedAfterwards

Query = dict[str, list[str]]

MODEL, ARCHITECTURE = "model", "architecture"
"""Query parameters: the name of a published model, or a named model as text, which goes first."""

SCALE = "scale_total"
"""Query parameter, and key of its field: the total that "Scale it" shows a model at."""


STUDY, CELL = "study", "cell"
"""Query parameters of the Rank page: the name of a study, and the key of its picked cell."""


def current() -> Query:
    """Return every query parameter with its values; the first call in a run corrects an outdated address."""
    state, sent, page = st.session_state, _sent(), _page()
    if "query" not in state or is_from_history():
        state.query = state.query_opened = sent
    elif page != state.query_page:
        state.query = state.query_opened = _follow_link(sent)
    state.query_page = page
    if sent != state.query:
        st.query_params.from_dict(state.query)
        state.query_late = True
    return dict(state.query)


def is_late() -> bool:
    """Say whether the browser had not received the last address when it sent this run's message."""
    current()
    return bool(st.session_state.get("query_late"))


def end_lateness() -> None:
    """Forget, after the callbacks of a run, whether its message was sent late."""
    st.session_state.query_late = False


def get_all(name: str) -> list[str]:
    """Return the values of a query parameter."""
    return current().get(name, [])


def get(name: str, default: str = "") -> str:
    """Return the value of a query parameter, the last one of several."""
    return (get_all(name) or [default])[-1]


def replace(query: Mapping[str, str | Iterable[str]]) -> None:
    """Write other query parameters: one step in history."""
    current()
    written = hand_over(query)
    try:
        st.query_params.from_dict(written)
    except RerunException as newer:  # the run that answers the newer message corrects the address
        raise InterruptedAfterwards(newer.rerun_data) from newer


def change(changes: Mapping[str, str | Iterable[str]]) -> None:
    """Write other values of some query parameters, nothing to leave one out: one step in history."""
    kept = {name: values for name, values in current().items() if name not in changes}
    replace(kept | {name: values for name, values in changes.items() if values})


def hand_over(query: Mapping[str, str | Iterable[str]]) -> Query:
    """Return a query for the page that is opened next, and take it as the last address from now on."""
    st.session_state.query = {
        name: [values] if isinstance(values, str) else list(values) for name, values in query.items()
    }
    return dict(st.session_state.query)


def show(key: str, value: object) -> None:
    """Set a widget, before it is drawn, to the value that the address gives."""
    state = st.session_state
    if state.get(key) != value:
        state.setdefault("replaced_values", {})[key] = state.get(key)
    state[key] = value


def is_outdated(key: str) -> bool:
    """Say whether a browser has sent a value that `show` has replaced, as it had not received the new one."""
    return is_late() and st.session_state[key] == st.session_state.get("replaced_values", {}).get(key)


def is_from_history() -> bool:
    """Say whether this run answers a step back or forward in the browser's history."""
    ctx = get_script_run_ctx()
    return ctx is not None and ctx.is_history_navigation


def _sent() -> Query:
    return {name: st.query_params.get_all(name) for name in st.query_params}


def _page() -> str:
    ctx = get_script_run_ctx()
    return ctx.page_script_hash if ctx else ""


def _follow_link(sent: Query) -> Query:
    """Return the query of a page that a link has opened: the session's last one, with the model that the link names."""
    state = st.session_state
    if _model_in(state.query) != _model_in(state.query_opened):  # chosen on the page with the link
        return dict(state.query)
    return {name: values for name, values in state.query.items() if name not in (MODEL, ARCHITECTURE)} | _model_in(sent)


def _model_in(query: Query) -> Query:
    return {name: query[name] for name in (MODEL, ARCHITECTURE) if name in query}
