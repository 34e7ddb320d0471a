"""The expander of attention windows, in which window and pattern move together."""

from collections.abc import Mapping
from typing import cast

import streamlit as st

from slimlm.serialization.fields import WINDOWS, Value
from slimlm.ui.callbacks import completed
from slimlm.ui.knob_widgets import counting, move_knobs, number
from slimlm.ui.window_moves import MOST_APART, WindowKnobs, one_full_in, with_one_full_in, with_pattern, with_window
from slimlm.utils.text import plain

WINDOW, PATTERN, WINDOW_BASE, ROTARY, *SCALES = WINDOWS


def draw_windows() -> None:
    """Draw the expander of attention windows: a window, the pattern in two ways, rotation, factors and caps."""
    state = st.session_state
    with st.expander(counting("Attention windows", WINDOWS), key="attention_windows"):
        number(WINDOW, on_change=_take_window)
        state.one_full_in = one_full_in(state[PATTERN.field])
        st.number_input(
            "One full layer in n",
            min_value=1,
            max_value=MOST_APART,
            value=None,
            key="one_full_in",
            placeholder="another pattern",
            on_change=_take_one_full_in,
            help="Writes a regular pattern: the layers before each full one are windowed. 6 is Gemma 3's wwwwwf.",
        )
        _pattern()
        turned = state["positions"] == "rope"
        # What another field has made an error stays open, so that the user can remove it.
        number(WINDOW_BASE, disabled=not turned and state[WINDOW_BASE.field] is None)
        number(ROTARY, disabled=not turned and state[ROTARY.field] == 1)
        for knob in SCALES:
            number(knob)


def _pattern() -> None:
    """Draw the field of the pattern, with what is wrong with its last text."""
    problem = f"{PATTERN.field}_problem"
    st.text_input(PATTERN.label, key=PATTERN.field, help=PATTERN.help, max_chars=256, on_change=_take_pattern)
    if problem in st.session_state:
        st.error(plain(f"{st.session_state[problem]}. {st.session_state[PATTERN.field]} is kept."))


def _window_knobs() -> WindowKnobs:
    """Return the knobs of windows; before a callback has taken a text, the pattern that was asked for last."""
    state = st.session_state
    return {
        "window": state[WINDOW.field],
        "layer_pattern": state.asked[PATTERN.field],
        "window_rope_theta": state[WINDOW_BASE.field],
    }


@completed
def _take_window() -> None:
    move_knobs(cast("Mapping[str, Value]", with_window(st.session_state[WINDOW.field], _window_knobs())))


@completed
def _take_one_full_in() -> None:
    move_knobs(cast("Mapping[str, Value]", with_one_full_in(st.session_state.one_full_in, _window_knobs())))


@completed
def _take_pattern() -> None:
    state = st.session_state
    try:
        pattern = str(PATTERN.from_text(state[PATTERN.field]))
    except ValueError as error:
        state[f"{PATTERN.field}_problem"] = str(error)
        state[PATTERN.field] = state.asked[PATTERN.field]
        return
    move_knobs(cast("Mapping[str, Value]", with_pattern(pattern, _window_knobs())))
