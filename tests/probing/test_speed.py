"""The measured speed of a device, and the timed passes of a model."""

from contextlib import nullcontext
from dataclasses import replace
from statistics import median
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from slimlm.model.device import Precision
from slimlm.probing import speed
from slimlm.probing.estimate import estimate_probe
from slimlm.probing.probe import probe
from slimlm.probing.speed import (
    TIMED_PASSES,
    VALID_SECONDS,
    OtherLoad,
    Speed,
    machine_speed,
    measure_speed,
    time_passes,
)
from slimlm.solver.solver import solve
from tests.grids import SMALL

CPU = torch.device("cpu")


def test_figures_are_plausible() -> None:
    found = measure_speed(CPU, "bfloat16")
    assert 1e-11 < found.per_weight < 1e-6
    assert 1e-14 < found.per_flop < 1e-7
    assert 1e-6 < found.per_layer_build < 1
    assert 1e-6 < found.per_layer_run < 1


def test_a_busy_moment_does_not_decide_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, idle = Speed(4e-8, 4e-11, 4e-3, 4e-3), Speed(1e-8, 1e-11, 1e-3, 1e-3)
    times, measured = (
        [1000.0, 999.0 + VALID_SECONDS, 1000.0 + VALID_SECONDS, 1001.0 + VALID_SECONDS],
        [busy, idle, busy],
    )
    clock = iter([*times, times[-1]])

    def measure(device: torch.device, precision: Precision) -> Speed:
        return measured.pop(0)

    monkeypatch.setattr(speed, "_measured", {})
    monkeypatch.setattr(speed, "measure_speed", measure)
    monkeypatch.setattr(speed, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert [machine_speed(CPU, "float32") for _ in times] == [busy, busy, idle, idle]
    assert machine_speed(CPU, "bfloat16") == busy  # each precision has a measurement of its own
    assert not measured


@pytest.mark.parametrize(("seconds", "count"), [(0.03, 5), (0.011, 10), (0.0, 50)])
def test_short_passes_are_timed_more_often(monkeypatch: pytest.MonkeyPatch, seconds: float, count: int) -> None:
    class Clock:
        def __init__(self, device: torch.device) -> None:
            self.seconds = seconds

        def running(self) -> Any:
            return nullcontext()

    monkeypatch.setattr(speed, "Clock", Clock)
    seen: list[int] = []
    assert time_passes(lambda: None, CPU, seen.append) == [seconds] * count
    assert seen == list(range(1, count + 1))


def test_timing_is_cancelled_after_a_pass() -> None:
    runs = []

    def on_pass(number: int) -> None:
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        time_passes(lambda: runs.append(1), CPU, on_pass)
    assert len(runs) == 2


def test_the_load_of_other_processes_leaves_out_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([(10.0, 100.0, 7.0), (12.0, 103.0, 8.0)])

    def now() -> tuple[float, float]:
        clock, machine, own = next(times)
        return clock, machine - own

    monkeypatch.setattr(OtherLoad, "_now", staticmethod(now))
    monkeypatch.setattr("psutil.cpu_count", lambda: 4)
    with OtherLoad() as load:
        assert load.share() == 2 / 2 / 4


def test_a_timed_probe_reports_median_quartiles_and_every_pass() -> None:
    architecture = solve(SMALL).architecture
    steps: list[str] = []
    report = probe(architecture, timed=True, progress=lambda share, doing: steps.append(doing))
    assert len(report.pass_seconds) >= TIMED_PASSES
    assert report.forward_seconds == median(report.pass_seconds)
    first, third = report.quartiles
    assert min(report.pass_seconds) <= first <= report.forward_seconds <= third <= max(report.pass_seconds)
    assert any(step.startswith("timing pass") for step in steps)
    once = probe(architecture)
    assert once.pass_seconds == () and once.quartiles == (once.forward_seconds, once.forward_seconds)


def test_times_of_a_busy_machine_or_of_unequal_passes_are_noisy() -> None:
    report = replace(probe(solve(SMALL)), forward_seconds=0.1, pass_seconds=(0.1,) * 5, other_load=0.1)
    assert not report.is_noisy
    assert replace(report, other_load=0.3).is_noisy
    assert replace(report, pass_seconds=(0.05, 0.06, 0.1, 0.14, 0.15)).is_noisy


def test_an_estimate_counts_the_timed_passes() -> None:
    architecture = solve(SMALL).architecture
    once, timed = estimate_probe(architecture), estimate_probe(architecture, timed=True)
    assert timed.run_seconds == pytest.approx(once.run_seconds * (2 + TIMED_PASSES) / 2)
    assert timed.build_seconds == once.build_seconds
