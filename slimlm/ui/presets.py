"""Preset requests and loading of a saved design."""

from typing import TYPE_CHECKING

import streamlit as st

from slimlm.core.config import ModelConfig
from slimlm.serialization.design_json import request_from_text
from slimlm.serialization.presets import PRESETS
from slimlm.ui.callbacks import completed
from slimlm.ui.frame import apply_request
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def show_presets(place: "DeltaGenerator") -> None:
    """Offer presets and the loading of a saved design."""
    with place:
        _presets()


def _presets() -> None:
    st.button("Reset all", on_click=apply_request, args=(ModelConfig(),), icon=":material/restart_alt:")
    with st.container(gap=None):
        for label, preset in PRESETS.items():
            st.button(label, on_click=apply_request, args=(preset,), type="tertiary")
    st.file_uploader("Load a saved design (JSON)", type="json", key="saved", on_change=_load_saved)
    if problem := st.session_state.get("saved_problem"):
        st.error(plain(f"{problem}."), icon=":material/error:")


@completed
def _load_saved() -> None:
    file = st.session_state.saved
    st.session_state.saved_problem = None
    if file is None:
        return
    try:
        apply_request(request_from_text(file.getvalue()))
    except ValueError as error:
        st.session_state.saved_problem = str(error)
