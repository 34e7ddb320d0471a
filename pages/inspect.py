"""The Inspect page: a published model, or the model of a config.json."""

import streamlit as st

from slimlm import ui
from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.charts.published_map import published_map_chart
from slimlm.ui import design_panels, inspect_panels, inspect_picker
from slimlm.ui.cost_panels import show_costs
from slimlm.ui.framework_configs import show_framework_configs
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
    top = st.container(key="top")
    st.altair_chart(allocation_chart(named_model), width="stretch", theme=None, key="allocation")
    ui.let_the_browser_draw()
    with top:
        place = inspect_panels.show_named_model(named_model)
    if button_place is not None:
        inspect_panels.offer_request(button_place, named_model.architecture)
    st.altair_chart(layer_profile_chart(named_model), width="stretch", theme=None, key="profile")
    st.markdown(design_panels.component_table(named_model))
    st.subheader("Among published models", anchor=False)
    st.altair_chart(published_map_chart([named_model]), width="stretch", theme=None, key="published_map")
    st.subheader("PyTorch check", anchor=False)
    check_details = st.container(key="pytorch_check")
    with st.container():  # Streamlit identifies the fragment of the costs by its position
        inspect_panels.show_remarks(named_model)
    st.subheader("Costs", anchor=False)
    show_costs(named_model.account)
    st.subheader("Configs for training frameworks", anchor=False)
    show_framework_configs(named_model)
    inspect_panels.show_left_out()
    with check_details:
        inspect_panels.show_pytorch_check(place, named_model.architecture)


main()
