"""The knobs as widgets, in the order of the sidebar."""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast

import streamlit as st

from slimlm.core.config import ModelConfig
from slimlm.core.families import MODEL_FAMILIES, family_changes, family_of
from slimlm.serialization.fields import (
    ALIGNMENT,
    BLOCK,
    BUDGET,
    BUDGET_PRECISION,
    DEPTH,
    EXTRAS,
    HEAD_DIM,
    HEADS,
    KNOBS,
    KV_HEADS,
    LENGTH,
    LOOPS,
    OFFSET,
    RATIO,
    REGULARISATION,
    ROPE_BASE,
    SLIDERS,
    STRUCTURE,
    TIED,
    TOTAL,
    WINDOWS,
    Knob,
    Value,
    total_knob,
)
from slimlm.solver.solver import solve
from slimlm.ui import query_params, url_state
from slimlm.ui.callbacks import completed
from slimlm.ui.knob_widgets import choice, counting, experts, number, switch
from slimlm.ui.window_moves import MOST_APART, WindowKnobs, one_full_in, with_one_full_in, with_pattern, with_window
from slimlm.utils.text import plain

WINDOW, PATTERN, WINDOW_BASE, ROTARY, *SCALES = WINDOWS


def draw_knobs() -> None:
    """Draw every knob in the current container; the values are in the session state, under the names of the fields."""
    for knob in (*SLIDERS, HEADS):
        _slider_and_field(knob if knob is not TOTAL else _total())
        if knob is TOTAL:
            _budget_choice()
        if knob is RATIO:
            _shape_switch()
    switch(TIED)
    _family_choice()
    _structure()
    _windows()
    experts()
    _more()


def _total() -> Knob:
    """Return the control of the total, in the unit of the budget."""
    return total_knob(st.session_state[BUDGET.field], st.session_state[BUDGET_PRECISION.field])


def _budget_choice() -> None:
    """Draw the choice of what the total counts, beside it the precision of a budget in bytes."""
    state = st.session_state
    if state[BUDGET.field] != "bytes":
        choice(BUDGET, on_change=_forget_total)
        state[BUDGET_PRECISION.field] = state[BUDGET_PRECISION.field]  # Streamlit forgets a widget that is not drawn
        return
    wide, narrow = st.columns([0.66, 0.34], gap="small")
    with wide:
        choice(BUDGET, on_change=_forget_total)
    with narrow:
        choice(BUDGET_PRECISION, label="Precision", on_change=_forget_total)


@completed
def _forget_total() -> None:
    """Forget a total that could not be read in the unit that the budget had before."""
    _forget_problem(TOTAL)


def _shape_switch() -> None:
    """Draw the switch that leaves the embedding ratio to the shape."""
    st.session_state.shape_leads = st.session_state[RATIO.field] == "auto"
    st.toggle(
        "Let the shape lead",
        key="shape_leads",
        on_change=_take_shape_switch,
        help="Depth and width are in the proportion of published models of this size, and the embedding ratio follows. "
        "Off: the embedding ratio fixes the width.",
    )


@completed
def _take_shape_switch() -> None:
    """Set the ratio to auto, or to that of the current design."""
    if st.session_state.shape_leads:
        move_knobs({RATIO.field: "auto"})
        return
    ratio = RATIO.default
    with suppress(ValueError):
        shown = solve(ModelConfig(**st.session_state.asked))
        ratio = float(f"{shown.account.embedding_ratio:.2g}")
    move_knobs({RATIO.field: ratio})


_CUSTOM = "custom"


def _family_choice() -> None:
    """Draw the choice of a family, which sets the fields of its structure; "custom" when they have that of none."""
    state = st.session_state
    state.family = _family_of(state)
    words = {name: family.label for name, family in MODEL_FAMILIES.items()} | {_CUSTOM: "Custom"}
    offered = list(MODEL_FAMILIES) + [_CUSTOM] * (state.family == _CUSTOM)
    st.selectbox(
        "Family",
        offered,
        format_func=words.__getitem__,
        key="family",
        on_change=_take_family,
        help="Sets norm, positions, feed-forward, biases, QK-norm, block, tying, RoPE base, windows, dropout and "
        "epsilon to those of a published model of the family. Total, vocabulary, ratios and heads stay.",
    )


