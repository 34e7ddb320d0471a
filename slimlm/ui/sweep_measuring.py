"""Measuring the real models of a sweep: one at a time, with the time that is left, and an end at any moment.

Each run of the page measures one model and then runs the page again: what is known is on screen at once, and a click on
"Cancel" ends the run that measures at the next step of its progress bar.
"""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from slimlm.core.architecture import Architecture
from slimlm.core.describe import counted
from slimlm.sweep.grid import Sweep
from slimlm.ui import model_builds
from slimlm.ui.model_builds import can_build
from slimlm.utils.formatting import format_seconds
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slimlm.probing.probe import ProbeReport

_MOST_MEASURED, _MOST_KEPT = 400, 2_000


@dataclass
class _Notebook:
    """What this session has measured, and the sweep that it is measuring."""

    reports: dict[Architecture, "ProbeReport"] = field(default_factory=dict)
    failures: dict[Architecture, str] = field(default_factory=dict)
    running: object = None
    """What tells the sweep that is being measured from others; None while none is."""
    spent_seconds: float = 0.0
    expected_seconds: float = 0.0
    """What the models measured so far were expected to take."""

    @property
    def pace(self) -> float:
        """Seconds that a second expected has taken so far."""
        return self.spent_seconds / self.expected_seconds if self.spent_seconds else 1.0

    def stop(self) -> None:
        """Measure no further; a callback."""
        self.running = None

    def start(self, sweep: Sweep) -> None:
        """Measure a sweep from here on; a callback."""
        self.running = identity(sweep)
        self.failures.clear()
        self.spent_seconds = self.expected_seconds = 0.0


def identity(sweep: Sweep) -> object:
    """Return what tells a sweep from others, without its thousands of cells."""
    return sweep.base, sweep.x, sweep.y


def _notebook() -> _Notebook:
    notebook: _Notebook = st.session_state.setdefault("sweep_notebook", _Notebook())
    return notebook


def reports() -> "dict[Architecture, ProbeReport]":
    """Return what this session has measured."""
    return _notebook().reports


def _models(sweep: Sweep) -> list[Architecture]:
    """Return the models of a sweep, each once."""
    return list(dict.fromkeys(design.architecture for design in sweep.designs))


def show_measuring(sweep: Sweep) -> None:
    """Offer to measure the real models of a sweep, or go on with it; call it last, as it ends the run."""
    notebook, models = _notebook(), _models(sweep)
    count = counted(len(models), "real model")
    if len(models) > _MOST_MEASURED:
        st.caption(f"These are {count}: up to {_MOST_MEASURED} are built and measured.")
        return
    if not can_build():
        return
    failures = [model for model in models if model in notebook.failures]
    pending = [model for model in models if model not in notebook.reports and model not in notebook.failures]
    st.caption(f"{len(models) - len(pending) - len(failures):,} of {count} measured on this machine.")
    wide, narrow = st.columns([0.85, 0.15], vertical_alignment="center")
    if pending and notebook.running == identity(sweep):
        _measure(wide, narrow, notebook, pending, len(models))
        return
    notebook.stop()
    if pending:
        which = "the other " if len(pending) < len(models) else ""
        cost = format_seconds(sum(_seconds(model) for model in pending))
        wide.button(
            f"Measure {which}{counted(len(pending), 'real model')} (about {cost})",
            on_click=notebook.start,
            args=(sweep,),
            **_BUTTON,
        )
    for model in failures[:8]:
        st.warning(_failure(model, notebook), icon=":material/warning:")


_BUTTON: dict[str, Any] = {
    "key": "measure",
    "icon": ":material/speed:",
    "help": "Builds each model on this machine's CPU, runs a tiny forward pass through it, and lets it go.",
}


def _seconds(architecture: Architecture) -> float:
    from slimlm.probing.estimate import estimate_probe

    return estimate_probe(architecture).seconds


def _measure(
    wide: "DeltaGenerator", narrow: "DeltaGenerator", notebook: _Notebook, pending: list[Architecture], count: int
) -> None:
    """Measure the first of the models and run the page again."""
    model, expected, done = pending[0], [_seconds(model) for model in pending], count - len(pending)
    left = format_seconds(notebook.pace * sum(expected))
    # The same button, at rest: a run that ends early would leave one behind that it has not drawn.
    wide.button(f"Measuring model {done + 1:,} of {count:,}, about {left} left", disabled=True, **_BUTTON)
    bar = wide.progress(done / count)
    narrow.button("Cancel", on_click=notebook.stop, icon=":material/close:", width="stretch")

    def show(share: float, doing: str) -> None:
        bar.progress(min((done + share) / count, 1.0), doing)

    started = time.perf_counter()
    try:
        _keep(notebook, model, model_builds.build(model, show))
    except (MemoryError, RuntimeError, ValueError, OSError) as error:
        notebook.failures[model] = str(error) or type(error).__name__
    notebook.spent_seconds += time.perf_counter() - started
    notebook.expected_seconds += expected[0]
    st.rerun()


def _keep(notebook: _Notebook, model: Architecture, report: "ProbeReport") -> None:
    notebook.reports[model] = report
    while len(notebook.reports) > _MOST_KEPT:
        del notebook.reports[next(iter(notebook.reports))]


def _failure(model: Architecture, notebook: _Notebook) -> str:
    shape = f"{counted(model.n_layers, 'layer')} × d_model {model.d_model:,}, d_ff {model.d_ff:,}"
    return plain(f"The model of {shape} was not measured: {notebook.failures[model]}.")
