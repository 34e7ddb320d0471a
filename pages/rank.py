"""The Rank page: studies that rank allocations by training them."""

import streamlit as st

from slimlm import ui
from slimlm.ui import rank_controls, rank_panels, rank_sections, rank_start
from slimlm.ui.rank_library import StudyView, library
from slimlm.utils.text import plain


def main() -> None:
    ui.start_page("slimlm · rank")
    ui.sidebar_head()
    ui.keep_knobs()
    names = rank_start.all_names()
    chosen = rank_controls.chosen_study(names)
    if chosen.complaint:
        st.warning(plain(chosen.complaint), icon=":material/link_off:")
    view = read(chosen.name)
    if view:
        show(view)
    if not st.context.is_embedded:
        with st.sidebar:
            rank_start.show_sidebar(names, chosen.name, view)


def read(name: str | None) -> StudyView | None:
    """Return the study; say why when it cannot be shown."""
    if name is None:
        rank_start.show_no_study()
        return None
    if library().folder(name) is None:  # its data is being prepared
        st.title("A new study", anchor=False)
        rank_start.show_progress(name, None)
        return None
    try:
        view = library().view(name)
    except ValueError as error:
        st.title("A study that cannot be shown", anchor=False)
        st.error(plain(f"{str(error)[:1].upper()}{str(error)[1:]}."), icon=":material/error:")
        return None
    return view


def show(view: StudyView) -> None:
    rank_panels.show_heading(view)
    rank_start.show_progress(view.name, view)
    rank_panels.show_verdict(view)
    rank_panels.show_map(view)
    ui.let_the_browser_draw()
    if not st.context.is_embedded:
        rank_panels.show_picked(view)
        rank_sections.show_study_sections(view)


main()
