"""The sections of a model's page as tabs: the open one alone is rendered, and the URL says which it is."""

from collections.abc import Callable, Mapping

import streamlit as st

from slimlm.ui import query_params
from slimlm.ui.callbacks import completed

TAB = "tab"
"""Query parameter: the open section, absent for the first."""


def show_sections(sections: Mapping[str, Callable[[], None]]) -> None:
    """Show sections, by their labels, as tabs, and render the open one."""
    first, linked = next(iter(sections)), query_params.get(TAB)
    query_params.show(TAB, next((label for label in sections if _word(label) == linked), first))
    tabs = st.tabs(list(sections), key=TAB, on_change=_take, args=(first,))
    for tab, render in zip(tabs, sections.values(), strict=True):
        if tab.open:
            with tab:
                render()


@completed
def _take(first: str) -> None:
    if not query_params.is_outdated(TAB):
        label = st.session_state[TAB]
        query_params.change({TAB: "" if label == first else _word(label)})


def _word(label: str) -> str:
    return label.lower().replace(" ", "-")
