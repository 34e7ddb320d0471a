"""The Inspect page: a published model, or the model of a config.json."""

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from slimlm import ui
from slimlm.charts.allocation import allocation_chart
from slimlm.core.layered import LayeredModel
from slimlm.core.named_model import NamedModel
from slimlm.ui import design_panels, inspect_panels, inspect_picker, layered_panels
from slimlm.ui.chart_first import show_chart
from slimlm.ui.check_panels import show_reason
from slimlm.ui.cost_panels import show_costs
from slimlm.ui.framework_configs import show_framework_configs
from slimlm.ui.scale_panel import offer_scaling
from slimlm.ui.sections import show_sections
from slimlm.utils.text import plain


def main() -> None:
    ui.start_page("slimlm · inspect")
    ui.sidebar_head()
    ui.keep_knobs()
    button_place = None if st.context.is_embedded else inspect_picker.draw_picker()
    try:
        named_model = inspect_picker.linked_model()
    except ValueError as error:
        st.error(plain(f"{error}."), icon=":material/error:")
        inspect_panels.show_left_out()
        return
    if isinstance(named_model, LayeredModel):
        layered_panels.show_layered(named_model)
        inspect_panels.show_left_out()
        ui.name_page(named_model.name)
    else:
        _show_named(named_model, button_place)


def _show_named(named_model: NamedModel, button_place: DeltaGenerator | None) -> None:
    """Show a model that an Architecture describes, and check its PyTorch model at last."""
    top = st.container(key="top")
    show_chart(allocation_chart(named_model), key="allocation")
    ui.let_the_browser_draw()
    with top:
        tile = inspect_panels.show_named_model(named_model)
    if button_place is not None:
        inspect_panels.offer_request(button_place, named_model.architecture)
        offer_scaling(button_place, named_model)
    report_places: list[DeltaGenerator] = []
    sections: dict[str, Callable[[], None]] = {
        "Shape": lambda: design_panels.show_parts(named_model),
        "PyTorch check": lambda: report_places.append(st.container()),
        "Costs": lambda: show_costs(named_model.account),
        "Export": lambda: show_framework_configs(named_model),
    }
    show_sections(sections)
    inspect_panels.show_left_out()
    ui.name_page(named_model.name)
    found = inspect_panels.pytorch_check(tile, named_model.architecture)
    for place in report_places:
        with place:
            show_reason(found) if isinstance(found, str) else inspect_panels.show_report(found)


main()
