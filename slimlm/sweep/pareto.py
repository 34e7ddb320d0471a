"""Pareto frontiers of a sweep: the designs that no other beats in two metrics."""

from collections.abc import Sequence
from typing import NamedTuple

from slimlm.core.architecture import Architecture
from slimlm.sweep.grid import Sweep
from slimlm.sweep.metrics import Metric, Reports


class Point(NamedTuple):
    """The two metrics of a design."""

    place: int
    """Its index among the sweep's cells."""
    x: float
    y: float


def points_of(sweep: Sweep, x: Metric, y: Metric, reports: Reports | None = None) -> list[Point]:
    """Return the distinct designs for which both metrics are known.

    Cells with the same model are one point: the current design if it is among them, else the first.
    """
    values = zip(sweep.figures(x, reports), sweep.figures(y, reports), strict=True)
    known = [
        Point(place, across, up) for place, (across, up) in enumerate(values) if across is not None and up is not None
    ]
    known.sort(key=lambda point: point.place != sweep.in_use)
    distinct: dict[Architecture | None, Point] = {}
    for point in known:
        design = sweep.cells[point.place].design
        distinct.setdefault(design.architecture if design else None, point)
    return sorted(distinct.values())


def best_points(sweep: Sweep, points: Sequence[Point], x: Metric, y: Metric) -> list[Point]:
    """Return the Pareto-optimal points among the designs of an ordinary shape."""
    return frontier([point for point in points if not sweep.oddities[point.place]], x, y)


def frontier(points: Sequence[Point], x: Metric, y: Metric) -> list[Point]:
    """Return the Pareto-optimal points in the order of x.

    A point is Pareto-optimal if no other dominates it: is as good in both metrics and better in one. Duplicates do not
    dominate each other; the first is kept. There is no frontier where a metric has no better direction.
    """
    if x.better is None or y.better is None:
        return []
    toward_x, toward_y = (1 if metric.better == "less" else -1 for metric in (x, y))
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (toward_x * point.x, toward_y * point.y, point.place)):
        if not kept or toward_y * point.y < toward_y * kept[-1].y:
            kept.append(point)
    return sorted(kept, key=lambda point: point.x)
