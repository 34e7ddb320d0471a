"""Builds of PyTorch models for pages: one at a time across all sessions, with progress."""

import gc
from functools import partial
from typing import TYPE_CHECKING, cast

import streamlit as st

from slimlm.core.architecture import Architecture
from slimlm.ui.build_queue import Queue
from slimlm.utils.formatting import format_bytes, format_seconds
from slimlm.utils.optional import PSUTIL, TORCH, problem_with
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from slimlm.model.device import Precision
    from slimlm.probing.estimate import ProbeEstimate
    from slimlm.probing.probe import ProbeReport
    from slimlm.utils.progress import Progress


def can_build(*packages: str) -> bool:
    """Return whether the packages can be loaded (torch and psutil unless named); show the reason if not.

    The first import takes a second: call it after the charts.
    """
    problem = problem_with("The PyTorch model", *(packages or (TORCH, PSUTIL)))
    if problem:
        st.info(plain(f"{problem}. Everything else on this page is exact without it."), icon=":material/extension_off:")
    return problem is None


@st.cache_resource(show_spinner=False)
def _queue() -> "Queue[ProbeReport]":
    """Return the server-wide queue; a report and its key take about 3 kB."""
    return Queue(at_most=256)


@st.cache_resource(show_spinner=False)
def freeze_imports() -> None:
    """Exclude imported objects from garbage collection: with torch loaded, a full collection takes 0.3 s."""
    gc.collect()
    gc.freeze()


def pytorch_check(architecture: Architecture) -> "ProbeReport | None":
    """Return the report of the PyTorch model: light models are built at once, heavy ones on a button.

    A model that does not fit in memory is not built. A superseded run is cancelled at the next `st.` call.
    """
    if not can_build():
        return None
    from slimlm.probing.estimate import estimate_probe
    from slimlm.probing.probe import what_does_not_fit

    freeze_imports()
    dtype = _precision()
    if report := _queue().get((architecture, dtype)):
        return report
    estimate = estimate_probe(architecture, dtype=dtype)
    if not estimate.fits:
        missing = what_does_not_fit(estimate)
        st.info(
            f"{missing[0].upper()}{missing[1:]}. The parameter counts above are exact nevertheless.",
            icon=":material/memory:",
        )
        return None
    slot = st.empty()
    label = f"Build and check the model ({_cost(estimate)})"
    if not estimate.is_light and not slot.button(label, icon=":material/play_arrow:"):
        return None
    report = build(architecture, slot.progress(0.0, "starting").progress, dtype)
    slot.empty()
    return report


def _precision() -> "Precision":
    help_text = "The type of the weights; bfloat16 takes half the memory of float32."
    words = ("float32", "bfloat16")
    return cast("Precision", st.radio("Precision", words, horizontal=True, key="probe_dtype", help=help_text))


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
    work = partial(probe, architecture, progress=show, dtype=dtype, timed=bool(moment))
    return _queue().run((architecture, dtype, moment) if moment else (architecture, dtype), work, show)
