"""Metrics of a sweep: quantities of each design, and measurements of its model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from slimlm.core.architecture import Architecture
from slimlm.core.design import Design
from slimlm.core.shape_law import published_aspect_ratio
from slimlm.costs.quantities import COST_QUANTITIES
from slimlm.costs.quantity import DENSE_TERMS, NO_WINDOWS, Quantity, Workload, joined, setting_terms
from slimlm.costs.settings import CostSettings
from slimlm.costs.shape import ACTIVE_PARAMS, SHAPE_QUANTITIES
from slimlm.utils.formatting import SHORT_UNITS, Unit, shown
from slimlm.utils.text import some_of


class Measured(Protocol):
    """Measurements of a model; `slimlm.probing.probe.ProbeReport` has them."""

    @property
    def forward_seconds(self) -> float:
        """Duration of one forward pass."""

    @property
    def peak_bytes(self) -> int:
        """Largest memory while building and running the model."""

    @property
    def device(self) -> str:
        """Name of the device: "cpu", "mps", "cuda (NVIDIA H100)"."""

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third quartile of the timed passes."""

    @property
    def run(self) -> int:
        """Number of the run of measurements; times of different runs are not comparable."""

    @property
    def is_noisy(self) -> bool:
        """Whether the machine was too busy for the times to be trusted."""


Misses = tuple[float, float, float]
"""Relative misses of total, embedding ratio (or aspect ratio) and expansion."""

Reports = Mapping[Architecture, Measured]
"""Measurements by architecture."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A quantity of every design of a sweep, computed from the design or measured on its model."""

    key: str
    """Stable identifier: in links, in CSV and on the command line."""
    name: str
    """Display name."""
    unit: Unit
    better: Literal["less", "more"] | None = None
    """Which direction is better; None where neither is."""
    of_work: Callable[[Workload], float] | None = None
    """From the model under the default settings."""
    of_misses: Callable[[Misses], float] | None = None
    """From how far the design is from its targets."""
    of_design: Callable[[Design], float] | None = None
    of_report: Callable[[Measured], float] | None = None
    of_quartiles: Callable[[Measured], tuple[float, float]] | None = None
    """First and third quartile, where the metric is a median."""
    assumption: str = ""
    """What it counts."""

    @property
    def direction(self) -> str:
        """Which direction is better, in words; empty where neither is."""
        return {"less": "lower is better", "more": "higher is better", None: ""}[self.better]

    @property
    def measured(self) -> bool:
        """Whether the model has to be built for it."""
        return self.of_report is not None

    def write(self, value: float) -> str:
        """Write a value with its unit, short enough for a chart."""
        return SHORT_UNITS[self.unit](value)

    def quartiles(self, design: Design, reports: Reports) -> tuple[float, float] | None:
        """Return first and third quartile of a median; None where it is none or has not been measured."""
        report = reports.get(design.architecture) if reports else None
        return self.of_quartiles(report) if self.of_quartiles and report else None

    def text(self, value: float, quartiles: tuple[float, float] | None = None) -> str:
        """Write a value with half the distance between its quartiles: "93 ms ± 4"."""
        if not quartiles or quartiles[0] == quartiles[1]:
            return self.write(value)
        return f"{self.write(value)} ± {_like(value, (quartiles[1] - quartiles[0]) / 2)}"

    def value(self, design: Design, reports: Reports) -> float | None:
        """Return the value for a design; None where its model has not been measured."""
        if self.of_design:
            return self.of_design(design)
        if self.of_misses:
            return self.of_misses(_misses(design))
        if self.of_work:
            return self.of_work(Workload(design.account, SETTINGS))
        report = reports.get(design.architecture) if reports else None
        return self.of_report(report) if self.of_report and report else None


def _like(seconds: float, spread: float) -> str:
    """Write a spread of seconds as a plain number in the unit in which `format_seconds` writes a duration."""
    shown = 1000 * spread if seconds < 0.9995 else spread if seconds < 179.5 else spread / 60
    return f"{shown:.0f}" if shown >= 0.95 else f"{shown:.1g}"


SETTINGS = CostSettings()
"""Settings of every metric."""

_TERMS = setting_terms(SETTINGS, "max_seq_length") | {
    # What differs from design to design is said in general.
    "extrapolated": "extrapolated outside that range",
    "loops": "",
    "bound": "memory or compute",
    "hours": "the",
    **DENSE_TERMS,
    **NO_WINDOWS,
}


def _computed(quantity: Quantity) -> Metric:
    """Return the metric of a quantity under the default settings."""
    return Metric(
        key=quantity.key,
        name=quantity.name,
        unit=quantity.unit,
        better=quantity.better,
        of_work=quantity.of,
        assumption=joined(quantity.assumptions_under(_TERMS)),
    )


def _actual(key: str) -> Metric:
    """Return the metric of a quantity that is also a knob, named apart from the knob's target."""
    quantity = SHAPE_QUANTITIES[key]
    metric = _computed(quantity)
    return replace(metric, key=f"{key}_got", name=f"Actual {quantity.name[0].lower()}{quantity.name[1:]}")


def _misses(design: Design) -> Misses:
    total, shape, expansion = design.targets
    return total.miss, shape.miss, expansion.miss


def _worst_miss(misses: Misses) -> float:
    return max(map(abs, misses))


def _off_usual_shape(work: Workload) -> float:
    arch = work.account.architecture
    factor = arch.d_model / arch.n_layers / published_aspect_ratio(work.account.active_params)
    return max(factor, 1 / factor)


_ALL = (
    *(_computed(SHAPE_QUANTITIES[key]) for key in ("n_layers", "d_model", "d_ff", "aspect_ratio")),
    _actual("embedding_ratio"),
    _actual("glu_expansion"),
    Metric(
        key="worst_miss",
        name="Largest deviation from target",
        unit="worst_miss",
        better="less",
        of_misses=_worst_miss,
        assumption="the largest relative deviation of total, embedding ratio and expansion from their targets",
    ),
    replace(_actual("total_params"), key="total_params"),
    replace(_actual("non_embedding_params"), key="non_embedding_params", name="Non-embedding parameters"),
    replace(_computed(ACTIVE_PARAMS), name="Active parameters per token"),
    Metric(
        key="off_usual_shape",
        name="Factor off the usual shape",
        unit="real",
        better="less",
        of_work=_off_usual_shape,
        assumption="how many times larger or smaller d_model / layers is than in published models of the size "
        "(1: as in the law fitted to them)",
    ),
    *map(_computed, COST_QUANTITIES.values()),
    Metric(
        key="forward_seconds",
        name="Measured forward time",
        unit="seconds",
        better="less",
        of_report=lambda report: report.forward_seconds,
        of_quartiles=lambda report: report.quartiles,
        assumption="one float32 forward pass of at most 2 × 64 tokens, the median of at least 5 passes after a warm-up "
        "± half the distance of the quartiles",
    ),
    Metric(
        key="peak_bytes",
        name="Measured peak memory",
        unit="bytes",
        better="less",
        of_report=lambda report: report.peak_bytes,
        assumption="memory that building and running the model in float32 added to this process",
    ),
)

METRICS: dict[str, Metric] = {metric.key: metric for metric in _ALL}
"""Every metric by key, in the order of menus and CSV columns."""


def metric_of(key: str) -> Metric:
    """Return the metric with this key; raises ValueError for an unknown key."""
    if not isinstance(key, str) or key not in METRICS:
        known = some_of(METRICS, key if isinstance(key, str) else "")
        raise ValueError(f"{shown(key)} is not a metric: it must be one of {known}; n_layers would work")
    return METRICS[key]
