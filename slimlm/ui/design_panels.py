"""Panels of one model: figures, parameter table, PyTorch check, alternatives and notes."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from slimlm.charts.tradeoff import tradeoff_chart, tradeoff_points
from slimlm.core.accounting import EMBEDDING_RATIO_DEFINITION
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.describe import counted, expansion_name, heads_phrase
from slimlm.core.design import OFF_TARGET, Design, TargetActual
from slimlm.core.named_model import NamedModel, Subject
from slimlm.core.published import published_near
from slimlm.export import report_markdown
from slimlm.notes import Severity, design_notes
from slimlm.serialization.fields import to_query, to_short_query, values_of
from slimlm.solver.alternatives import Alternative
from slimlm.ui.downloads import show_downloads
from slimlm.ui.frame import apply_request, full_link
from slimlm.ui.pins import pin_button
from slimlm.ui.widget_keys import digest
from slimlm.utils.formatting import format_bytes, format_count, format_miss, format_seconds, format_share, format_size
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slimlm.probing.probe import ProbeReport


def sentence(subject: Subject) -> str:
    """Name the model in one sentence."""
    return ": ".join(_headline(subject))


def _headline(subject: Subject) -> tuple[str, str]:
    """Return the name and size of a model, and its structure."""
    arch = subject.architecture
    name = f"{subject.name}, " if isinstance(subject, NamedModel) else ""
    return (
        f"{name}{format_count(subject.total_params)} parameters",
        f"{counted(arch.n_layers, 'layer')} of width {arch.d_model:,}, {heads_phrase(arch)} of {arch.head_width:,}, "
        f"{subject.account['ffn'].name} of {arch.d_ff:,}.",
    )


def show_top(design: Design) -> tuple["DeltaGenerator", "DeltaGenerator"]:
    """Show name, links and figures; return the containers of the PyTorch check and of the verdict."""
    show_heading(design, partial(_show_links, design.config))
    return _show_figures(design), st.container(key="verdict")


def show_heading(subject: Subject, show_links: Callable[[], None]) -> None:
    """Show the name and size, and buttons to pin, share and download."""
    row = st.container(horizontal=True, vertical_alignment="center", key="heading")
    name, structure = _headline(subject)
    row.markdown(f"##### {plain(name)}\n:gray[:small[{plain(structure)}]]", width="stretch")
    if not st.context.is_embedded:
        buttons = row.container(horizontal=True, width="content")
        pin_button(buttons, subject, architecture=subject.architecture, width="content")
        with buttons.popover("Share", icon=":material/share:"):
            show_links()
        with buttons.popover("Download", icon=":material/download:"):
            _show_downloads(subject)


def _show_figures(design: Design) -> "DeltaGenerator":
    """Show the actual values with their targets; return the container of the PyTorch check."""
    config = design.config
    total, ratio, expansion = design.targets
    columns = st.container(key="figures").columns(5)
    target = format_size(config.total_params)
    _show_knob(columns[0], "Total parameters", total, format_count(design.total_params), target)
    _show_knob(columns[1], "Embedding ratio", ratio, format_share(ratio.actual), f"{100 * ratio.target:.4g} %")
    _show_knob(columns[2], expansion_name(config), expansion, f"{expansion.actual:.3f}", f"{expansion.target:.4g}")
    show_shape(columns[3], design.architecture)
    place = columns[4].empty()
    place.metric("PyTorch check", "…", "not built yet", delta_color="off", delta_arrow="off", border=True)
    return place


def show_shape(column: "DeltaGenerator", arch: Architecture) -> None:
    """Show depth, width and aspect ratio."""
    column.metric(
        "Depth × width",
        f"{arch.n_layers:,} × {arch.d_model:,}",
        f"d_model / layers {arch.d_model / arch.n_layers:.3g}",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )


def _show_knob(column: "DeltaGenerator", label: str, knob: TargetActual, actual: str, target: str) -> None:
    """Show one knob; amber when it is off target by more than 5 %."""
    column.metric(
        label,
        actual,
        f"target {target}, {format_miss(knob.miss)}",
        delta_color="orange" if knob.off_target else "off",
        delta_arrow="off",
        border=True,
    )


def verdict(design: Design, others: tuple[Alternative, ...]) -> str:
    """Say how near the design is to its request, and which alternative meets a knob that is off target.

    >>> from slimlm import ModelConfig, alternatives, solve
    >>> verdict(solve(ModelConfig()), alternatives(ModelConfig()))
    'GLU expansion is off target by −5.32 %; 10 heads of 22 would meet every knob within 0.5 %.'
    """
    expansion = expansion_name(design.config)
    labels = {"embedding_ratio": "embedding ratio", "glu_expansion": expansion, "total_params": "total"}
    if not design.off_target:
        return f"Every knob is met within {_bound(design)}."
    missed = " and ".join(
        f"{labels[knob.name]} is off target by {format_miss(knob.miss)}" for knob in design.off_target
    )
    better = next((other for other in others if not other.design.off_target), None)
    if better is None:
        return f"{missed[0].upper()}{missed[1:]}; no nearby design meets every knob."
    head_dim = better.design.architecture.head_width
    change = f"{better.change} of {head_dim}" if better.kind == "heads" else better.change
    return f"{missed[0].upper()}{missed[1:]}; {change} would meet every knob within {_bound(better.design)}."


def _bound(design: Design) -> str:
    """Return a round upper bound of the largest miss."""
    worst = max(abs(knob.miss) for knob in design.targets)
    return next(f"{100 * bound:g} %" for bound in (0.001, 0.005, 0.01, 0.02, 0.03, 0.04, OFF_TARGET) if worst <= bound)


def component_table(subject: Subject) -> str:
    """Return the parameter table as Markdown, with the definition of the embedding ratio."""
    return f"{report_markdown.component_table(subject)}\n\nEmbedding ratio: {EMBEDDING_RATIO_DEFINITION}."


def show_check(place: "DeltaGenerator", report: "ProbeReport") -> None:
    """Show the result of the PyTorch check in its container."""
    if report.passed:
        value, detail, color = "passed", "counted, run, causal", "green"
    else:
        value, detail, color = "failed", "see the report below", "red"
    place.metric("PyTorch check", value, detail, delta_color=color, delta_arrow="off", border=True)  # type: ignore[arg-type]


def show_report(report: "ProbeReport") -> None:
    """Show the checks and measurements of the PyTorch model."""
    claims, figures = st.columns(2, gap="large")
    show_claims(claims, report.checks)
    loss = "no next token to score" if report.loss is None else f"{report.loss:.3f} nats"
    rows = {
        "Counted in PyTorch": f"{report.total_params:,} parameters",
        "Loss on random tokens": loss,
        "ln(vocab_size), for comparison": f"{report.uniform_loss:.3f} nats",
        "Built in": format_seconds(report.build_seconds),
        f"Forward pass of {report.batch} × {report.tokens} tokens": f"{format_seconds(report.forward_seconds)} "
        f"({report.tokens_per_second:,.0f} tokens/s)",
        "Peak memory": format_bytes(report.peak_bytes),
        "Precision, device": f"{report.dtype}, {report.device}",
        "Weights in memory": "all at once" if report.strategy == "whole" else f"{report.strategy}: not all of them fit",
    }
    figures.markdown("\n".join(["| | |", "|:--|--:|", *(f"| {name} | {figure} |" for name, figure in rows.items())]))


def show_claims(place: Any, checks: Mapping[str, bool]) -> None:
    """Show each check and whether it passed."""
    for claim, holds in checks.items():
        icon = ":green[:material/check_circle:]" if holds else ":red[:material/cancel:]"
        place.markdown(f"{icon} {claim[0].upper()}{claim[1:]}")


_ROW = [0.79, 0.12, 0.09]


def show_alternatives(others: tuple[Alternative, ...]) -> None:
    """Show alternatives with their misses, and buttons to use and pin them."""
    head = ["Change", "layers × d_model", "d_ff", "head_dim", "Total", "Ratio", "Expansion"]
    st.columns(_ROW, gap="small")[0].html(_grid(head, head=True))
    for number, other in enumerate(others):
        arch = other.design.architecture
        wide, narrow, last = st.columns(_ROW, vertical_alignment="center", gap="small")
        cells = [other.change, f"{arch.n_layers:,} × {arch.d_model:,}", f"{arch.d_ff:,}", f"{arch.head_width:,}"]
        wide.html(_grid([*cells, *map(_miss_cell, other.design.targets)]))
        narrow.button("Use", key=f"use_{number}", on_click=apply_request, args=(other.request,), width="stretch")
        name = f"{format_count(other.design.total_params)} · {other.change}"
        pin_button(last, other.request, name, key=f"pin_{number}", architecture=arch, icon_alone=True)


def show_tradeoff(design: Design, others: tuple[Alternative, ...]) -> None:
    """Show the trade-off chart; a click on a design uses it."""
    key = f"tradeoff-{digest(to_query(values_of(design.config)))}"  # one widget per design, to start without a pick

    def apply_picked() -> None:
        picked = st.session_state[key].selection["pick"]
        if picked and (place := picked[0]["index"]) > 0:
            apply_request(others[place - 1].request)

    st.altair_chart(
        tradeoff_chart(tradeoff_points(design, others)),
        width="stretch",
        theme=None,
        key=key,
        on_select=apply_picked,
        selection_mode="pick",
    )


def _miss_cell(knob: TargetActual) -> str:
    text = format_miss(knob.miss)
    return f'<span class="off-target">{text}</span>' if knob.off_target else text


def _grid(cells: list[str], *, head: bool = False) -> str:
    spans = "".join(f"<span>{cell}</span>" for cell in cells)
    return f'<div class="alternative{" head" if head else ""}">{spans}</div>'


_ICONS = {
    Severity.WARNING: ":orange[:material/warning:]",
    Severity.ADVICE: ":blue[:material/lightbulb:]",
    Severity.INFO: ":gray[:material/info:]",
}


def show_notes(design: Design) -> None:
    """Show the design notes, most severe first, each with its source, and published models of about this size."""
    for note in design_notes(design):
        st.markdown(f"{_ICONS[note.severity]} {note.text}  \n:gray[:small[{note.source}]]")
    _show_published_near(design)


def _show_published_near(design: Design, most: int = 4) -> None:
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
