"""Progress reports: how often they are forwarded, and the remaining time."""

import time

import pytest

from slimlm.utils.progress import Recent, Reporter


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
        (0.25, "running: block 1, about 14 s left"),  # a fifth since 0.2 s
        (0.9, "running: block 1, about 1.0 s left"),
        (1.0, "running: block 1"),
    ]


def test_no_listener_is_needed() -> None:
    Reporter(None)(0.5, "initialising")


def said(monkeypatch: pytest.MonkeyPatch, times: list[tuple[float, float]]) -> list[str]:
    """Return what is said of the time left, at (seconds, share done)."""
    now, told = 0.0, list[str]()
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    report = Reporter(lambda _, message: told.append(message.partition(", ")[2]))
    for now, fraction in times:  # noqa: B007  (the clock reads it)
        report(fraction, "training")
    return told


def test_a_change_of_speed_is_told_right_once_as_much_time_again_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = [(float(second), second / 200) for second in range(101)]  # 200 s in all, then half as fast
    slow = [(100.0 + second, 0.5 + second / 600) for second in range(1, 301)]
    told = said(monkeypatch, fast + slow)
    assert told[50] == "about 150 s left"
    assert told[100] == "about 100 s left"
    assert told[230] == "about 170 s left"
    assert told[320] == "about 80 s left"


def test_work_that_stands_still_falls_back_on_the_whole_time(monkeypatch: pytest.MonkeyPatch) -> None:
    told = said(monkeypatch, [(0.0, 0.0), (10.0, 0.5), *((float(second), 0.5) for second in range(11, 61))])
    assert told[-1] == "about 60 s left"


def test_a_first_part_that_was_done_before_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    told = said(monkeypatch, [(float(second), 0.6 + second / 1000) for second in range(101)])
    assert told[100] == "about 5 min left"


def test_few_measurements_are_kept() -> None:
    recent = Recent(0.0)
    for number in range(20_000):
        seconds, (done,) = recent.since(number / 10, number / 20_000)
        assert seconds == pytest.approx(number / 20, abs=number / 200 + 0.2)
        assert done == pytest.approx(number / 40_000, abs=number / 400_000 + 5e-5)
    assert len(recent._samples) < 150


def test_work_that_knows_the_time_left_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = 0.0, list[str]()
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    report = Reporter(lambda _, message: told.append(message))
    now = 10.0
    report(0.5, "running", left=70.0)
    report(1.0, "running", left=0.0)
    assert told == ["running, about 70 s left", "running"]
