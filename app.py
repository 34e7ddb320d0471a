"""The Design page: four sliders, where the parameters go, and the real model."""

import streamlit as st

from slimlm import ui
from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.nearby import alternatives
from slimlm.solver import solve
from slimlm.ui import panels, workshop
from slimlm.ui.cost_panels import show_costs
from slimlm.ui.figures import show_live
from slimlm.ui.handover import show_handover
from slimlm.ui.precedence import below_the_chart


def main() -> None:
    ui.start_page("slimlm · design")
    presets = ui.sidebar_head().popover("Presets", width="stretch")
    links = ui.links_place()
    try:
        config = ui.knobs()
        design = solve(config)
    except ValueError as error:
        ui.show_problem(error)
        ui.show_links(links)
        ui.show_presets(presets)
        return
    top = st.container(key="top")
    show_live(allocation_chart(design), key="allocation")
    ui.let_the_browser_draw()
    with below_the_chart():
        ui.show_links(links)
        with top:
            check, verdict = panels.show_top(design)
        others = alternatives(config)
        verdict.caption(panels.verdict(design, others))
        st.altair_chart(layer_profile_chart(design), width="stretch", theme=None, key="profile")
        st.markdown(panels.component_table(design))
        st.subheader("Real model", anchor=False)
        real_model = st.container(key="real_model")
        st.subheader("Other good designs nearby", anchor=False)
        panels.show_alternatives(others)
        panels.show_tradeoff(design, others)
        st.subheader("Design notes", anchor=False)
        panels.show_notes(design)
        st.subheader("Costs", anchor=False)
        show_costs(design.architecture)
        st.subheader("For a training stack", anchor=False)
        show_handover(design.architecture)
        ui.show_presets(presets)
    with real_model:
        if report := workshop.real_model(design.architecture):
            panels.show_check(check, report)
            panels.show_report(report)


main()
