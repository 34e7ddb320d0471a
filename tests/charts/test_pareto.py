"""Pareto charts: frontier, labels and counts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.charts.pareto import Point, frontier, pareto_chart
from slimlm.core.config import ModelConfig
from slimlm.sweep import METRICS, Metric, sweep
from tests.figures import svg_of, texts_of
from tests.grids import groups, measured, pareto_of, specified, words_of


def metric(better: Any) -> Metric:
    return Metric(key="key", name="Name", unit="real", better=better, of_design=lambda design: 0.0)


coordinates = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25)
directions = st.sampled_from(["less", "more"])


@given(coordinates, directions, directions)
def test_the_frontier_is_what_no_other_point_beats(pairs: list[tuple[int, int]], x: str, y: str) -> None:
    points = [Point(place, *pair) for place, pair in enumerate(pairs)]

    def goodness(point: Point) -> tuple[float, float]:
        return (-point.x if x == "less" else point.x, -point.y if y == "less" else point.y)

    def beats(one: Point, other: Point) -> bool:
        a, b = goodness(one), goodness(other)
        return a != b and a[0] >= b[0] and a[1] >= b[1]

    unbeaten = {goodness(point) for point in points if not any(beats(other, point) for other in points)}
    kept = frontier(points, metric(x), metric(y))
    assert {goodness(point) for point in kept} == unbeaten
    assert len(kept) == len(unbeaten)
    assert kept == sorted(kept, key=lambda point: point.x)


@pytest.mark.parametrize(("x", "y"), [(None, "less"), ("less", None), (None, None)])
def test_without_a_better_direction_there_is_no_frontier(x: Any, y: Any) -> None:
    assert frontier([Point(0, 1, 1), Point(1, 2, 2)], metric(x), metric(y)) == []


def test_the_frontier_is_drawn_filled_labelled_and_counted() -> None:
    chart = pareto_of("specified")
    line, dots, names, *_ = (group["data"]["values"] for group in groups(chart))
    assert {row["i"] for row in line} == {row["i"] for row in dots if row.get("best")} == {1, 11}
    assert {row["name"] for row in names} == {"ratio 0.35 · GLU 2", "ratio 0.45 · GLU 4", "ratio 0.35 · GLU 2.66"}
    said = words_of(chart)
    assert said.startswith("Forward FLOPs per token against largest deviation from target of 12 designs Target: 10M")
    assert "Filled: 2 Pareto-optimal designs · circled: current design" in said
    assert "Labels: embedding ratio and GLU expansion" in said
    texts = [text.words for text in texts_of(svg_of(chart))]
    assert {
        "Forward FLOPs per token (lower is better)",
        "Largest deviation from target (lower is better)",
        "ratio 0.45 · GLU 4",
    } <= set(texts)


def test_metrics_without_a_better_direction_say_so() -> None:
    chart = pareto_of("specified", "n_layers", "worst_miss")
    assert "No Pareto frontier, because layers has no better direction" in words_of(chart)
    both = pareto_of("specified", "n_layers", "d_model")
    assert "No Pareto frontier, because layers and width (d_model) have no better direction" in words_of(both)
    assert groups(chart)[0]["data"]["values"] == []


def test_designs_that_are_not_measured_are_counted() -> None:
    found = specified()
    reports = measured(sweep(ModelConfig(), ("embedding_ratio", (0.35,)), ("glu_expansion", (2.66, 3.0))))
    chart = pareto_chart(found, METRICS["n_layers"], METRICS["forward_seconds"], reports)
    assert "not measured: 10" in words_of(chart)
    assert len(groups(chart)[1]["data"]["values"]) == 2
    nothing = pareto_chart(found, METRICS["n_layers"], METRICS["forward_seconds"])
    assert "Nothing measured yet" in words_of(nothing)


def test_a_large_pareto_chart_is_drawn_on_a_canvas_in_a_small_specification() -> None:
    written = pareto_of("large").to_dict()
    assert written["usermeta"]["embedOptions"]["renderer"] == "canvas"
    assert len(json.dumps(written)) < 140 * 3600
