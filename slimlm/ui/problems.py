"""A request without a design: the error, what would work, and the last design."""

import streamlit as st

from slimlm.charts.allocation import allocation_chart
from slimlm.core.design import Design
from slimlm.notes.offers import offers
from slimlm.serialization.fields import KNOBS
from slimlm.ui.chart_first import show_chart
from slimlm.ui.knob_widgets import move_knobs
from slimlm.utils.text import plain


def show_problem(error: ValueError) -> None:
    """Show the error, its remedies as buttons with what they give, and the last design in grey."""
    st.error(plain(f"{error}."), icon=":material/error:")
    for offer in offers(error, {name: st.session_state[name] for name in KNOBS}):
        st.button(offer.label, on_click=move_knobs, args=(offer.values,), icon=":material/auto_fix_high:")
    if last := st.session_state.get("last_design"):
        with st.container(key="outdated"):
            st.caption("The last design")
            show_chart(allocation_chart(last), key="last_allocation")


def keep_as_last(design: Design) -> None:
    """Keep a design to show while a request has none."""
    st.session_state.last_design = design
