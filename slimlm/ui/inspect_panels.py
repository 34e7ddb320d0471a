"""Panels of the Inspect page: figures of a named model, its PyTorch check and its remarks."""

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from slimlm.core.architecture import Architecture
from slimlm.core.describe import expansion_name
from slimlm.core.layered import LayeredModel
from slimlm.core.named_model import NamedModel
from slimlm.core.published import LEFT_OUT, PublishedModel
from slimlm.notes.verdict import verdict
from slimlm.solver.inverse import request_like
from slimlm.ui.check_panels import check_tile, show_claims, show_result, show_state
from slimlm.ui.design_panels import show_heading, show_shape, show_verdict
from slimlm.ui.figure_tiles import figure_tile
from slimlm.ui.frame import full_link, open_on_design
from slimlm.ui.inspect_picker import link_of
from slimlm.ui.model_builds import freeze_imports, missing_packages
from slimlm.utils.formatting import format_count, format_seconds, format_share
from slimlm.utils.optional import TORCH
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slimlm.probing.shape_check import ShapeReport


def show_named_model(model: NamedModel) -> "DeltaGenerator":
    """Show name, links, remarks and figures; return the container of the PyTorch check."""
    show_heading(model, partial(show_links, model))
    show_remarks(model)
    show_verdict(verdict(model))
    place = _show_figures(model)
    st.caption(plain(count_claim(model)))
    return place


def count_claim(model: NamedModel) -> str:
    """Return the parameter count and its confirmation by another source."""
    found = model.total_params
    if not isinstance(model, PublishedModel):
        active = f", {model.account.active_params:,} of them active per token" if model.architecture.is_mixture else ""
        return f"Counted: {found:,} parameters{active}."
    same = "equal to" if found == model.published_params else "not equal to"
    return f"Counted: {found:,} parameters, {same} the count outside slimlm ({model.confirmed_by})."


def show_links(model: NamedModel | LayeredModel) -> None:
    """Show the link to a model, and one for screenshots."""
    for caption, embedded in (
        ("Link to this model", False),
        ("The same without frame and sidebar, for screenshots", True),
    ):
        st.caption(caption)
        st.code(full_link(None, embedded=embedded, extra=link_of(model)), language=None, wrap_lines=True)


def _show_figures(named_model: NamedModel) -> "DeltaGenerator":
    arch, account = named_model.architecture, named_model.account
    active, total = account.active_params, account.total_params
    count = f"{format_count(active)} active a token" if active < total else f"{total:,}"
    columns = st.container(key="figures").columns(5)
    figures = (
        ("Total parameters", format_count(named_model.total_params), count),
        ("Embedding ratio", format_share(named_model.account.embedding_ratio), f"vocabulary {arch.vocab_size:,}"),
        (expansion_name(arch), f"{arch.glu_expansion:.3f}", f"d_ff {arch.d_ff:,}"),
    )
    for column, (label, value, detail) in zip(columns, figures, strict=False):
        figure_tile(column, label, value, detail)
    show_shape(columns[3], arch)
    return check_tile(columns[4])


def offer_request(place: "DeltaGenerator", architecture: Architecture) -> None:
    """Offer a button that opens the same shape on the Design page."""
    try:
        request = request_like(architecture)
    except ValueError as error:
        place.caption(plain(f"The Design page cannot request it: {error}."))
        return
    place.button(
        "Edit as a design",
        on_click=open_on_design,
        args=(request,),
        icon=":material/tune:",
        help="Moves every knob there to this model's total, embedding ratio, expansion, depth and choices.",
        width="stretch",
    )


def pytorch_check(place: "DeltaGenerator", architecture: Architecture) -> "ShapeReport | str":
    """Compare counts and shapes of the PyTorch model, built without weights, with the account.

    Shows the result in its tile; returns the report, or a sentence that says why there is none.
    """
    if problem := missing_packages(TORCH):
        show_state(place, "not built", "torch missing", reason=problem)
        return problem
    try:
        report = _checked(architecture)
    except ValueError as error:
        show_state(place, "not built", "too deep", reason=f"{error}.")
        return f"{error}."
    show_result(place, report.passed, "counted, shapes run")
    return report


def show_report(report: "ShapeReport") -> None:
    """Show the checks of the PyTorch model that was built without weights."""
    show_claims(report.checks)
    st.caption(
        f"Built on the meta device, which holds shapes and no weights, in {format_seconds(report.seconds)}: "
        f"{report.total_params:,} parameters counted in PyTorch, logits of shape {report.logits_shape}."
    )


@st.cache_data(max_entries=256, show_spinner=False)
def _checked(architecture: Architecture) -> "ShapeReport":
    _warm_up()
    from slimlm.probing.shape_check import check_shapes

    return check_shapes(architecture)


@st.cache_resource(show_spinner=False)
def _warm_up() -> None:
    """Import everything that the first check needs, so that its time is not part of the check's."""
    from slimlm.probing.shape_check import check_shapes

    check_shapes(Architecture(d_model=8, d_ff=8, n_layers=1))
    freeze_imports()


def show_remarks(model: NamedModel | LayeredModel) -> None:
    """List how the model was read, what was not read, and what slimlm does not model, if anything."""
    if not model.remarks:
        return
    st.markdown("**Remarks**")
    st.markdown("\n".join(f"* {plain(remark)}" for remark in model.remarks))


def show_left_out() -> None:
    """List the published models that slimlm cannot describe, with the reasons."""
    with st.expander("Published models that are left out"):
        st.markdown("\n".join(f"* **{plain(name)}**: {plain(reason)}." for name, reason in LEFT_OUT.items()))
