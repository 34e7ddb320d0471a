"""Panels of the Inspect page for a model whose layers differ: counted, drawn, and not built."""

import streamlit as st

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_columns import layer_columns_chart
from slimlm.core.describe import params_words
from slimlm.core.layered import NOT_BUILT, LayeredModel
from slimlm.export.layered_downloads import costs_table, layered_downloads, layered_table
from slimlm.ui.chart_first import show_chart
from slimlm.ui.check_panels import show_state
from slimlm.ui.downloads import show_downloads
from slimlm.ui.figure_tiles import figure_tile
from slimlm.ui.inspect_panels import show_links, show_remarks
from slimlm.ui.sections import show_sections
from slimlm.utils.formatting import format_bytes, format_count, format_share
from slimlm.utils.text import plain


def show_layered(model: LayeredModel) -> None:
    """Show name, remarks, figures, charts, table and memory of a model."""
    _show_heading(model)
    show_remarks(model)
    _show_figures(model)
    st.caption(plain(f"Counted: {model.account.total_params:,} parameters. {NOT_BUILT}"))
    show_chart(allocation_chart(model), key="allocation")
    show_sections(
        {
            "Layers": lambda: show_chart(layer_columns_chart(model), key="layer_columns"),
            "Shape": lambda: _show_text(layered_table(model)),
            "Costs": lambda: _show_text(costs_table(model)),
        }
    )


def _show_text(text: str) -> None:
    st.markdown(text)


def _show_heading(model: LayeredModel) -> None:
    row = st.container(horizontal=True, vertical_alignment="center", key="heading")
    with row.container(gap=None, width="stretch"):
        st.title(plain(f"{model.name}, {params_words(model.account)}"), anchor=False)
        st.markdown(f":gray[:small[{plain(f'{model.n_layers:,} layers of width {model.d_model:,}: {model.order}.')}]]")
    if not st.context.is_embedded:
        buttons = row.container(horizontal=True, width="content")
        with buttons.popover("Share", icon=":material/share:"):
            show_links(model)
        with buttons.popover("Download", icon=":material/download:"):
            show_downloads(layered_downloads(model))


def _show_figures(model: LayeredModel) -> None:
    account, columns = model.account, st.container(key="figures").columns(5)
    active = f"{format_count(account.active_params)} active a token"
    whole = f"{account.total_params:,}"
    kept = f"{model.cached_layers:,} of {model.n_layers:,} layers"
    kept += f", {model.windowed_layers:,} of windows" if model.windows else ""
    figures = (
        ("Total parameters", format_count(account.total_params), whole if _is_dense(model) else active),
        ("Embedding ratio", format_share(account.embedding_ratio), f"vocabulary {model.vocab_size:,}"),
        ("Depth × width", f"{model.n_layers:,} × {model.d_model:,}", "layers differ"),
        ("KV cache per token", format_bytes(2 * model.cache_per_token), f"in {kept}"),
    )
    for column, (label, value, detail) in zip(columns, figures, strict=False):
        figure_tile(column, label, value, detail)
    show_state(columns[4].empty(), "not built", "layers differ", reason=NOT_BUILT)


def _is_dense(model: LayeredModel) -> bool:
    return model.account.active_params == model.account.total_params
