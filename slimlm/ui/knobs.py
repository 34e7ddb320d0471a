"""The knobs as widgets, in the order of the sidebar."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, cast

import streamlit as st

from slimlm.core.config import ModelConfig
from slimlm.core.families import MODEL_FAMILIES, family_changes, family_of
from slimlm.serialization.fields import (
    ALIGNMENT,
    BLOCK,
    DEPTH,
    EXTRAS,
    HEAD_DIM,
    HEADS,
    KNOBS,
    KV_HEADS,
    KV_LATENT,
    LENGTH,
    N_EXPERTS,
    OF_EXPERTS,
    OF_LATENTS,
    OFFSET,
    RATIO,
    REGULARISATION,
    ROPE_BASE,
    SLIDERS,
    STRUCTURE,
    TIED,
    Knob,
    Value,
)
from slimlm.solver.solver import solve
from slimlm.ui import query_params, url_state
from slimlm.ui.callbacks import completed
from slimlm.utils.text import plain
from slimlm.utils.validation import field_limits


def draw_knobs() -> None:
    """Draw every knob in the current container; the values are in the session state, under the names of the fields."""
    for knob in (*SLIDERS, HEADS):
        _slider_and_field(knob)
        if knob is RATIO:
            _shape_switch()
    _switch(TIED)
    _family_choice()
    _structure()
    _experts()
    _more()


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


def _counting(label: str, knobs: Iterable[Knob]) -> str:
    """Add to a label how many of some knobs are not at their default."""
    changed = sum(st.session_state[knob.field] != knob.default for knob in knobs)
    return f"{label} · {changed} changed" if changed else label


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
        help="Sets norm, positions, feed-forward, biases, QK-norm, block, tying, RoPE base, dropout and epsilon to "
        "those of a published model of the family. Total, vocabulary, ratios and heads stay.",
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
    with st.expander(_counting("Architecture", fields), key="architecture_choices"):
        for knob in STRUCTURE:
            _choice(knob)
        _number(KV_HEADS)
        _number(HEAD_DIM, unset="64 preferred" if state[HEADS.field] == "auto" else "")
        _number(ROPE_BASE, disabled=state["positions"] != "rope")


def _experts() -> None:
    """Draw experts and latent attention; a choice that nothing uses is disabled, unless it has to be removed."""
    state = st.session_state
    for label, key, first, others in (
        ("Experts", "expert_choices", N_EXPERTS, OF_EXPERTS),
        ("Latent attention", "latent_choices", KV_LATENT, OF_LATENTS),
    ):
        with st.expander(_counting(label, (first, *others)), key=key):
            _number(first)
            for knob in others:
                idle = not state[first.field] and state[knob.field] == knob.default
                _any_knob(knob, disabled=idle)


def _any_knob(knob: Knob, *, disabled: bool) -> None:
    """Draw a switch, a choice or a number, as the field is one."""
    if isinstance(knob.default, bool):
        _switch(knob, disabled=disabled)
    elif knob.words:
        _choice(knob, disabled=disabled)
    else:
        _number(knob, disabled=disabled)


def _more() -> None:
    state, fields = st.session_state, (DEPTH, LENGTH, ALIGNMENT, BLOCK, *EXTRAS, OFFSET, *REGULARISATION)
    with st.expander(_counting("More choices", fields), key="more_choices"):
        _number(DEPTH)
        _number(LENGTH)
        _slider(ALIGNMENT)
        _choice(BLOCK)
        for knob in EXTRAS:
            _switch(knob)
        # An offset without learned positions is an error, and the user must be able to remove it.
        _number(OFFSET, disabled=state["positions"] != "learned" and not state[OFFSET.field])
        for knob in REGULARISATION:
            _number(knob)


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


def _number(knob: Knob, *, unset: str = "", disabled: bool = False) -> None:
    limits = field_limits(ModelConfig, knob.field)
    default = cast("int | float | None", knob.default)
    real = isinstance(default, float)
    st.number_input(
        knob.label,
        min_value=limits.low,
        max_value=limits.high,
        value=default,
        step=None if not real else 0.05 if limits.low == 0 else default,
        format="%g" if real else None,
        key=knob.field,
        help=knob.help,
        placeholder=unset or knob.unset,
        disabled=disabled,
    )


def _switch(knob: Knob, *, disabled: bool = False) -> None:
    st.toggle(knob.label, key=knob.field, help=knob.help, disabled=disabled)


def _choice(knob: Knob, *, disabled: bool = False) -> None:
    st.selectbox(
        knob.label,
        list(knob.words),
        format_func=knob.words.__getitem__,
        key=knob.field,
        help=knob.help,
        disabled=disabled,
    )
