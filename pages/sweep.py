"""The Sweep page: a grid of designs with two knobs varied, by any metric."""

import streamlit as st

from slimlm import ui
from slimlm.core.config import ModelConfig
from slimlm.sweep.grid import Sweep
from slimlm.ui import sweep_controls, sweep_measuring, sweep_panels
from slimlm.utils.text import plain


def main() -> None:
    ui.start_page("slimlm · sweep")
    presets = ui.sidebar_head().popover("Presets", width="stretch")
    links = ui.links_place()
    try:
        config = ui.knobs()
    except ValueError as error:
        ui.show_problem(error)
        found = None
    else:
        found = draw_sweep(config)
    ui.show_links(links)
    ui.show_presets(presets)
    if found and not st.context.is_embedded:
        sweep_measuring.show_measuring(found)


def draw_sweep(config: ModelConfig) -> Sweep | None:
    embedded = st.context.is_embedded  # for screenshots: only the chart and its caption
    asked, buttons_place = (sweep_controls.asked(), st.empty()) if embedded else sweep_controls.draw_controls()
    try:
        found = sweep_panels.find(config, asked)
    except ValueError as error:
        st.error(plain(f"{error}."), icon=":material/error:")
        return None
    reports = sweep_measuring.reports()
    sweep_panels.show_best(found, asked, reports)
    sweep_panels.show_chart(found, asked, reports)
    ui.let_the_browser_draw()
    sweep_panels.show_reading(found)
    if not embedded:
        sweep_panels.show_share_and_download(buttons_place, found, asked, reports)
        sweep_panels.show_picked(found)
    return found


main()
