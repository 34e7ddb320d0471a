"""Studies that are started from the Rank page: controls, plan, progress, cancel and resume."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from slimlm.core.describe import counted
from slimlm.serialization.fields import KNOBS
from slimlm.sweep.axis_values import default_values
from slimlm.ui import rank_controls
from slimlm.ui.callbacks import completed
from slimlm.ui.rank_library import STUDIES, StudyView, library
from slimlm.ui.rank_plan import SOURCES, NewStudy, plan_of
from slimlm.ui.rank_processes import HOW_TO_ALLOW, Progress, may_train, processes
from slimlm.utils.formatting import format_seconds
from slimlm.utils.text import plain

_POLL_SECONDS = 2.0
_ICON = ":material/model_training:"


def show_no_study() -> None:
    """Say that there is no study, and how to make one."""
    st.title("Rank allocations by training them", anchor=False)
    st.info(
        "No study is shipped with this version, and this server has none: start one in the sidebar, or make one with "
        f"`slimlm rank --quick --out studies/rehearsal`, where `studies` is the folder that {STUDIES} names.",
        icon=":material/science:",
    )


def all_names() -> tuple[str, ...]:
    """Return the names of studies that can be shown, and of those whose data is being prepared."""
    names = library().names()
    return (*names, *(name for name in processes().names() if name not in names))


def show_sidebar(names: Sequence[str], chosen: str | None, view: StudyView | None) -> None:
    """Draw the list of studies, and below it the controls of a new one."""
    if chosen is not None:
        rank_controls.draw_studies(names, chosen, _labels())
    new = st.expander("New study", key="rank_new", on_change="rerun", icon=_ICON, expanded=chosen is None)
    if new.open:
        with new:
            _draw_new(view)


def _labels() -> dict[str, str]:
    return {name: f"{name} · shipped" for name in library().shipped()}


# Progress of the study that is shown.


def show_progress(name: str, view: StudyView | None) -> None:
    """Show how far a study is while it is trained or incomplete; the page is drawn anew as runs end.

    Files are read for all sessions together, so that viewers do not slow a study down.
    """
    if name in library().shipped():
        return
    progress = processes().progress(name)
    if view and view.ranking.complete and not progress.alive and not progress.error:
        return
    drawn = _moment(name, progress)
    st.fragment(_poll, run_every=_POLL_SECONDS, key="rank_progress")(name, drawn)


def _moment(name: str, progress: Progress) -> tuple[object, ...]:
    """Return what the page has to be drawn anew for: other records, or a process that has begun or ended."""
    return library().stamp(name), progress.alive, progress.error


def _poll(name: str, drawn: tuple[object, ...]) -> None:
    progress = processes().progress(name)
    if _moment(name, progress) != drawn:
        st.rerun()
    state = progress.state
    row = st.container(horizontal=True, vertical_alignment="center", key="rank_state")
    if progress.alive:
        row.progress(state.fraction if state else 0.0, plain(progress_text(progress)))
        if may_train() and not progress.cancelling:
            cancel = partial(processes().cancel, name)
            row.button("Cancel", key="rank_cancel", icon=":material/close:", on_click=cancel)
        return
    icon = ":red[:material/error:]" if progress.error else ":blue[:material/pause_circle:]"
    row.markdown(f"{icon} {plain(progress_text(progress))}", width="stretch")
    if may_train() and library().folder(name):
        row.button("Resume", key="rank_resume", icon=":material/play_arrow:", on_click=_start, args=(name, ()))


_ENDINGS = {
    "complete": "The runs are over",
    "cancelled": "Cancelled",
    "deadline": "Stopped at its deadline",
    "failed": "Ended, because runs failed",
    "interrupted": "Interrupted",
}


def progress_text(progress: Progress) -> str:
    """Return how far a study is, in a sentence."""
    state = progress.state
    if progress.error:
        return f"The study has ended with an error: {progress.error}"
    if progress.cancelling:
        return "Cancelling: runs under way go on from their checkpoints when the study is resumed."
    if state is None:
        return "Preparing the data." if progress.alive else "Not every run is over."
    runs = f"{state.done:,} of {state.done + state.wanted:,} known runs over"
    if not progress.alive:
        return f"{_ENDINGS.get(state.status, 'Stopped')}: {runs}."
    left = "" if state.eta_s is None else f", about {format_seconds(state.eta_s)} left"
    return f"Training: {runs}, {counted(len(state.running), 'run')} under way{state.held_up}{left}"


def _start(name: str, options: Sequence[str]) -> None:
    """Start or resume a study; a callback."""
    if not may_train():  # the button of a page that was drawn before the operator forbade it
        st.toast(plain(HOW_TO_ALLOW), icon=":material/info:")
        return
    try:
        processes().start(name, options)
    except ValueError as error:
        sentence = str(error)
        st.toast(plain(f"{sentence[:1].upper()}{sentence[1:]}."), icon=":material/info:")


# A new study.


def _draw_new(view: StudyView | None) -> None:
    if not may_train():
        st.caption(HOW_TO_ALLOW)
        return
    new = _controls()
    try:
        plan = _plan(new, view)
    except ValueError as error:
        st.error(plain(f"{error}."), icon=":material/error:")
        return
    st.markdown(f":gray[:small[{plain(f'{plan.line}, on CPU.')}]]")
    st.button(
        "Start",
        key="rank_start",
        icon=":material/play_arrow:",
        type="primary",
        width="stretch",
        on_click=_start_new,
        args=(new,),
        help="Trains in a process of its own on this server, which goes on when the page is closed.",
    )


@completed
def _start_new(new: NewStudy) -> None:
    _start(new.name, new.options)
    rank_controls.open_study_named(new.name)


def _controls() -> NewStudy:
    usual = NewStudy()
    quick = st.toggle("Rehearsal: a tiny study of two minutes", key="rank_quick")
    if quick:
        return NewStudy(quick=True)
    x = _choose("Columns", "rank_x", usual.x)
    xs = _type("Values of the columns", "rank_xs", usual.xs)
    y = _choose("Rows", "rank_y", usual.y)
    ys = _type("Values of the rows", "rank_ys", usual.ys)
    left, right = st.columns(2)
    total = _type("Total", "rank_total", usual.total, left)
    vocab_size = _type("Vocabulary", "rank_vocab_size", usual.vocab_size, right)
    tokens = _type("Tokens a run", "rank_tokens", usual.tokens, left)
    seeds = int(right.number_input("Seeds", 2, 20, usual.seeds, key="rank_seeds"))
    source = st.radio("Text", list(SOURCES), format_func=SOURCES.__getitem__, key="rank_source", horizontal=True)
    return NewStudy(x, xs, y, ys, total, vocab_size, seeds, tokens, source)


def _choose(label: str, key: str, usual: str) -> str:
    names = list(KNOBS)
    values = f"{key}s"

    def take() -> None:
        st.session_state[values] = default_values(st.session_state[key])

    index = names.index(usual)
    chosen: str = st.selectbox(label, names, index, format_func=lambda name: KNOBS[name].label, key=key, on_change=take)
    return chosen


def _type(label: str, key: str, usual: str, place: Any = st) -> str:
    text: str = place.text_input(label, usual, key=key, max_chars=400)
    return text


@st.cache_data(show_spinner=False, max_entries=64)
def _cached_plan(new: NewStudy, shown: str, _plan: Callable[[], Any]) -> Any:
    return _plan()


def _plan(new: NewStudy, view: StudyView | None) -> Any:
    return _cached_plan(new, repr(view.stamp) if view else "", lambda: plan_of(new, view))
