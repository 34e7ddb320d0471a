"""Measured loss as a metric of the Sweep page, where a shipped study has trained the cells of a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slimlm.core.config import UNWRITTEN_FIELDS, ModelConfig
from slimlm.core.describe import counted
from slimlm.core.design import Design
from slimlm.ranking.result import Ranking
from slimlm.serialization.fields import Value
from slimlm.sweep.axis_values import parse_values
from slimlm.sweep.metrics import METRICS, Metric, Reports
from slimlm.ui.rank_library import StudyView, library
from slimlm.utils.formatting import format_count
from slimlm.utils.text import one_line

TRAINED = "measured_loss"
"""Key of the metric in links."""


@dataclass(frozen=True, kw_only=True)
class TrainedLoss(Metric):
    """Held-out loss of the models of a study, by the values of its two axes."""

    axes: tuple[str, str]
    losses: Mapping[tuple[Value, Value], tuple[float, float]] = field(repr=False)
    """Mean and half-width of each cell that is ranked."""
    verdict: str = ""
    """What the study says."""

    def value(self, design: Design, reports: Reports) -> float | None:
        """Return the mean loss at a design's targets; None where the study has not ranked them."""
        found = self._of(design)
        return found[0] if found else None

    def quartiles(self, design: Design, reports: Reports) -> tuple[float, float] | None:
        """Return the ends of the interval."""
        found = self._of(design)
        return (found[0] - found[1], found[0] + found[1]) if found else None

    def _of(self, design: Design) -> tuple[float, float] | None:
        x, y = (getattr(design.config, axis) for axis in self.axes)
        return self.losses.get((x, y))

    def write(self, value: float) -> str:
        """Write a loss."""
        return f"{value:.3f}"

    def text(self, value: float, quartiles: tuple[float, float] | None = None) -> str:
        """Write a loss with its half-width: "2.031 ± 0.020"."""
        return f"{value:.3f} ± {quartiles[1] - value:.3f}" if quartiles else self.write(value)


def trained_loss(config: ModelConfig, axes: Mapping[str, str]) -> TrainedLoss | None:
    """Return the metric for a sweep of two knobs, whose values are given as text; None where no study covers it.

    A shipped study covers a sweep of its own axes, total and vocabulary when it has a cell for each pair of values.
    Its models have the same targets, and may have other heads and norms.
    """
    try:
        values = {name: parse_values(name, text) for name, text in axes.items()}
    except ValueError:
        return None
    for name in sorted(library().shipped()):
        try:
            view = library().view(name)
        except ValueError:
            continue
        if _covers(view, config, values):
            return _metric(view)
    return None


def metrics_of(config: ModelConfig, axes: Mapping[str, str]) -> dict[str, Metric]:
    """Return the metrics of a sweep by key: those of every sweep, and the measured loss where there is one."""
    trained = trained_loss(config, axes)
    return METRICS | ({TRAINED: trained} if trained else {})


def _covers(view: StudyView, config: ModelConfig, values: Mapping[str, Sequence[Value]]) -> bool:
    request = view.study.request
    axes = {axis.name: axis.values for axis in (request.x, request.y)}
    if set(axes) != set(values) or not all(set(values[name]) <= set(axes[name]) for name in axes):
        return False
    held = {"total_params", "vocab_size", "embedding_ratio", "glu_expansion", *UNWRITTEN_FIELDS} - set(axes)
    return all(getattr(request.base, name) == getattr(config, name) for name in held)


def _metric(view: StudyView) -> TrainedLoss:
    ranking, request = view.ranking, view.study.request
    cells = [cell for cell in ranking.cells if cell.x is not None]
    return TrainedLoss(
        key=TRAINED,
        name=f"Measured loss ({one_line(ranking.unit, 30)})",
        unit="real",
        better="less",
        of_quartiles=lambda report: report.quartiles,
        assumption=_assumption(view, ranking),
        axes=(request.x.name, request.y.name),
        losses={(cell.x, cell.y): (cell.mean, cell.half_width or 0.0) for cell in cells if cell.mean is not None},
        verdict=ranking.verdict,
    )


def _assumption(view: StudyView, ranking: Ranking) -> str:
    request = view.study.request
    heads = f", heads of {request.head_dim}" if request.head_dim else ""
    return (
        f"held-out loss in the study {view.name}, {format_count(request.recipe.tokens)} tokens a run, mean of "
        f"{counted(ranking.seeds, 'seed')} ± half-width (cells differ where their intervals do not overlap); its "
        f"models have the same targets{heads}"
    )
