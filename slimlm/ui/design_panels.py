"""Panels of one model: figures, parameter table, PyTorch check, alternatives and notes."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.charts.published_map import published_map_chart
from slimlm.charts.theme import for_page
from slimlm.charts.tradeoff import tradeoff_chart, tradeoff_points
from slimlm.core.accounting import EMBEDDING_RATIO_DEFINITION
from slimlm.core.architecture import Architecture
from slimlm.core.captions import TargetText, target_texts
from slimlm.core.config import ModelConfig
from slimlm.core.describe import counted, ffn_words, heads_phrase, layers_phrase, params_words, size_words, times
from slimlm.core.design import Design, TargetActual
from slimlm.core.named_model import NamedModel, Subject
from slimlm.core.published import published_near
from slimlm.export import report_markdown
from slimlm.notes import Severity, design_notes
from slimlm.notes.verdict import Verdict, Weight, verdict
from slimlm.serialization.fields import to_query, to_short_query, values_of
from slimlm.solver.alternatives import Alternative
from slimlm.ui.callbacks import completed
from slimlm.ui.chart_first import show_chart
from slimlm.ui.check_panels import check_tile
from slimlm.ui.downloads import show_downloads
from slimlm.ui.figure_tiles import figure_tile
from slimlm.ui.frame import apply_request, full_link
from slimlm.ui.pins import pin_button
from slimlm.ui.widget_keys import digest
from slimlm.utils.formatting import format_count, format_miss, format_ratio, format_share
from slimlm.utils.text import paper_links, plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def sentence(subject: Subject) -> str:
    """Name the model in one sentence."""
    return ": ".join(_headline(subject))


def _headline(subject: Subject) -> tuple[str, str]:
    """Return the name and size of a model, and its structure."""
    arch = subject.architecture
    name = f"{subject.name}, " if isinstance(subject, NamedModel) else ""
    comma = "," if arch.n_loops > 1 else ""
    return (
        f"{name}{params_words(subject.account)}",
        f"{layers_phrase(arch)}{comma} of width {arch.d_model:,}, {heads_phrase(arch)} of {arch.head_width:,}, "
        f"{ffn_words(subject.account)}.",
    )


def show_top(design: Design) -> "DeltaGenerator":
    """Show name, links, verdict and figures; return the container of the PyTorch check."""
    show_heading(design, partial(_show_links, design.config))
    show_verdict(verdict(design))
    return _show_figures(design)


def show_heading(subject: Subject, show_links: Callable[[], None]) -> None:
    """Show the name and size, and buttons to pin, share and download."""
    row = st.container(horizontal=True, vertical_alignment="center", key="heading")
    name, structure = _headline(subject)
    with row.container(gap=None, width="stretch"):
        st.title(plain(name), anchor=False)
        rest = f"{format_count(subject.account.non_embedding_params)} non-embedding · "
        st.markdown(f":gray[:small[{plain(rest + structure)}]]")
    if not st.context.is_embedded:
        buttons = row.container(horizontal=True, width="content")
        pin_button(buttons, subject, architecture=subject.architecture, width="content")
        with buttons.popover("Share", icon=":material/share:"):
            show_links()
        with buttons.popover("Download", icon=":material/download:"):
            _show_downloads(subject)


def _show_figures(design: Design) -> "DeltaGenerator":
    """Show the actual values with their targets; return the container of the PyTorch check."""
    columns = st.container(key="figures").columns(5)
    for column, text in zip(columns, target_texts(design), strict=False):
        _show_target(column, text)
    show_shape(columns[3], design.architecture)
    return check_tile(columns[4])


def show_shape(column: "DeltaGenerator", arch: Architecture) -> None:
    """Show depth, width and aspect ratio, or how often the layers are used where that is more than once."""
    looped, aspect = (
        f"layers used {times(arch.n_loops)}",
        f"d_model / layers {format_ratio(arch.d_model / arch.n_layers)}",
    )
    figure_tile(
        column, "Depth × width", f"{arch.n_layers:,} × {arch.d_model:,}", looped if arch.n_loops > 1 else aspect
    )


def _show_target(column: "DeltaGenerator", text: TargetText) -> None:
    """Show one target; amber when it is missed by more than 5 %."""
    detail = f"target {text.target}, {format_miss(text.knob.miss)}"
    figure_tile(column, text.label, text.actual, detail, "orange" if text.knob.off_target else "off")


def show_verdict(found: Verdict) -> None:
    """Show the verdict in the colour of its weight, with a button that applies its remedy."""
    with st.container(key=f"verdict_{found.weight.name.lower()}", horizontal=True, vertical_alignment="center"):
        st.markdown(f"{_VERDICT_ICONS[found.weight]} {plain(str(found))}", width="stretch")
        if found.remedy and not st.context.is_embedded:
            st.button(
                "Use it",
                key="use_remedy",
                icon=":material/auto_fix_high:",
                on_click=apply_request,
                args=(found.remedy.request,),
                help=f"Change the request: {plain(found.remedy.change)}",
            )


_VERDICT_ICONS = {
    Weight.SHAPE: ":red[:material/error:]",
    Weight.OFF_TARGET: ":orange[:material/warning:]",
    Weight.ALIGNMENT: ":blue[:material/lightbulb:]",
    Weight.GOOD: ":green[:material/check_circle:]",
}


def component_table(subject: Subject) -> str:
    """Return the parameter table as Markdown, with the definition of the embedding ratio."""
    return f"{report_markdown.component_table(subject)}\n\nEmbedding ratio: {EMBEDDING_RATIO_DEFINITION}."


def show_parts(subject: Subject) -> None:
    """Show the model from input to output, its parts as a table, and its place among published models."""
    show_chart(layer_profile_chart(subject), key="profile")
    st.markdown(component_table(subject))
    st.subheader("Among published models", anchor=False)
    show_chart(published_map_chart([subject]), key="published_map")


_ALTERNATIVE = ("layers × d_model", "d_ff", "head_dim", "Total", "Ratio", "Expansion")


def show_alternatives(others: tuple[Alternative, ...]) -> None:
    """Show alternatives with their misses; a button with the change uses one, a second button pins it."""
    st.caption("Each button changes the request; beside it, the design and its deviation from the targets.")
    for number, other in enumerate(others):
        arch = other.design.architecture
        row = st.container(horizontal=True, vertical_alignment="center", key=f"alternative_{number}")
        row.button(
            plain(other.change),
            key=f"use_{number}",
            on_click=apply_request,
            args=(other.request,),
            icon=":material/auto_fix_high:",
            width=180,
        )
        cells = [f"{arch.n_layers:,} × {arch.d_model:,}", f"{arch.d_ff:,}", f"{arch.head_width:,}"]
        row.html(_cells([*cells, *map(_miss_cell, other.design.targets)]))
        name = f"{size_words(other.design.account)} · {other.change}"
        pin_button(row, other.request, name, key=f"pin_{number}", architecture=arch, icon_alone=True, width="content")


def is_informative(design: Design, others: tuple[Alternative, ...]) -> bool:
    """Whether deviations from the targets say much: for an ordinary shape that has several alternatives."""
    return len(others) > 2 and verdict(design).weight != Weight.SHAPE


def show_tradeoff(design: Design, others: tuple[Alternative, ...]) -> None:
    """Show the trade-off chart; a click on a design uses it."""
    key = f"tradeoff-{digest(to_query(values_of(design.config)))}"  # one widget per design, to start without a pick
    requests = [other.request for other in others]  # a session keeps the callback to its end: it must not keep designs

    @completed
    def apply_picked() -> None:
        picked = st.session_state[key].selection["pick"]
        if picked and (place := picked[0]["index"]) > 0:
            apply_request(requests[place - 1])

    st.altair_chart(
        for_page(tradeoff_chart(tradeoff_points(design, others))),
        width="stretch",
        theme=None,
        key=key,
        on_select=apply_picked,
        selection_mode="pick",
    )


def _miss_cell(knob: TargetActual) -> str:
    text = format_miss(knob.miss)
    return f'<span class="off-target">{text}</span>' if knob.off_target else text


def _cells(cells: list[str]) -> str:
    """Return the figures of an alternative, each under its name: a list that a screen reader reads as such."""
    pairs = (f"<div><dt>{name}</dt><dd>{cell}</dd></div>" for name, cell in zip(_ALTERNATIVE, cells, strict=True))
    return f'<dl class="alternative">{"".join(pairs)}</dl>'


_ICONS = {
    Severity.WARNING: ":orange[:material/warning:]",
    Severity.ADVICE: ":blue[:material/lightbulb:]",
    Severity.INFO: ":gray[:material/info:]",
}


def show_notes(design: Design) -> None:
    """Show the design notes, most severe first, each with its source."""
    for note in design_notes(design):
        source = "".join(f"[{text}]({address})" if address else text for text, address in paper_links(note.source))
        st.markdown(f"{_ICONS[note.severity]} {note.text}  \n:gray[:small[{source}]]")


def show_published_near(design: Design, most: int = 4) -> None:
    """Link the published models nearest in size to the Inspect page."""
    near = published_near(design.total_params)[:most]
    if near:
        st.markdown(":gray[Published models near this size:]")
    for model in near:
        arch = model.architecture
        st.page_link(
            "pages/inspect.py",
            label=f"{plain(model.name)} · {format_count(model.total_params)} · {counted(arch.n_layers, 'layer')} × "
            f"{arch.d_model:,} · embedding ratio {format_share(model.embedding_ratio)}",
            icon=":material/frame_inspect:",
            query_params={"model": model.name} | to_short_query(values_of(design.config)),
        )


def _show_downloads(subject: Subject) -> None:
    """Offer every download of the model."""
    from slimlm.export.downloads import model_downloads

    show_downloads(model_downloads(subject))


def _show_links(config: ModelConfig) -> None:
    """Show the link to this request, and one for screenshots."""
    st.caption("Link to this design, every knob included")
    st.code(full_link(config), language=None, wrap_lines=True)
    st.caption("The same without frame and sidebar, for screenshots")
    st.code(full_link(config, embedded=True), language=None, wrap_lines=True)
