"""The held-out losses of a study's runs by training tokens: of each cell, and of each run under way."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from slimlm.charts.study_text import lowest_of
from slimlm.ranking.result import CellResult, Ranking
from slimlm.study.outcome import VALIDATION, Outcome
from slimlm.study.schedule import Schedule
from slimlm.study.study import Study

_SHOWN_FROM = 0.25
"""Part of the run from which losses set the scale: earlier ones are several times higher."""


class LossCurve(NamedTuple):
    """The held-out losses of a cell: tokens, and mean, lowest and highest loss over the seeds."""

    place: int
    cell: CellResult
    points: Sequence[tuple[int, float, float, float]]
    seeds: int
    under_way: bool = False
    """Whether this is one run that is not over, instead of the mean of those that are."""

    @property
    def end(self) -> float:
        """The last mean."""
        return self.points[-1][1]


def curves_of(study: Study, outcomes: Mapping[str, Outcome], ranking: Ranking) -> list[LossCurve]:
    """Return the curve of each cell that has runs of the ranking that are over."""
    runs = Schedule(study, outcomes).runs("ranking")
    figure_name = f"{VALIDATION}.bits_per_{study.unit}"
    found = []
    for place, cell in enumerate(ranking.cells):
        done = [outcomes[spec.key] for spec in runs.get(cell.key, ()) if spec.key in outcomes]
        by_seed = [dict(_losses(outcome, figure_name)) for outcome in done if not outcome.diverged]
        by_seed = [losses for losses in by_seed if losses]
        if not by_seed:
            continue
        shared = sorted(set.intersection(*map(set, by_seed)))
        points = [_point(at, [losses[at] for losses in by_seed]) for at in shared]
        if points:
            found.append(LossCurve(place, cell, points, len(by_seed)))
    return found


def curves_under_way(
    study: Study,
    outcomes: Mapping[str, Outcome],
    ranking: Ranking,
    under_way: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Iterator[LossCurve]:
    """Yield the curves of the ranking's runs that are not over and have been scored."""
    runs = Schedule(study, outcomes).runs("ranking") if under_way else {}
    figure_name = f"{VALIDATION}.bits_per_{study.unit}"
    for place, cell in enumerate(ranking.cells):
        for spec in runs.get(cell.key, ()):
            points = [_point(at, [loss]) for at, loss in _scored(under_way.get(spec.key, ()), figure_name)]
            if points:
                yield LossCurve(place, cell, points, 1, under_way=True)


def _scored(rows: Sequence[Mapping[str, Any]], name: str) -> Iterator[tuple[int, float]]:
    for row in rows:
        loss = row.get("evaluation", {}).get(name)
        if isinstance(loss, int | float) and math.isfinite(loss):
            yield int(row["tokens"]), float(loss)


def _losses(outcome: Outcome, name: str) -> Iterator[tuple[int, float]]:
    """Yield the losses of a run during training; those of the whole held-out text at its end only if there are none.

    A part of the text may be scored during training, and its loss cannot be compared with that of the whole.
    """
    found = list(_scored(outcome.metrics, name))
    yield from found
    if not found and name in outcome.evaluation and math.isfinite(outcome.evaluation[name]):
        yield outcome.tokens, outcome.evaluation[name]


def _point(at: int, losses: Sequence[float]) -> tuple[int, float, float, float]:
    return at, sum(losses) / len(losses), min(losses), max(losses)


def limits_of(curves: Sequence[LossCurve], tokens: int) -> tuple[float, float]:
    """Return the ends of the axis of losses; losses of the first quarter of a run may lie above it."""
    low = min(point[2] for curve in curves for point in curve.points)
    late = [point[3] for curve in curves for point in curve.points if point[0] >= _SHOWN_FROM * tokens]
    high = max(late, default=max(point[3] for curve in curves for point in curve.points))
    room = 0.04 * max(high - low, 0.01)
    return low - room, high + room


def roles_of(curves: Sequence[LossCurve], ranking: Ranking) -> dict[int, str]:
    """Return "best", "worst" or "other" by the place of a cell."""
    ordered = sorted(curves, key=lambda curve: curve.end)
    if not ordered:
        return {}
    lowest = lowest_of(ranking)
    best = next((curve for curve in ordered if curve.cell is lowest), ordered[0])
    roles = dict.fromkeys((curve.place for curve in curves), "other")
    if ordered[-1] is not best:
        roles[ordered[-1].place] = "worst"
    return roles | {best.place: "best"}
