"""Learning rate charts: interval, mean, parabola and what diverged."""

import math

import altair as alt
import pytest

from slimlm.charts.lr_range import RangeLine, lr_range_chart, lr_sweep_chart, mean_line
from tests.figures import assert_well_set, rows_of, svg_of, texts_of, words_of

RATES = [1e-5 * 10 ** (step / 8) for step in range(41)]


def line(seed: int, reached: int = 41) -> RangeLine:
    losses = [7 - min(1.5, 100 * rate) + max(0, rate - 0.05) * 30 + 0.01 * seed for rate in RATES[:reached]]
    return RangeLine(seed, RATES[:reached], losses)


def test_the_range_test_shows_seeds_their_mean_and_the_interval() -> None:
    lines = [line(0), line(2, reached=30)]
    chart = lr_range_chart(lines, 1.2e-3, 1.6e-2, has_edge=True, subject="1M parameters on prose")
    alt.LayerChart.from_dict(chart.to_dict())
    assert rows_of(chart, 0) == [{"low": 1.2e-3, "high": 1.6e-2, "name": "0.0012 to 0.016"}]
    assert len(rows_of(chart, 1)) == 71
    mean = mean_line(lines)
    assert len(mean) == 30
    assert mean[3]["loss"] == pytest.approx(lines[0].smoothed[3] + 0.01)
    assert "start between 0.0012 and 0.016; its upper end is a third of the rate at which a seed" in words_of(chart)


def test_losses_that_are_not_finite_are_left_out() -> None:
    lost = RangeLine(1, RATES[:3], [7.0, 6.9, math.nan])
    chart = lr_range_chart([line(0), lost], 1e-3, 1e-2, has_edge=False, subject="it")
    assert len(rows_of(chart, 1)) == 43 and len(mean_line([line(0), lost])) == 2
    assert "no seed diverged" in words_of(chart)
    with pytest.raises(ValueError, match="the range test has no finite loss: lower learning rates would work"):
        lr_range_chart([RangeLine(0, [1.0], [math.inf])], 0.1, 1, has_edge=True, subject="it")


def test_the_sweep_shows_runs_the_parabola_and_its_minimum() -> None:
    x = math.log2(0.002)
    losses = {0.001: (4.2,), 0.002: (4.1,), 0.004: (4.2,), 0.008: (math.inf,)}
    parabola = (0.1, -0.2 * x, 4.1 + 0.1 * x * x)
    chart = lr_sweep_chart(losses, 0.002, parabola, verdict="the best learning rate is 0.002", subject="it")
    alt.LayerChart.from_dict(chart.to_dict())
    curve, (mark,), runs = (rows_of(chart, group) for group in range(3))
    assert (curve[0]["rate"], curve[-1]["rate"]) == pytest.approx((0.001, 0.004))
    assert [curve[0]["loss"], min(row["loss"] for row in curve)] == pytest.approx([4.2, 4.1])
    assert mark == {"rate": 0.002, "name": "0.002"}
    assert [row["diverged"] for row in runs] == [False, False, False, True]
    assert "The best learning rate is 0.002 Circles: final held-out loss of whole runs · crosses: div" in words_of(
        chart
    )


def test_a_sweep_that_is_not_bracketed_has_no_parabola() -> None:
    verdict = "not bracketed: the best learning rate, 0.001, is the lowest that was tried"
    chart = lr_sweep_chart({0.001: (4.1, 4.2), 0.002: (4.2, 4.3)}, None, None, verdict=verdict, subject="it")
    assert [len(rows_of(chart, group)) for group in range(3)] == [0, 0, 4]
    assert f"N{verdict[1:]}" in words_of(chart) and "Line: parabola" not in words_of(chart)
    with pytest.raises(ValueError, match="every run of the sweep diverged: lower learning rates would work"):
        lr_sweep_chart({0.1: (math.inf,)}, None, None, verdict="", subject="it")


@pytest.mark.parametrize("dark", [False, True])
def test_no_text_is_cut_off_or_covered(dark: bool) -> None:
    chart = lr_range_chart([line(0), line(1)], 1.2e-3, 1.6e-2, has_edge=True, subject="1M parameters on prose")
    svg = svg_of(chart, dark=dark)
    assert_well_set(svg)
    assert {"0.0012 to 0.016", "0.001", "learning rate (log scale)", "6.5"} <= {text.words for text in texts_of(svg)}
