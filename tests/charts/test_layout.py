"""Ticks, interpolation between values and label placement."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.charts.layout import interpolated_index, label_alignments, log_ticks, round_ticks


@given(st.floats(0.001, 1e9), st.floats(1.01, 1e6), st.integers(2, 12))
def test_round_ticks_lie_within_the_axis_evenly_and_are_few(low: float, factor: float, most: int) -> None:
    high = low * factor
    ticks = round_ticks(low, high, most)
    assert 1 <= len(ticks) <= most
    assert all(low * (1 - 1e-9) <= tick <= high * (1 + 1e-9) for tick in ticks)
    steps = np.diff(ticks)
    assert len(steps) == 0 or np.allclose(steps, steps[0], rtol=1e-6)
    logarithmic = log_ticks(low, high, most)
    assert 1 <= len(logarithmic) <= most
    assert logarithmic == sorted(logarithmic)
    assert all(low * (1 - 1e-9) <= tick <= high * (1 + 1e-9) for tick in logarithmic)


def test_an_axis_of_one_value_has_one_tick() -> None:
    assert round_ticks(3.0, 3.0, 5) == [3.0]


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30, unique=True), st.floats(0, 1))
def test_a_value_lies_between_its_neighbours(values: list[float], share: float) -> None:
    ascending = sorted(values)
    value = ascending[0] + share * (ascending[-1] - ascending[0])
    assert np.interp(interpolated_index(value, ascending), range(len(ascending)), ascending) == pytest.approx(
        value, abs=1e-6
    )


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 300)), max_size=20))
def test_labels_cover_neither_each_other_nor_a_point(points: list[tuple[int, int]]) -> None:
    sides = label_alignments(points, [70.0] * len(points), 600)
    boxes = []
    for (x, y), side in zip(points, sides, strict=True):
        if side:
            start = x + 12 if side == "left" else x - 82
            assert start > 0 and start + 70 < 600
            boxes.append((start, start + 70, y - 16, y))
    for one, other in itertools.combinations(boxes, 2):
        assert one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] or other[3] <= one[2]
    for (left, right, top, bottom), (x, y) in itertools.product(boxes, points):
        assert not (left < x < right and top < y < bottom)


def test_the_first_points_are_always_labelled_inside_the_figure() -> None:
    crowd = [(100.0, 100.0), (150.0, 95.0), (60.0, 95.0)]
    assert label_alignments(crowd, [60, 40, 40], 400)[0] == ""
    assert label_alignments(crowd, [60, 40, 40], 400, always=1)[0] == "left"
    assert label_alignments([(390.0, 100.0), (340.0, 95.0)], [60, 40], 400, always=1)[0] == "right"
