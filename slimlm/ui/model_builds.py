"""Builds of PyTorch models for pages: one at a time across all sessions, with progress."""

import gc
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from slimlm.core.architecture import Architecture
from slimlm.ui import query_params
from slimlm.ui.background import run_behind
from slimlm.ui.build_queue import Queue
from slimlm.ui.callbacks import completed
from slimlm.ui.check_panels import show_result, show_state
from slimlm.utils.formatting import format_bytes, format_seconds
from slimlm.utils.optional import PSUTIL, TORCH, problem_with
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slimlm.model.device import Precision
    from slimlm.probing.estimate import ProbeEstimate
    from slimlm.probing.probe import ProbeReport
    from slimlm.utils.progress import Progress


PRECISION = "precision"
"""Query parameter: the type of the weights, absent for float32."""


def missing_packages(*packages: str) -> str:
    """Return a sentence about packages that cannot be loaded (torch and psutil unless named), or nothing.

    The first import takes a second: call it after the charts.
    """
    problem = problem_with("The PyTorch model", *(packages or (TORCH, PSUTIL)))
    return f"{problem}. Everything else on this page is exact without it." if problem else ""


def can_build() -> bool:
    """Return whether models can be built; show the reason if not."""
    problem = missing_packages()
    if problem:
        st.info(plain(problem), icon=":material/extension_off:")
    return not problem


@st.cache_resource(show_spinner=False)
def _queue() -> "Queue[ProbeReport]":
    """Return the server-wide queue; a report and its key take about 3 kB."""
    return Queue(at_most=256)


@st.cache_resource(show_spinner=False)
def freeze_imports() -> None:
    """Exclude imported objects from garbage collection: with torch loaded, a full collection takes 0.3 s."""
    gc.collect()
    gc.freeze()


def pytorch_check(place: "DeltaGenerator", architecture: Architecture) -> "ProbeReport | str":
    """Build and check the PyTorch model: light models at once, heavy ones on a button in the tile.

    Shows progress and result in the tile; returns the report, or a sentence that says why there is none.
    A model that does not fit in memory is not built. A superseded run is cancelled at the next `st.` call.
    """
    if problem := missing_packages():
        show_state(place, "not built", "packages missing", reason=problem)
        return problem
    freeze_imports()
    dtype = precision()
    if (report := _queue().get((architecture, dtype))) is None:
        made = _build_or_offer(place, architecture, dtype)
        if isinstance(made, str):
            return made
        report = made
    show_result(place, report.passed, "counted, run, causal")
    return report


def _build_or_offer(place: "DeltaGenerator", architecture: Architecture, dtype: "Precision") -> "ProbeReport | str":
    from slimlm.probing.estimate import estimate_probe
    from slimlm.probing.probe import what_does_not_fit

    estimate = estimate_probe(architecture, dtype=dtype)
    if not estimate.fits:
        missing = what_does_not_fit(estimate)
        reason = f"{missing[0].upper()}{missing[1:]}. The parameter counts are exact nevertheless."
        show_state(place, "not built", f"takes {format_bytes(estimate.memory_bytes)}", reason=reason)
        return reason
    if estimate.is_light:
        return build(architecture, lambda _, text: show_state(place, "…", text), dtype)
    label = f"Build and check ({_cost(estimate)})"
    if not place.button(label, icon=":material/play_arrow:", wrap=True, key="build_and_check"):
        return f"Not checked: the button above builds the model ({_cost(estimate)})."
    box = place.container(key="building")
    bar = box.progress(0.0, "starting")
    box.button("Cancel", icon=":material/close:")  # any click ends the run that builds
    return build(architecture, bar.progress, dtype)


def precision() -> "Precision":
    """Return the precision of the weights, which the URL says."""
    return "bfloat16" if query_params.get(PRECISION) == "bfloat16" else "float32"


def draw_precision() -> None:
    """Draw the choice of the precision."""
    query_params.show(PRECISION, precision())
    help_text = "The type of the weights; bfloat16 takes half the memory of float32."
    words = ("float32", "bfloat16")
    st.radio("Precision", words, horizontal=True, key=PRECISION, help=help_text, on_change=_take_precision)


@completed
def _take_precision() -> None:
    if not query_params.is_outdated(PRECISION):
        word = st.session_state[PRECISION]
        query_params.change({PRECISION: "" if word == "float32" else word})


def _cost(estimate: "ProbeEstimate") -> str:
    strategy = "" if estimate.strategy == "whole" else f", {estimate.strategy}"
    place = "" if estimate.device == "cpu" else f" on {estimate.device}"
    return f"about {format_seconds(estimate.seconds)} and {format_bytes(estimate.memory_bytes)}{place}{strategy}"


def build(
    architecture: Architecture, show: "Progress", dtype: "Precision" = "float32", moment: str = ""
) -> "ProbeReport":
    """Build and check the PyTorch model, one at a time across all sessions, or return its cached report.

    With a `moment`, the forward pass is timed repeatedly, and only reports of the same moment are taken from the cache.

    `show` is also called while waiting for other models. Exceptions that it raises cancel the work: an `st.` call in it
    cancels a superseded run.

    Raises MemoryError when the model does not fit in the free memory.
    """
    from slimlm.probing.probe import probe

    freeze_imports()

    def work(progress: "Progress") -> "ProbeReport":
        return probe(architecture, progress=progress, dtype=dtype, timed=bool(moment))

    key = (architecture, dtype, moment) if moment else (architecture, dtype)
    return _queue().run(key, partial(run_behind, work, show), show)
