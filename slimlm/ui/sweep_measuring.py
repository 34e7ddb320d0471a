"""Measuring the PyTorch models of a sweep: one at a time, cancellable, with the remaining time.

A press of the button starts a new run of measurements, and charts compare the times of the latest run alone: in another
run the machine may be slower or busier. Each run of the page measures one model and reruns the page, so that every
result shows at once. "Cancel" stops the measuring run at its next progress update, after one forward pass at most.
"""

import time
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

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
    run: int = 0
    """Number of the latest run of measurements."""
    moment: str = ""
    """Identity of the latest run among those of all sessions."""
    wanted: Literal["other", "all"] | None = None
    """Which models the next run of the page is to start to measure."""
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

    def want(self, which: Literal["other", "all"]) -> None:
        """Let the next run of the page start to measure the sweep that it shows; a callback.

        The sweep is not an argument: a press may reach the server after another sweep has taken the place of that
        which the button was drawn for, and would be lost.
        """
        self.wanted = which

    def start(self, sweep: Sweep) -> None:
        """Start a run that measures the other models of a sweep, or all of them again, as was wanted."""
        for model in _models(sweep) if self.wanted == "all" else ():
            self.reports.pop(model, None)
        self.running, self.wanted = identity(sweep), None
        self.run, self.moment = self.run + 1, uuid.uuid4().hex
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


def show_measuring(sweep: Sweep, place: "DeltaGenerator") -> None:
    """Offer to measure the PyTorch models of a sweep, or continue; call it last, because it ends the run."""
    measurements, models = _measurements(), _models(sweep)
    if len(models) > _MOST_MEASURED:
        count = counted(len(models), "PyTorch model")
        place.caption(f"This sweep has {count}: at most {_MOST_MEASURED} can be built and measured.")
        return
    if not models or not can_build():
        return
    if measurements.wanted:
        measurements.start(sweep)
    failures = [model for model in models if model in measurements.failures]
    pending = [model for model in models if model not in measurements.reports and model not in measurements.failures]
    if pending and measurements.running == identity(sweep):
        _measure(place, measurements, pending, len(models))
        return
    measurements.stop()
    _show_buttons(place, measurements, pending, models)
    _show_state(sweep, place, measurements)
    for model in failures[:8]:
        st.warning(_failure(model, measurements), icon=":material/warning:")


def _show_buttons(
    place: "DeltaGenerator", measurements: _Measurements, pending: list[Architecture], models: list[Architecture]
) -> None:
    row = place.container(horizontal=True)
    if pending:
        which = "the other " if len(pending) < len(models) else ""
        label = f"Measure {which}{counted(len(pending), 'PyTorch model')} (about {_cost(pending)})"
        row.button(label, on_click=measurements.want, args=("other",), **_BUTTON)
    if len(pending) < len(models):
        label = f"Measure all {len(models):,} again (about {_cost(models)})" if len(models) > 1 else "Measure again"
        again = _BUTTON | {"key": "measure_again", "icon": ":material/replay:"}
        row.button(label, on_click=measurements.want, args=("all",), **again)


def _show_state(sweep: Sweep, place: "DeltaGenerator", measurements: _Measurements) -> None:
    """Say how many models are measured, in how many runs, and whether the machine was busy."""
    models = _models(sweep)
    known = {model: measurements.reports[model] for model in models if model in measurements.reports}
    if not known:
        return
    devices = " and ".join(sorted({plain(report.device) for report in known.values()}))
    sentences = [f"{len(known):,} of {counted(len(models), 'PyTorch model')} measured on {devices}."]
    if earlier := sweep.earlier(measurements.reports):
        sentences.append(f"{len(earlier):,} in an earlier run, without shade: times of different runs do not compare.")
    if noisy := sum(report.is_noisy for report in known.values()):
        sentences.append(f"The machine was busy during {noisy:,}: measure again when it is idle.")
    place.caption(" ".join(sentences))


_BUTTON: dict[str, Any] = {
    "key": "measure",
    "icon": ":material/speed:",
    "help": "Builds each model on this server (CUDA or MPS if present, else CPU), times at least 5 forward passes "
    "after a warm-up and discards it.",
}


def _cost(models: list[Architecture]) -> str:
    return format_seconds(sum(map(_seconds, models)))


def _seconds(architecture: Architecture) -> float:
    from slimlm.probing.estimate import estimate_probe

    return estimate_probe(architecture, timed=True).seconds


def _measure(place: "DeltaGenerator", measurements: _Measurements, pending: list[Architecture], count: int) -> None:
    """Measure the first pending model and rerun the page."""
    model, expected, done = pending[0], [_seconds(model) for model in pending], count - len(pending)
    left = format_seconds(measurements.pace * sum(expected))
    # The same key, disabled: a rerun that stops early would otherwise keep the old enabled button on screen.
    row = place.container(horizontal=True)
    row.button(f"Measuring model {done + 1:,} of {count:,}, about {left} left", disabled=True, **_BUTTON)
    bar = place.progress(done / count)
    row.button("Cancel", on_click=measurements.stop, icon=":material/close:")

    def show(share: float, doing: str) -> None:
        bar.progress(min((done + share) / count, 1.0), doing)

    started = time.perf_counter()
    try:
        _keep(measurements, model, model_builds.build(model, show, moment=measurements.moment))
    except (MemoryError, RuntimeError, ValueError, OSError) as error:
        measurements.failures[model] = str(error) or type(error).__name__
    measurements.spent_seconds += time.perf_counter() - started
    measurements.expected_seconds += expected[0]
    st.rerun()


def _keep(measurements: _Measurements, model: Architecture, report: "ProbeReport") -> None:
    measurements.reports[model] = replace(report, run=measurements.run)
    while len(measurements.reports) > _MOST_KEPT:
        del measurements.reports[next(iter(measurements.reports))]


def _failure(model: Architecture, measurements: _Measurements) -> str:
    shape = f"{counted(model.n_layers, 'layer')} × d_model {model.d_model:,}, d_ff {model.d_ff:,}"
    return plain(f"The model of {shape} was not measured: {measurements.failures[model]}.")
