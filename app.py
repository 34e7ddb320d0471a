"""The Design page: four sliders, where the parameters go, and the real model."""

import streamlit as st

from slimlm import panels, ui, workshop
from slimlm.charts import allocation_chart
from slimlm.nearby import alternatives
from slimlm.solver import BudgetError, solve


def main() -> None:
    ui.start_page("slimlm · design")
    config = ui.knobs()
    try:
        design = solve(config)
    except BudgetError as error:
        ui.show_budget_error(error)
        st.stop()
    st.markdown(f"##### {panels.sentence(design)}")
    check = panels.show_figures(design)
    verdict = st.empty()
    st.altair_chart(allocation_chart(design), width="stretch", theme=None, key="allocation")
    others = alternatives(config)
    verdict.caption(panels.verdict(design, others))
    st.markdown(panels.component_table(design))
    st.subheader("Real model", anchor=False)
    real_model = st.container()
    st.subheader("Other good designs nearby", anchor=False)
    panels.show_alternatives(others)
    st.subheader("Design notes", anchor=False)
    panels.show_notes(design)
    with real_model:
        if report := workshop.real_model(design.architecture):
            panels.show_check(check, report)
            panels.show_report(report)


main()