def _family_of(values: Mapping[Any, Any]) -> str:
    """Return the family of the values in the widgets; "custom" for none, and for choices that exclude each other."""
    with suppress(ValueError):
        return family_of(ModelConfig(**{name: values[name] for name in KNOBS})) or _CUSTOM
    return _CUSTOM


@completed
def _take_family() -> None:
    """Set the fields of the chosen family."""
    state = st.session_state
    if state.family in MODEL_FAMILIES:
        move_knobs(family_changes(state.family, state[HEAD_DIM.field]))


def _structure() -> None:
    state, fields = st.session_state, (*STRUCTURE, KV_HEADS, HEAD_DIM, ROPE_BASE)
    with st.expander(counting("Architecture", fields), key="architecture_choices"):
        for knob in STRUCTURE:
            choice(knob)
        number(KV_HEADS)
        number(HEAD_DIM, unset="64 preferred" if state[HEADS.field] == "auto" else "")
        number(ROPE_BASE, disabled=state["positions"] != "rope")


def _windows() -> None:
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


def _more() -> None:
    state, fields = st.session_state, (DEPTH, LOOPS, LENGTH, ALIGNMENT, BLOCK, *EXTRAS, OFFSET, *REGULARISATION)
    with st.expander(counting("More choices", fields), key="more_choices"):
        number(DEPTH)
        number(LOOPS)
        number(LENGTH)
        _slider(ALIGNMENT)
        choice(BLOCK)
        for knob in EXTRAS:
            switch(knob)
        # An offset without learned positions is an error, and the user must be able to remove it.
        number(OFFSET, disabled=state["positions"] != "learned" and not state[OFFSET.field])
        for knob in REGULARISATION:
            number(knob)


@completed
def move_knobs(values: Mapping[str, Value]) -> None:
    """Set knobs to values; only before their widgets are created, or in a callback."""
    for name in values:
        _forget_problem(KNOBS[name])
    url_state.give(values)


def _slider(knob: Knob, on_change: Callable[[Knob], None] | None = None) -> Value:
    value: Value = st.select_slider(
        knob.label,
        knob.stops(st.session_state[knob.field]),
        format_func=knob.display,
        key=knob.field,
        help=knob.help,
        on_change=on_change,
        args=(knob,),
    )
    return value


def _slider_and_field(knob: Knob) -> None:
    """Draw a slider and a text field for exact values, which follow each other."""
    state, typed, problem = st.session_state, f"{knob.field}_typed", f"{knob.field}_problem"
    wide, narrow = st.columns([0.66, 0.34], vertical_alignment="bottom", gap="small")
    with wide:
        value = _slider(knob, _forget_problem)
    if problem not in state and state.get(typed) != knob.display(value):
        state[typed] = knob.display(value)
        _shown(knob).append(state[typed])
    narrow.text_input(
        f"{knob.label}, exact", key=typed, label_visibility="collapsed", on_change=_take_typed, args=(knob,)
    )
    if problem in state:
        st.error(plain(f"{state[problem]}. {knob.display(value)} is kept."))


def _forget_problem(knob: Knob) -> None:
    st.session_state.pop(f"{knob.field}_problem", None)


def _shown(knob: Knob) -> deque[str]:
    """Return the texts that this page has recently written into a knob's field."""
    shown: deque[str] = st.session_state.setdefault(f"{knob.field}_shown", deque(maxlen=16))
    return shown


@completed
def _take_typed(knob: Knob) -> None:
    _forget_problem(knob)
    # A browser that has not yet received the last run's output sends a text that has been overwritten.
    if (url_state.has_moved() or query_params.is_late()) and st.session_state[f"{knob.field}_typed"] in _shown(knob):
        return
    try:
        st.session_state[knob.field] = knob.from_text(st.session_state[f"{knob.field}_typed"])
    except ValueError as error:
        st.session_state[f"{knob.field}_problem"] = str(error)
