"""A sweep as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence

from slimlm.serialization.fields import Value
from slimlm.sweep.evaluation import Progress
from slimlm.sweep.grid import Cell, Sweep
from slimlm.sweep.metrics import METRICS, Metric, Misses, Reports, metric_of

_DIMENSIONS = ("d_model", "d_ff", "n_layers", "n_heads", "head_dim")
_TOTAL = METRICS["total_params"]
_MISSES = ("total_miss", "ratio_miss", "expansion_miss")


def sweep_csv(
    sweep: Sweep,
    reports: Reports | None = None,
    metrics: Iterable[str] = METRICS,
    progress: Progress | None = None,
) -> str:
    """Return a sweep as CSV (RFC 4180), one cell per line: values, dimensions, misses, metrics, and remarks.

    The last two columns say why there is no design, and what is odd about its shape.

    Metrics are plain numbers; those not measured are empty. A measured one is followed by its quartiles and by the run
    in which it was measured: times of different runs are not comparable. `metrics` are keys of `METRICS`. `progress`
    is told of the cells whose metrics are computed.

    Raises ValueError for an unknown key.
    """
    # Dimensions and the total always have a column.
    asked_for = [metric_of(key) for key in metrics]
    chosen = [metric for metric in asked_for if metric.key not in (*_DIMENSIONS, _TOTAL.key)]
    sweep.prepare([_TOTAL, *asked_for], progress)  # all at once: who asks for one later finds it
    asked = (f"{sweep.x.name}_asked", f"{sweep.y.name}_asked")
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    names = [name for metric in chosen for name in _columns(metric)]
    writer.writerow((*asked, *_DIMENSIONS, _TOTAL.key, *_MISSES, *names, "reason", "oddity"))
    columns = [column for metric in chosen for column in _figures(sweep, metric, reports or {})]
    remarks = zip(sweep.reasons, sweep.oddities, strict=True)
    dimensions = map(_dimensions, sweep.cells, sweep.figures(_TOTAL))
    misses = map(_misses, sweep.cells, sweep.misses)
    for cell, shape, missed, *figures, remark in zip(sweep.cells, dimensions, misses, *columns, remarks, strict=True):
        writer.writerow((_plain(cell.x), _plain(cell.y), *shape, *missed, *figures, *remark))
    return text.getvalue()


def _columns(metric: Metric) -> list[str]:
    """Return the names of the columns of a metric."""
    quartiles = [f"{metric.key}_q1", f"{metric.key}_q3"] if metric.of_quartiles else []
    return [metric.key, *quartiles, *([f"{metric.key}_run"] if metric.measured else [])]


def _figures(sweep: Sweep, metric: Metric, reports: Reports) -> list[Sequence[float | None]]:
    """Return the columns of a metric, of every run."""
    if not metric.measured:
        return [sweep.figures(metric)]
    designs = [cell.design for cell in sweep.cells]
    known = [reports.get(design.architecture) if design and reports else None for design in designs]
    values = [metric.value(design, reports) if design else None for design in designs]
    quartiles = (
        [metric.of_quartiles(report) if report else (None, None) for report in known] if metric.of_quartiles else []
    )
    return [values, *zip(*quartiles, strict=True), [report.run if report else None for report in known]]


def _dimensions(cell: Cell, total: float | None) -> tuple[object, ...]:
    if cell.design is None:
        return ("",) * (len(_DIMENSIONS) + 1)
    arch = cell.design.architecture
    return arch.d_model, arch.d_ff, arch.n_layers, arch.n_heads, arch.head_width, total


def _misses(cell: Cell, misses: Misses | None) -> tuple[object, ...]:
    if cell.design is None or misses is None:
        return ("",) * len(_MISSES)
    if cell.design.shape_leads:  # a ratio that follows from the shape has no target
        return misses[0], "", misses[2]
    return misses


def _plain(value: Value) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
