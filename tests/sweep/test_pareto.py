"""Pareto frontiers of sweeps."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.core.config import ModelConfig
from slimlm.sweep import METRICS, Metric, sweep
from slimlm.sweep.pareto import Point, frontier, points_of
from slimlm.ui.sweep_controls import Asked
from tests.grids import specified


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


def test_the_default_axes_trade_off_on_the_default_grid() -> None:
    asked = Asked()
    x, y, found = METRICS[asked.vs], METRICS[asked.fig], specified()
    best = frontier(points_of(found, x, y), x, y)
    assert len(best) >= 4
    assert found.in_use not in {point.place for point in best}


def test_a_model_of_several_cells_is_one_point_and_the_current_design_is_kept() -> None:
    found = sweep(ModelConfig(), ("embedding_ratio", (0.3499, 0.35, 0.3501)), ("tied_lm_head", (True,)))
    assert len({design.architecture for design in found.designs}) == 1
    metric = METRICS["forward_flops_per_token"]
    assert [point.place for point in points_of(found, metric, metric)] == [found.in_use] == [1]
