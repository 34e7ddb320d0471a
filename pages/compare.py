"""The Compare page: pinned models side by side."""

import streamlit as st

from slimlm import ui
from slimlm.charts.comparison_profiles import profiles_chart
from slimlm.charts.comparison_strips import comparison_chart
from slimlm.charts.published_map import published_map_chart
from slimlm.compare.pins import Pin
from slimlm.ui import compare_panels
from slimlm.ui import pins as pin_state
from slimlm.ui.chart_first import show_chart
from slimlm.utils.text import plain


def main() -> None:
    ui.start_page("slimlm · compare")
    ui.sidebar_head()
    ui.keep_knobs()
    pins = pin_state.pinned()
    for sentence in pin_state.complaints():
        st.warning(plain(sentence), icon=":material/link_off:")
    if not pins:
        compare_panels.show_starts()
    else:
        show(pins)
    with st.sidebar:
        compare_panels.draw_pins(pins)


def show(pins: tuple[Pin, ...]) -> None:
    top = st.container()
    measure = compare_panels.measure_switch()
    charts, table = st.container(), st.container()
    with table:
        comparison = compare_panels.draw_comparison(pins)
    with top:  # before the charts, which would jump down
        compare_panels.show_heading(comparison, measure)
        compare_panels.show_remarks(comparison)
        compare_panels.show_findings(comparison)
    with charts:
        show_chart(comparison_chart(pins, measure), key="comparison")
        show_chart(profiles_chart(pins, measure), key="profiles")
    with table:
        compare_panels.show_differences(comparison)
    st.subheader("Among published models", anchor=False)
    models = [pin.named_model for pin in pins]
    show_chart(published_map_chart(models), key="published_map")


main()
