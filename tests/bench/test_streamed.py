"""The judge of the time left."""

import math

import pytest

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture
from tests.bench.streamed import HUNDRED, Told, beyond_rows, longest_silence, told_left, worst_error


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("running, about 9.5 s left", 9.5),
        ("running block 3, about 3 min left", 180.0),
        ("running, about 1.7 h left", 6120.0),
        ("running, about 3 days left", 259_200.0),
        ("running", math.inf),
    ],
)
def test_the_time_left_is_read_as_it_is_told(message: str, seconds: float) -> None:
    assert told_left(message) == seconds


def test_the_worst_error_is_that_of_any_report_from_the_first_tenth_on() -> None:
    def told(*lefts: float) -> list[Told]:
        reports = [Told(20.0 * (n + 1), 0.1 * (n + 1), f"x, about {left} s left") for n, left in enumerate(lefts)]
        return [Told(1.0, 0.0, "too early"), *reports, Told(200.0, 1.0, "done")]

    assert worst_error(told(180, 160, 140)) == 0
    assert worst_error(told(90, 160, 140)) == 0.5
    assert worst_error(told(180, 160, 210)) == 0.5
    assert worst_error([Told(20.0, 0.5, "says nothing"), Told(200.0, 1.0, "done")]) == math.inf
    assert worst_error([Told(199.0, 0.9, "x, about 2.0 s left"), Told(200.0, 1.0, "done")]) == 0.2


def test_the_longest_silence_counts_the_start() -> None:
    assert longest_silence([Told(3.0, 0.1, ""), Told(4.0, 0.2, ""), Told(6.0, 1.0, "")]) == 3


def test_the_dense_design_has_a_hundred_billion_parameters() -> None:
    assert count_total(HUNDRED) == pytest.approx(100e9, rel=1e-4)


def test_a_probe_in_a_process_of_its_own_gives_every_row() -> None:
    tiny = Architecture(vocab_size=256, max_seq_length=16, n_heads=2, d_model=16, d_ff=24, n_layers=2)
    rows = {row.what.partition(": ")[2]: row for row in beyond_rows("tiny", tiny)}
    assert rows["checks failed"].ours == 0
    assert rows["peak | estimate"].ours < 4e9
    assert rows["minutes per 100B"].ours == pytest.approx(rows["minutes"].ours * 1e11 / count_total(tiny))
    assert {"worst error of the time left", "longest silence | a block", "pass of a batch"} <= rows.keys()
