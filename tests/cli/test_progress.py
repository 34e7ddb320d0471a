"""What long commands say of their progress on stderr."""

import io
import time
from itertools import pairwise

import pytest

from slimlm.cli.progress import shown_progress


class Terminal(io.StringIO):
    """A terminal in memory."""

    def isatty(self) -> bool:
        return True


def printed(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, calls: list[tuple[float, float, str]]) -> list[str]:
    """Return the lines that are printed of (seconds, share, message)."""
    now = 100.0
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    show = shown_progress()
    for seconds, fraction, message in calls:
        now = 100.0 + seconds
        show(fraction, message)
    return stderr.getvalue().splitlines()


def test_a_log_has_a_line_with_the_time_left_after_five_seconds_and_at_each_tenth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = [(float(second), second / 200, f"running, about {200 - second} s left") for second in range(1, 200)]
    lines = printed(monkeypatch, io.StringIO(), [*calls, (200.0, 1.0, "done")])
    assert lines[:3] == [
        "slimlm: 2 %, running, about 195 s left",
        "slimlm: 10 %, running, about 180 s left",
        "slimlm: 20 %, running, about 160 s left",
    ]
    assert len(lines) == 10


def test_a_log_of_short_work_is_empty_and_lines_are_ten_seconds_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    short = [(second / 10, second / 49, "running") for second in range(50)]
    assert printed(monkeypatch, io.StringIO(), short) == []
    half_a_minute = [(float(second), second / 30, f"{second} s left") for second in range(31)]
    lines = printed(monkeypatch, io.StringIO(), half_a_minute)
    assert [line.split(", ")[1] for line in lines] == ["5 s left", "15 s left", "25 s left"]


def test_a_log_waits_a_minute_for_a_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [(float(second), second / 1e4, "running") for second in range(100)]
    assert printed(monkeypatch, io.StringIO(), calls) == ["slimlm: 1 %, running"]
    told = [
        (float(second), second / 1e4, f"running{', about 3 h left' if second >= 20 else ''}") for second in range(100)
    ]
    assert printed(monkeypatch, io.StringIO(), told) == ["slimlm: 0 %, running, about 3 h left"]


def test_a_log_of_days_has_a_line_every_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    day = [(60.0 * minute, minute / 1440, f"minute {minute}") for minute in range(1, 1440)]
    lines = printed(monkeypatch, io.StringIO(), day)
    minutes = [int(line.rpartition(" ")[2]) for line in lines]
    assert max(later - sooner for sooner, later in pairwise(minutes)) == 10
    assert len(lines) < 160


def test_a_log_of_several_works_in_turn_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [
        (20.0 * number + second, second / 20, f"work {number}, 9 s left") for number in range(3) for second in range(20)
    ]
    assert len(printed(monkeypatch, io.StringIO(), calls)) == 6


def test_a_terminal_has_one_line_that_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Terminal()
    printed(monkeypatch, seen, [(0.1, 0.25, "running"), (0.2, 1.0, "done")])
    assert seen.getvalue() == f"\r 25 %  {'running':<72}\r100 %  {'done':<72}\n"


def test_only_the_first_of_several_processes_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert printed(monkeypatch, Terminal(), [(100.0, 0.5, "running")]) == []
