"""Charts that a key press changes, drawn so that the browser keeps their view."""

import pyarrow as pa  # type: ignore[import-untyped]
import streamlit as st

from slimlm.charts.live import split
from slimlm.charts.theme import Figure


def show_live(figure: Figure, key: str) -> None:
    """Draw a figure whose rows and heading are sent as tables, which the browser passes to the view that it has."""
    specification, data = split(figure)
    # Tables made here spare the first visitor the import of pandas, and everybody 2 ms at each key press.
    tables = {name: pa.Table.from_pylist(rows) for name, rows in data.items()}
    st.vega_lite_chart(spec=specification | {"datasets": tables}, width="stretch", theme=None, key=key)
