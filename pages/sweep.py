"""The Sweep page: a grid of designs with two knobs varied, by any metric."""

from typing import TYPE_CHECKING

import streamlit as st

from slimlm import ui
from slimlm.core.config import ModelConfig
from slimlm.sweep.grid import Sweep
from slimlm.ui import sweep_controls, sweep_measuring, sweep_panels
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def main() -> None:
    ui.start_page("slimlm · sweep")
    presets = ui.sidebar_head().popover("Presets", width="stretch")
    links = ui.links_place()
    try:
        config = ui.request()
    except ValueError as error:
        ui.show_knobs()
        ui.show_problem(error)
        found, measuring_place = None, None
    else:
        ui.show_knobs()
        found, measuring_place = draw_sweep(config)
    ui.show_links(links)
    ui.show_presets(presets)
    if found and measuring_place:
        sweep_measuring.show_measuring(found, measuring_place)


def draw_sweep(config: ModelConfig) -> "tuple[Sweep | None, DeltaGenerator | None]":
    """Draw everything but the measuring; return the sweep and where its measuring is offered."""
    embedded = st.context.is_embedded  # for screenshots: only the chart and its caption
    asked, buttons_place = (
        (sweep_controls.asked(config), st.empty()) if embedded else sweep_controls.draw_controls(config)
    )
    try:
        found = sweep_panels.find(config, asked)
    except ValueError as error:
        st.error(plain(f"{error}."), icon=":material/error:")
        return None, None
    reports = sweep_measuring.reports()
    sweep_panels.show_best(found, asked, reports)
    measuring_place = None if embedded else st.container()
    sweep_panels.show_chart(found, asked, reports)
    ui.let_the_browser_draw()
    sweep_panels.show_reading(found)
    if not embedded:
        sweep_panels.show_share_and_download(buttons_place, found, asked, reports)
        sweep_panels.show_picked(found, asked, reports)
    return found, measuring_place


main()
