"""The training curve: what of a run it shows, in both colour schemes, without overlaps."""

import math
from pathlib import Path
from typing import Any

import altair as alt
import pytest

from slimlm.charts.run_curve import RunCurve, run_curve, smoothed
from slimlm.charts.training_curve import training_curve_chart
from slimlm.runs.record import RunRecord
from tests.figures import assert_well_set, rows_of, svg_of, texts_of, words_of


def curve(name: str = "run", entropy: float | None = None, **changes: Any) -> RunCurve:
    steps = range(1, 41)
    points = [(1000 * step, 4.2 + 2.5 * math.exp(-step / 8) + 0.02 * math.sin(9 * step)) for step in steps]
    heldout = [(1000 * step, 4.25 + 2.5 * math.exp(-step / 8)) for step in steps if step % 8 == 0]
    rates = [(1000 * step, 2e-3 * min(1, step / 6)) for step in steps]
    return RunCurve(name, points, heldout, rates, entropy, (2.25, "byte"), None)._replace(**changes)


def record(**result: Any) -> RunRecord:
    rows: list[dict[str, Any]] = [
        {"step": step, "tokens": 10 * step, "loss": 5.0 - step, "learning_rate": 0.1} for step in (1, 2, 3)
    ]
    rows[1]["evaluation"] = {"validation.nats_per_token": 3.5, "validation.bits_per_byte": 1.5, "blimp.accuracy": 0.5}
    rows.append({"step": 4, "tokens": 40, "loss": None, "learning_rate": 0.1})  # what JSON has for NaN
    run = {"architecture": {"vocab_size": 512}, "data": {"unit": "byte", "entropy": None}}
    return RunRecord(Path("runs/mine"), run, rows, [], result or None)


def test_the_curve_of_a_record_is_its_finite_losses_and_first_split() -> None:
    assert run_curve(record()) == RunCurve(
        "mine",
        [(10, 4.0), (20, 3.0), (30, 2.0)],
        [(20, 3.5)],
        [(10, 0.1), (20, 0.1), (30, 0.1)],
        None,
        (1.5, "byte"),
        None,
        math.log(512),
    )
    assert run_curve(record(status="diverged", step=4), "other")[0:7:6] == ("other", 4)


def test_one_run_has_a_colour_for_each_loss_and_its_figures_in_words() -> None:
    chart = training_curve_chart([curve("1M parameters", entropy=4.1)])
    alt.LayerChart.from_dict(chart.to_dict())  # validates against the schema of Vega-Lite
    assert "Loss of 1M parameters At the end: held-out loss 4.267 nats per token = 2.250 bits per byte" in words_of(
        chart
    )
    groups = {index: rows_of(chart, index) for index in range(5)}
    assert groups[2] == [{"loss": 4.1, "name": "entropy of the source: 4.100"}]
    assert {(row["series"], row["colour"]) for row in groups[3]} == {("training", False), ("held-out", True)}
    assert [row["name"].split()[0] for row in groups[4]] == ["held-out", "training"]
    peak = max(row["level"] for row in groups[0])
    assert all(row["base"] < row["level"] <= peak for row in groups[0])


def test_several_runs_have_a_colour_each_and_their_names_stay_apart() -> None:
    chart = training_curve_chart([curve(f"run {number}") for number in range(4)])
    names = rows_of(chart, 4)
    assert [row["name"] for row in names] == [f"run {number} 4.267" for number in range(4)]
    assert len({row["colour"] for row in names}) == 4
    assert words_of(chart).startswith("Loss of 4 runs ")
    assert_well_set(svg_of(chart))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [480, 960])
def test_no_text_is_cut_off_or_covered(dark: bool, width: int) -> None:
    svg = svg_of(training_curve_chart([curve("known entropy", entropy=4.18)]), dark=dark, width=width)
    assert_well_set(svg)
    words = {text.words for text in texts_of(svg)}
    assert {"loss (nats per token)", "training tokens", "20k", "learning rate, at most 0.002"} <= words
    assert any(name.startswith("training 4.2") for name in words) == (width == 960)


def test_a_diverged_run_is_cut_above_its_first_loss_and_says_where() -> None:
    points = [(1000, 7.0), (2000, 6.0), (3000, 900.0)]
    chart = training_curve_chart([curve(points=points, heldout=[], bits=None, diverged=3)])
    params = {param["name"]: param["value"] for param in chart.to_dict()["params"]}
    assert params["loss_ends"][1] < 7.7
    assert [row["name"] for row in rows_of(chart, 4)] == ["diverged at step 3"]
    assert "At the end" not in words_of(chart)


def test_an_untrained_loss_far_above_guessing_is_said_instead_of_shown() -> None:
    chart = training_curve_chart([curve(points=[(1000, 12.3), (2000, 5.0)], guessing=6.0)])
    assert "The untrained loss of 12.300 lies above the plot" in words_of(chart)
    assert "lies above" not in words_of(training_curve_chart([curve(guessing=6.5)]))


def test_a_run_without_a_step_is_refused() -> None:
    with pytest.raises(ValueError, match=r"runs=\['run'\] have no loss yet: at least one logged step would work"):
        training_curve_chart([curve(points=[])])


def test_the_moving_average_keeps_a_line_in_place_and_shrinks_noise() -> None:
    line = [5 - 0.01 * step for step in range(200)]
    noisy = [loss + (-1) ** step for step, loss in enumerate(line)]
    assert smoothed(line)[20:180] == pytest.approx(line[20:180])
    assert max(abs(a - b) for a, b in zip(smoothed(noisy)[20:], line[20:], strict=True)) < 0.2
