"""The Design page: four sliders, where the parameters go, and the real model."""

from collections import Counter
from typing import TYPE_CHECKING

import streamlit as st

from slimlm import ui
from slimlm.accounting import EMBEDDING_RATIO_DEFINITION, Component
from slimlm.charts import allocation_chart
from slimlm.design import AskedGot, Design
from slimlm.solver import BudgetError, solve
from slimlm.units import format_bytes, format_count, format_miss, format_seconds, format_share, format_size

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slimlm.probing import ProbeReport


def main() -> None:
    ui.start_page("slimlm · design")
    config = ui.knobs()
    try:
        design = solve(config)
    except BudgetError as error:
        ui.show_budget_error(error)
        st.stop()
    check = show_figures(design)
    st.altair_chart(allocation_chart(design), width="stretch", theme=None, key="allocation")
    st.markdown(component_table(design))
    st.caption(f"Embedding ratio: {EMBEDDING_RATIO_DEFINITION}.")
    st.subheader("Real model", anchor=False)
    report = ui.real_model(design.architecture)
    show_check(check, report)
    if report:
        show_report(report)


def show_figures(design: Design) -> "DeltaGenerator":
    """Show what was asked beside what was got; return the place of the real model's verdict."""
    arch, config = design.architecture, design.config
    total, ratio, expansion = design.asked_got
    st.markdown(f"##### {sentence(design)}")
    columns = st.columns(5)
    show_knob(
        columns[0], "Total parameters", total, format_count(design.total_params), format_size(config.total_params)
    )
    show_knob(columns[1], "Embedding ratio", ratio, format_share(ratio.got), f"{100 * ratio.asked:.4g} %")
    show_knob(columns[2], "GLU expansion", expansion, f"{expansion.got:.3f}", f"{expansion.asked:.4g}")
    columns[3].metric(
        "Depth × width",
        f"{arch.n_layers:,} × {arch.d_model:,}",
        f"d_ff {arch.d_ff:,} · head_dim {arch.head_dim:,}",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    place = columns[4].empty()
    place.metric("Real model", "…", "not built yet", delta_color="off", delta_arrow="off", border=True)
    return place


def sentence(design: Design) -> str:
    """Name the design in one sentence."""
    arch = design.architecture
    return (
        f"{format_count(design.total_params)} parameters: {counted(arch.n_layers, 'layer')} of width {arch.d_model:,}, "
        f"each with {counted(arch.n_heads, 'head')} of {arch.head_dim:,} and a SwiGLU of width {arch.d_ff:,}."
    )


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def show_knob(column: "DeltaGenerator", label: str, knob: AskedGot, got: str, asked: str) -> None:
    """Show one knob; amber when it had to be bent by more than 5 %."""
    column.metric(
        label,
        got,
        f"asked {asked}, {format_miss(knob.miss)}",
        delta_color="orange" if knob.bent else "off",
        delta_arrow="off",
        border=True,
    )


def component_table(design: Design) -> str:
    """Return the account as a Markdown table."""
    lines = [
        "| Component | Formula | Tensors | Per layer | Parameters | Share |",
        "|:--|:--|:--|--:|--:|--:|",
        *map(component_row, design.account.components),
        f"| **Total** | | | | **{design.total_params:,}** | **100 %** |",
    ]
    return "\n".join(lines)


def component_row(part: Component) -> str:
    shapes = Counter(part.shapes.values())
    tensors = ", ".join(f"{n} × " * (n > 1) + " × ".join(f"{side:,}" for side in shape) for shape, n in shapes.items())
    per_layer = f"{part.copy_params:,} × {part.copies:,}" if part.per_layer else ""
    return (
        f"| {part.name} | {part.formula} | {tensors or part.note} | {per_layer} "
        f"| {part.params:,} | {format_share(part.share)} |"
    )


def show_check(place: "DeltaGenerator", report: "ProbeReport | None") -> None:
    """Put the real model's verdict beside the other figures."""
    if report is None:
        return
    value, detail = ("passed", "counted, run, causal") if report.passed else ("failed", "see the report below")
    place.metric(
        "Real model",
        value,
        detail,
        delta_color="green" if report.passed else "red",
        delta_arrow="off",
        border=True,
    )


def show_report(report: "ProbeReport") -> None:
    """Show what the real model said about itself."""
    claims, figures = st.columns(2)
    for claim, holds in report.checks.items():
        icon = ":green[:material/check_circle:]" if holds else ":red[:material/cancel:]"
        claims.markdown(f"{icon} {claim[0].upper()}{claim[1:]}")
    loss = "no next token to score" if report.loss is None else f"{report.loss:.3f} nats"
    figures.markdown(
        "\n".join(
            [
                "| | |",
                "|:--|--:|",
                f"| Parameters counted on the module | {report.total_params:,} |",
                f"| Loss on random tokens (ln vocab_size = {report.uniform_loss:.3f}) | {loss} |",
                f"| Built in | {format_seconds(report.build_seconds)} |",
                f"| Forward pass, {report.batch} × {report.tokens} tokens | {format_seconds(report.forward_seconds)} |",
                f"| Tokens per second | {report.tokens_per_second:,.0f} |",
                f"| Peak memory | {format_bytes(report.peak_bytes)} |",
                f"| Precision, device | {report.dtype}, {report.device} |",
            ]
        )
    )


main()
