"""The Design page: four sliders, where the parameters go, and the PyTorch check."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from slimlm import ui
from slimlm.charts.allocation import allocation_chart
from slimlm.core.design import Design
from slimlm.solver.alternatives import alternatives
from slimlm.solver.solver import solve
from slimlm.ui import check_panels, design_panels, model_builds
from slimlm.ui.chart_first import below_the_chart, show_live
from slimlm.ui.cost_panels import show_costs
from slimlm.ui.evidence import show_evidence
from slimlm.ui.framework_configs import show_framework_configs
from slimlm.ui.sections import show_sections
from slimlm.utils.formatting import format_count


def main() -> None:
    ui.start_page("slimlm · design")
    presets = ui.sidebar_head().popover("Presets", width="stretch")
    links = ui.links_place()
    try:
        design = solve(ui.request())
    except ValueError as error:
        ui.show_knobs()
        ui.show_problem(error)
        ui.show_links(links)
        ui.show_presets(presets)
        return
    ui.keep_as_last(design)
    top = st.container(key="top")
    show_live(allocation_chart(design), key="allocation")
    ui.let_the_browser_draw()
    ui.show_knobs()
    report_places: list[DeltaGenerator] = []
    with below_the_chart():
        ui.show_links(links)
        with top:
            tile = design_panels.show_top(design)
        show_evidence(design)
        show_sections(
            {
                "Shape": lambda: _show_shape(design),
                "PyTorch check": lambda: report_places.append(_check_place()),
                "Alternatives": lambda: _show_alternatives(design),
                "Notes": lambda: design_panels.show_notes(design),
                "Costs": lambda: show_costs(design.account),
                "Export": lambda: show_framework_configs(design),
            }
        )
        ui.show_presets(presets)
    ui.name_page(
        f"{format_count(design.total_params)} · {design.architecture.n_layers} × {design.architecture.d_model}"
    )
    found = model_builds.pytorch_check(tile, design.architecture)
    for place in report_places:
        with place:
            check_panels.show_reason(found) if isinstance(found, str) else check_panels.show_report(found)


def _show_shape(design: Design) -> None:
    design_panels.show_parts(design)
    design_panels.show_published_near(design)


def _check_place() -> DeltaGenerator:
    model_builds.draw_precision()
    return st.container()


def _show_alternatives(design: Design) -> None:
    others = alternatives(design)
    design_panels.show_alternatives(others)
    if design_panels.is_informative(design, others):
        design_panels.show_tradeoff(design, others)


main()
