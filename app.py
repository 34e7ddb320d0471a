"""The Design page: four sliders, where the parameters go, and the real model."""

import streamlit as st

from slimlm import ui
from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.solver.alternatives import alternatives
from slimlm.solver.solver import solve
from slimlm.ui import design_panels, model_builds
from slimlm.ui.chart_first import below_the_chart, show_live
from slimlm.ui.cost_panels import show_costs
from slimlm.ui.framework_configs import show_handover


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
            check, verdict = design_panels.show_top(design)
        others = alternatives(design)
        verdict.caption(design_panels.verdict(design, others))
        st.altair_chart(layer_profile_chart(design), width="stretch", theme=None, key="profile")
        st.markdown(design_panels.component_table(design))
        st.subheader("Real model", anchor=False)
        real_model = st.container(key="real_model")
        st.subheader("Other good designs nearby", anchor=False)
        design_panels.show_alternatives(others)
        design_panels.show_tradeoff(design, others)
        st.subheader("Design notes", anchor=False)
        design_panels.show_notes(design)
        st.subheader("Costs", anchor=False)
        show_costs(design.architecture)
        st.subheader("For a training stack", anchor=False)
        show_handover(design.architecture)
        ui.show_presets(presets)
    with real_model:
        if report := model_builds.real_model(design.architecture):
            design_panels.show_check(check, report)
            design_panels.show_report(report)


main()
