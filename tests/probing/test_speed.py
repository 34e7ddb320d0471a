"""The measured speed of a device: its figures, and how long a measurement is valid."""

from types import SimpleNamespace

import pytest
import torch

from slimlm.model.device import Precision
from slimlm.probing import speed
from slimlm.probing.speed import VALID_SECONDS, Speed, machine_speed, measure_speed

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
