"""Progress reports: how often they are forwarded, and the remaining time."""

import time

import pytest

from slimlm.utils.progress import Reporter


def test_it_reports_ten_times_a_second_at_each_new_kind_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[float, str]] = []
    now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    report = Reporter(lambda *call: calls.append(call))
    for seconds, fraction, kind in [
        (0.0, 0.001, "initialising"),
        (0.05, 0.002, "initialising"),
        (0.06, 0.003, "running"),
        (0.20, 0.05, "running"),
        (4.00, 0.25, "running"),
        (9.00, 0.9, "running"),
        (9.01, 0.95, "running"),
        (9.02, 1.0, "running"),
    ]:
        now = 100.0 + seconds
        report(fraction, kind, ": block 1")
    assert calls == [
        (0.001, "initialising: block 1"),
        (0.003, "running: block 1"),
        (0.05, "running: block 1"),
        (0.25, "running: block 1, about 12 s left"),
        (0.9, "running: block 1, about 1.0 s left"),
        (1.0, "running: block 1"),
    ]


def test_no_listener_is_needed() -> None:
    Reporter(None)(0.5, "initialising")
