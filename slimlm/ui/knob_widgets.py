"""Widgets of knobs, and the expanders of experts and latent attention, which are made of nothing else."""

from collections.abc import Callable, Iterable
from typing import cast

import streamlit as st

from slimlm.core.config import ModelConfig
from slimlm.serialization.fields import KV_LATENT, N_EXPERTS, OF_EXPERTS, OF_LATENTS, Knob
from slimlm.utils.validation import field_limits


def counting(label: str, knobs: Iterable[Knob]) -> str:
    """Add to a label how many of some knobs are not at their default."""
    changed = sum(st.session_state[knob.field] != knob.default for knob in knobs)
    return f"{label} · {changed} changed" if changed else label


def any_knob(knob: Knob, *, disabled: bool) -> None:
    """Draw a switch, a choice or a number, as the field is one."""
    if isinstance(knob.default, bool):
        switch(knob, disabled=disabled)
    elif knob.words:
        choice(knob, disabled=disabled)
    else:
        number(knob, disabled=disabled)


def number(knob: Knob, *, unset: str = "", disabled: bool = False, on_change: Callable[[], None] | None = None) -> None:
    """Draw a field for a number, which may be left open."""
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
    """Draw a switch."""
    st.toggle(knob.label, key=knob.field, help=knob.help, disabled=disabled)


def choice(knob: Knob, label: str = "", on_change: Callable[[], None] | None = None, *, disabled: bool = False) -> None:
    """Draw a list of options."""
    st.selectbox(
        label or knob.label,
        list(knob.words),
        format_func=knob.words.__getitem__,
        key=knob.field,
        help=knob.help,
        on_change=on_change,
        disabled=disabled,
    )


def experts() -> None:
    """Draw experts and latent attention; a choice that nothing uses is disabled, unless it has to be removed."""
    state = st.session_state
    for label, key, first, others in (
        ("Experts", "expert_choices", N_EXPERTS, OF_EXPERTS),
        ("Latent attention", "latent_choices", KV_LATENT, OF_LATENTS),
    ):
        with st.expander(counting(label, (first, *others)), key=key):
            number(first)
            for knob in others:
                idle = not state[first.field] and state[knob.field] == knob.default
                any_knob(knob, disabled=idle)
