"""The knobs as widgets, in the order of the sidebar."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

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
    Knob,
    total_knob,
)
from slimlm.solver.solver import solve
from slimlm.ui.callbacks import completed
from slimlm.ui.expert_knobs import draw_experts
from slimlm.ui.knob_widgets import (
    choice,
    counting,
    forget_problem,
    move_knobs,
    number,
    slider,
    slider_and_field,
    switch,
)
from slimlm.ui.window_knobs import draw_windows


def draw_knobs() -> None:
    """Draw every knob in the current container; the values are in the session state, under the names of the fields."""
    for knob in (*SLIDERS, HEADS):
        slider_and_field(knob if knob is not TOTAL else _total())
        if knob is TOTAL:
            _budget_choice()
        if knob is RATIO:
            _shape_switch()
    switch(TIED)
    _family_choice()
    _structure()
    draw_windows()
    draw_experts()
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
    forget_problem(TOTAL)


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


def _more() -> None:
    state, fields = st.session_state, (DEPTH, LOOPS, LENGTH, ALIGNMENT, BLOCK, *EXTRAS, OFFSET, *REGULARISATION)
    with st.expander(counting("More choices", fields), key="more_choices"):
        number(DEPTH)
        number(LOOPS)
        number(LENGTH)
        slider(ALIGNMENT)
        choice(BLOCK)
        for knob in EXTRAS:
            switch(knob)
        # An offset without learned positions is an error, and the user must be able to remove it.
        number(OFFSET, disabled=state["positions"] != "learned" and not state[OFFSET.field])
        for knob in REGULARISATION:
            number(knob)
