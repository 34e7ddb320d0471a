"""The PyTorch check of a model: its tile among the figures, and its report."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import streamlit as st

from slimlm.utils.formatting import format_bytes, format_seconds
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slimlm.probing.probe import ProbeReport


def check_tile(column: "DeltaGenerator") -> "DeltaGenerator":
    """Show that the check is still to come; return the place of its result."""
    place = column.empty()
    show_state(place, "…", "not built yet")
    return place


def show_state(
    place: "DeltaGenerator", value: str, detail: str, color: Literal["off", "green", "red"] = "off", reason: str = ""
) -> None:
    """Show the state of the check in its tile, with the reason as its tooltip."""
    help_text = plain(reason) or None
    place.metric("PyTorch check", value, detail, delta_color=color, delta_arrow="off", border=True, help=help_text)


def show_result(place: "DeltaGenerator", passed: bool, detail: str) -> None:
    """Show in the tile whether the check passed; `detail` names what it did."""
    if passed:
        show_state(place, "passed", detail, "green")
    else:
        show_state(place, "failed", "see the report", "red")


def show_reason(reason: str) -> None:
    """Say why there is no report."""
    st.info(plain(reason), icon=":material/info:")


def show_report(report: "ProbeReport") -> None:
    """Show the checks and measurements of the PyTorch model."""
    claims, figures = st.columns(2, gap="large")
    with claims:
        show_claims(report.checks)
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
        "Weights in memory": "whole" if report.strategy == "whole" else f"{report.strategy}: not all of them fit",
    }
    figures.markdown("\n".join(["| | |", "|:--|--:|", *(f"| {name} | {figure} |" for name, figure in rows.items())]))


def show_claims(checks: Mapping[str, bool]) -> None:
    """Show each check and whether it passed."""
    for claim, holds in checks.items():
        icon = ":green[:material/check_circle:]" if holds else ":red[:material/cancel:]"
        st.markdown(f"{icon} {claim[0].upper()}{claim[1:]}")
