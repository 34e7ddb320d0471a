"""Measuring the PyTorch models of a sweep: one at a time, cancellable, with the remaining time.

Each run of the page measures one model and reruns the page, so that every result shows at once. "Cancel" stops the
measuring run at its next progress update.
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
class _Measurements:
    """Measurements of this session, and the sweep being measured."""

    reports: dict[Architecture, "ProbeReport"] = field(default_factory=dict)
    failures: dict[Architecture, str] = field(default_factory=dict)
    running: object = None
    """Identity of the sweep being measured; None while none is."""
    spent_seconds: float = 0.0
    expected_seconds: float = 0.0
    """Estimated duration of the models measured so far."""

    @property
    def pace(self) -> float:
        """Measured over estimated duration so far."""
        return self.spent_seconds / self.expected_seconds if self.spent_seconds else 1.0

    def stop(self) -> None:
        """Stop measuring; a callback."""
        self.running = None

    def start(self, sweep: Sweep) -> None:
        """Start measuring a sweep; a callback."""
        self.running = identity(sweep)
        self.failures.clear()
        self.spent_seconds = self.expected_seconds = 0.0


def identity(sweep: Sweep) -> object:
    """Return what identifies a sweep, without its cells."""
    return sweep.base, sweep.x, sweep.y


def _measurements() -> _Measurements:
    measurements: _Measurements = st.session_state.setdefault("sweep_measurements", _Measurements())
    return measurements


def reports() -> "dict[Architecture, ProbeReport]":
    """Return the measurements of this session."""
    return _measurements().reports


def _models(sweep: Sweep) -> list[Architecture]:
    """Return the distinct models of a sweep."""
    return list(dict.fromkeys(design.architecture for design in sweep.designs))


def show_measuring(sweep: Sweep) -> None:
    """Offer to measure the PyTorch models of a sweep, or continue; call it last, because it ends the run."""
    measurements, models = _measurements(), _models(sweep)
    count = counted(len(models), "PyTorch model")
    if len(models) > _MOST_MEASURED:
        st.caption(f"This sweep has {count}: at most {_MOST_MEASURED} can be built and measured.")
        return
    if not can_build():
        return
    failures = [model for model in models if model in measurements.failures]
    pending = [model for model in models if model not in measurements.reports and model not in measurements.failures]
    st.caption(f"{len(models) - len(pending) - len(failures):,} of {count} measured{_on(measurements, models)}.")
    wide, narrow = st.columns([0.85, 0.15], vertical_alignment="center")
    if pending and measurements.running == identity(sweep):
        _measure(wide, narrow, measurements, pending, len(models))
        return
    measurements.stop()
    if pending:
        which = "the other " if len(pending) < len(models) else ""
        cost = format_seconds(sum(_seconds(model) for model in pending))
        wide.button(
            f"Measure {which}{counted(len(pending), 'PyTorch model')} (about {cost})",
            on_click=measurements.start,
            args=(sweep,),
            **_BUTTON,
        )
    for model in failures[:8]:
        st.warning(_failure(model, measurements), icon=":material/warning:")


_BUTTON: dict[str, Any] = {
    "key": "measure",
    "icon": ":material/speed:",
    "help": "Builds each model on this server (CUDA or MPS if present, else CPU), runs a short forward pass "
    "and discards it.",
}


def _on(measurements: _Measurements, models: list[Architecture]) -> str:
    """Name the devices that models were measured on, with a space in front."""
    devices = sorted({measurements.reports[model].device for model in models if model in measurements.reports})
    return f" on {' and '.join(map(plain, devices))}" if devices else ""


def _seconds(architecture: Architecture) -> float:
    from slimlm.probing.estimate import estimate_probe

    return estimate_probe(architecture).seconds


def _measure(
    wide: "DeltaGenerator",
    narrow: "DeltaGenerator",
    measurements: _Measurements,
    pending: list[Architecture],
    count: int,
) -> None:
    """Measure the first pending model and rerun the page."""
    model, expected, done = pending[0], [_seconds(model) for model in pending], count - len(pending)
    left = format_seconds(measurements.pace * sum(expected))
    # The same key, disabled: a rerun that stops early would otherwise keep the old enabled button on screen.
    wide.button(f"Measuring model {done + 1:,} of {count:,}, about {left} left", disabled=True, **_BUTTON)
    bar = wide.progress(done / count)
    narrow.button("Cancel", on_click=measurements.stop, icon=":material/close:", width="stretch")

    def show(share: float, doing: str) -> None:
        bar.progress(min((done + share) / count, 1.0), doing)

    started = time.perf_counter()
    try:
        _keep(measurements, model, model_builds.build(model, show))
    except (MemoryError, RuntimeError, ValueError, OSError) as error:
        measurements.failures[model] = str(error) or type(error).__name__
    measurements.spent_seconds += time.perf_counter() - started
    measurements.expected_seconds += expected[0]
    st.rerun()


def _keep(measurements: _Measurements, model: Architecture, report: "ProbeReport") -> None:
    measurements.reports[model] = report
    while len(measurements.reports) > _MOST_KEPT:
        del measurements.reports[next(iter(measurements.reports))]


def _failure(model: Architecture, measurements: _Measurements) -> str:
    shape = f"{counted(model.n_layers, 'layer')} × d_model {model.d_model:,}, d_ff {model.d_ff:,}"
    return plain(f"The model of {shape} was not measured: {measurements.failures[model]}.")
