"""The figures that a sweep shows for each design: their names, how they are written, and which way is better."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from slimlm.core.architecture import Architecture
from slimlm.core.design import Design
from slimlm.costs.activations import training_memory
from slimlm.costs.compute import forward_flops
from slimlm.costs.memory import kv_cache_bytes_per_token, weight_bytes
from slimlm.costs.settings import CostSettings
from slimlm.utils.formatting import format_bytes, format_count, format_flops, format_seconds, format_share, shown

if TYPE_CHECKING:
    from slimlm.probing.probe import ProbeReport

Reports = Mapping[Architecture, "ProbeReport"]
"""What is known of real models."""


@dataclass(frozen=True)
class Metric:
    """One figure of a design, or of its real model."""

    key: str
    """Stable identifier: in links, in CSV and on the command line."""
    name: str
    """What people call it."""
    write: Callable[[float], str]
    """The value as people read it."""
    better: Literal["less", "more"] | None
    """Which way is better; None where neither is."""
    of_design: Callable[[Design], float] | None = None
    of_report: "Callable[[ProbeReport], float] | None" = None
    assumption: str = ""
    """What it counts."""

    @property
    def measured(self) -> bool:
        """Whether the real model has to be built for it."""
        return self.of_report is not None

    def value(self, design: Design, reports: Reports) -> float | None:
        """Return the figure of a design; None where its real model would have to be measured first."""
        if self.of_design:
            return self.of_design(design)
        report = reports.get(design.architecture)
        return self.of_report(report) if self.of_report and report else None


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 999.5 else f"{value:.3g}"


def _worst_miss(design: Design) -> float:
    return max(abs(knob.miss) for knob in design.targets)


def _flops(design: Design) -> float:
    return forward_flops(design.architecture, design.architecture.max_seq_length).flops_per_token


def _training_bytes(design: Design) -> float:
    arch = design.architecture
    return training_memory(arch, arch.max_seq_length, CostSettings().batch_size).total_bytes


_ALL = (
    Metric("n_layers", "Layers", _whole, None, lambda design: design.architecture.n_layers),
    Metric("d_model", "Width (d_model)", _whole, None, lambda design: design.architecture.d_model),
    Metric("d_ff", "Feed-forward width (d_ff)", _whole, None, lambda design: design.architecture.d_ff),
    Metric(
        "aspect_ratio",
        "Aspect ratio (d_model / layers)",
        _three_digits,
        None,
        lambda design: design.architecture.d_model / design.architecture.n_layers,
    ),
    Metric(
        "embedding_ratio_got",
        "Realised embedding ratio",
        format_share,
        None,
        lambda design: design.account.embedding_ratio,
    ),
    Metric(
        "glu_expansion_got", "Realised expansion", _three_digits, None, lambda design: design.architecture.glu_expansion
    ),
    Metric(
        "worst_miss",
        "Worst miss",
        lambda value: f"{100 * value:.2f} %",
        "less",
        _worst_miss,
        assumption="the largest of the misses of total, embedding ratio and expansion",
    ),
    Metric(
        "total_params",
        "Realised total",
        lambda value: format_count(round(value)),
        None,
        lambda d: d.total_params,
    ),
    Metric(
        "forward_flops_per_token",
        "FLOPs per token",
        format_flops,
        "less",
        _flops,
        assumption="one forward pass over max_seq_length tokens, attention's full square",
    ),
    Metric(
        "kv_cache_bytes_per_token",
        "KV cache per token",
        format_bytes,
        "less",
        lambda design: kv_cache_bytes_per_token(design.architecture),
        assumption="a key and a value in every layer, in bf16",
    ),
    Metric(
        "weights_bf16_bytes",
        "Weight memory",
        format_bytes,
        "less",
        lambda design: weight_bytes(design.architecture, "bf16"),
        assumption="every parameter once, in bf16",
    ),
    Metric(
        "training_memory_bytes",
        "Training memory",
        format_bytes,
        "less",
        _training_bytes,
        assumption=f"AdamW in mixed precision, {CostSettings().batch_size} sequences of max_seq_length tokens, "
        "attention's scores recomputed",
    ),
    Metric(
        "forward_seconds",
        "Measured forward time",
        format_seconds,
        "less",
        of_report=lambda report: report.forward_seconds,
        assumption="one pass of the real model in float32 on this machine's CPU, 2 × 64 tokens at most",
    ),
    Metric(
        "peak_bytes",
        "Measured peak memory",
        format_bytes,
        "less",
        of_report=lambda report: report.peak_bytes,
        assumption="what building and running the real model in float32 added to this process",
    ),
)

METRICS: dict[str, Metric] = {metric.key: metric for metric in _ALL}
"""Every figure by key, in the order in which they are offered."""


def metric_of(key: str) -> Metric:
    """Return the figure with this key; raises ValueError for a key that is none."""
    if not isinstance(key, str) or key not in METRICS:
        raise ValueError(f"{shown(key)} is no figure: it must be one of {', '.join(METRICS)}; n_layers would work")
    return METRICS[key]
