"""Where pages have real models built, one at a time across all sessions, with their progress shown."""

import gc
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from slimlm.architecture import Architecture
from slimlm.ui.guard import can_build
from slimlm.ui.queue import Queue
from slimlm.units import format_bytes, format_seconds

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slimlm.probing import ProbeReport, Progress


@st.cache_resource(show_spinner=False)
def _queue() -> "Queue[ProbeReport]":
    """Return the one queue of this server; a report and its key take about 3 kB."""
    return Queue(at_most=256)


@st.cache_resource(show_spinner=False)
def _freeze_imports() -> None:
    """Spare the collection after every run the objects of the heavy imports: 0.3 s each time otherwise."""
    gc.collect()
    gc.freeze()


def real_model(architecture: Architecture) -> "ProbeReport | None":
    """Return the report of the real model: at once when it is light, on a button when it is heavy, never beyond memory.

    Nothing is drawn once the report is there. An `st.` call while it is being built ends a run that a newer one
    supersedes.
    """
    if not can_build():
        return None
    from slimlm.estimating import estimate_probe
    from slimlm.probing import what_does_not_fit

    _freeze_imports()
    if report := _queue().get(architecture):
        return report
    estimate = estimate_probe(architecture)
    cost = f"about {format_seconds(estimate.seconds)} and {format_bytes(estimate.memory_bytes)}"
    if not estimate.fits:
        st.info(
            f"The real model needs about {format_bytes(estimate.memory_bytes)} and {format_bytes(estimate.free_bytes)} "
            "of memory are free, so it is not built; its account above is exact all the same.",
            icon=":material/memory:",
        )
        return None
    slot = st.empty()
    if not estimate.is_light and not slot.button(f"Build the real model ({cost})", icon=":material/play_arrow:"):
        return None
    bar = slot.progress(0.0, "starting")
    report = build(architecture, partial(_show_progress, bar, cost))
    slot.empty()
    return report


def build(architecture: Architecture, show: "Progress") -> "ProbeReport":
    """Build the real model, one at a time across all sessions, or return the report of one that was built lately.

    `show` is called while another model is waited for, too. What it raises ends the work: an `st.` call in it ends a
    run that a newer one supersedes.

    Raises MemoryError when the model does not fit in the free memory.
    """
    from slimlm.probing import probe

    _freeze_imports()
    return _queue().run(architecture, partial(probe, architecture, progress=show), show)


def _show_progress(bar: "DeltaGenerator", cost: str, done: float, doing: str) -> None:
    bar.progress(min(done, 1.0), doing if doing.startswith("waiting") else f"{doing} ({cost})")
