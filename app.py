"""The Design page: four sliders, where the parameters go, and the PyTorch check."""

import streamlit as st

from slimlm import ui
from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.charts.published_map import published_map_chart
from slimlm.solver.alternatives import alternatives
from slimlm.solver.solver import solve
from slimlm.ui import design_panels, model_builds
from slimlm.ui.chart_first import below_the_chart, show_live
from slimlm.ui.cost_panels import show_costs
from slimlm.ui.framework_configs import show_framework_configs


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
            check = design_panels.show_top(design)
        others = alternatives(design)
        st.altair_chart(layer_profile_chart(design), width="stretch", theme=None, key="profile")
        st.markdown(design_panels.component_table(design))
        st.subheader("PyTorch check", anchor=False)
        check_details = st.container(key="pytorch_check")
        st.subheader("Alternatives", anchor=False)
        with st.container():  # Streamlit identifies the fragment of the costs by its position, so lists get containers
            design_panels.show_alternatives(others)
        with st.container():
            if design_panels.is_informative(design, others):
                design_panels.show_tradeoff(design, others)
        st.subheader("Among published models", anchor=False)
        st.altair_chart(published_map_chart([design]), width="stretch", theme=None, key="published_map")
        with st.container():
            design_panels.show_published_near(design)
        st.subheader("Design notes", anchor=False)
        with st.container():
            design_panels.show_notes(design)
        st.subheader("Costs", anchor=False)
        show_costs(design.account)
        st.subheader("Configs for training frameworks", anchor=False)
        show_framework_configs(design)
        ui.show_presets(presets)
    with check_details:
        if report := model_builds.pytorch_check(design.architecture):
            design_panels.show_check(check, report)
            design_panels.show_report(report)


main()
