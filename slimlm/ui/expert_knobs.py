"""The expanders of experts and of latent attention."""

import streamlit as st

from slimlm.serialization.fields import KV_LATENT, N_EXPERTS, OF_EXPERTS, OF_LATENTS, Knob
from slimlm.ui.knob_widgets import choice, counting, number, switch


def draw_experts() -> None:
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
                _any_knob(knob, disabled=idle)


def _any_knob(knob: Knob, *, disabled: bool) -> None:
    """Draw a switch, a choice or a number, as the field is one."""
    if isinstance(knob.default, bool):
        switch(knob, disabled=disabled)
    elif knob.words:
        choice(knob, disabled=disabled)
    else:
        number(knob, disabled=disabled)
