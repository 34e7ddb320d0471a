"""The Design page: four sliders, where the parameters go, and the real model."""

import streamlit as st

from slimlm import panels, ui, workshop
from slimlm.charts import allocation_chart
from slimlm.layer_profile import layer_profile_chart
from slimlm.nearby import alternatives
from slimlm.solver import BudgetError, solve


def main() -> None:
    ui.start_page("slimlm · design")
    presets = ui.sidebar_head()
    config = ui.knobs()
    try:
        design = solve(config)
    except BudgetError as error:
        ui.show_budget_error(error)
        with presets:
            ui.show_presets()
        st.stop()
    title, share = st.columns([0.8, 0.2], vertical_alignment="center")
    title.markdown(f"##### {panels.sentence(design)}")
    check = panels.show_figures(design)
    verdict = st.container(key="verdict")
    st.altair_chart(allocation_chart(design), width="stretch", theme=None, key="allocation")
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
    with presets:
        ui.show_presets()
    if not st.context.is_embedded:
        with share.popover("Share", icon=":material/share:", width="stretch"):
            panels.show_links(config)
    with real_model:
        if report := workshop.real_model(design.architecture):
            panels.show_check(check, report)
            panels.show_report(report)


main()
