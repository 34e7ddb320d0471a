"""Widgets of one knob: sliders with a field, numbers, switches and choices."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import cast

import streamlit as st

from slimlm.core.config import ModelConfig
from slimlm.serialization.fields import KNOBS, Knob, Value
from slimlm.ui import query_params, url_state
from slimlm.ui.callbacks import completed
from slimlm.utils.text import plain
from slimlm.utils.validation import field_limits


def counting(label: str, knobs: Iterable[Knob]) -> str:
    """Add to a label how many of some knobs are not at their default."""
    changed = sum(st.session_state[knob.field] != knob.default for knob in knobs)
    return f"{label} · {changed} changed" if changed else label


@completed
def move_knobs(values: Mapping[str, Value]) -> None:
    """Set knobs to values; only before their widgets are created, or in a callback."""
    for name in values:
        forget_problem(KNOBS[name])
    url_state.give(values)


def slider(knob: Knob, on_change: Callable[[Knob], None] | None = None) -> Value:
    """Draw the slider of a knob and return its value."""
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


def slider_and_field(knob: Knob) -> None:
    """Draw a slider and a text field for exact values, which follow each other."""
    state, typed, problem = st.session_state, f"{knob.field}_typed", f"{knob.field}_problem"
    wide, narrow = st.columns([0.66, 0.34], vertical_alignment="bottom", gap="small")
    with wide:
        value = slider(knob, forget_problem)
    if problem not in state and state.get(typed) != knob.display(value):
        state[typed] = knob.display(value)
        _shown(knob).append(state[typed])
    narrow.text_input(
        f"{knob.label}, exact", key=typed, label_visibility="collapsed", on_change=_take_typed, args=(knob,)
    )
    if problem in state:
        st.error(plain(f"{state[problem]}. {knob.display(value)} is kept."))


def forget_problem(knob: Knob) -> None:
    """Forget what was wrong with the last text of a knob's field."""
    st.session_state.pop(f"{knob.field}_problem", None)


def _shown(knob: Knob) -> deque[str]:
    """Return the texts that this page has recently written into a knob's field."""
    shown: deque[str] = st.session_state.setdefault(f"{knob.field}_shown", deque(maxlen=16))
    return shown


@completed
def _take_typed(knob: Knob) -> None:
    forget_problem(knob)
    # A browser that has not yet received the last run's output sends a text that has been overwritten.
    if (url_state.has_moved() or query_params.is_late()) and st.session_state[f"{knob.field}_typed"] in _shown(knob):
        return
    try:
        st.session_state[knob.field] = knob.from_text(st.session_state[f"{knob.field}_typed"])
    except ValueError as error:
        st.session_state[f"{knob.field}_problem"] = str(error)


def number(knob: Knob, *, unset: str = "", disabled: bool = False, on_change: Callable[[], None] | None = None) -> None:
    """Draw a number field; `unset` is its placeholder where the knob's own does not fit."""
    limits = field_limits(ModelConfig, knob.field)
    default = cast("int | float | None", knob.default)
    real, step = knob.is_real, 0.05 if limits.low == 0 or limits.high == 1 else default
    st.number_input(
        knob.label,
        min_value=limits.low,
        max_value=limits.high,
        value=default,
        step=step if real else None,
        format="%g" if real else None,
        key=knob.field,
        help=knob.help,
        placeholder=unset or knob.unset,
        disabled=disabled,
        on_change=on_change,
    )


def switch(knob: Knob, *, disabled: bool = False) -> None:
    """Draw a toggle."""
    st.toggle(knob.label, key=knob.field, help=knob.help, disabled=disabled)


def choice(knob: Knob, label: str = "", on_change: Callable[[], None] | None = None, *, disabled: bool = False) -> None:
    """Draw a list of the options of a knob."""
    st.selectbox(
        label or knob.label,
        list(knob.words),
        format_func=knob.words.__getitem__,
        key=knob.field,
        help=knob.help,
        on_change=on_change,
        disabled=disabled,
    )
