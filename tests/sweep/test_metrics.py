"""Metrics of sweeps: values, units, explanations and measurements."""

from dataclasses import dataclass, replace

import pytest

from slimlm.core.config import ModelConfig
from slimlm.core.shape_law import published_aspect_ratio
from slimlm.costs import costs
from slimlm.probing.probe import probe
from slimlm.solver.solver import solve
from slimlm.sweep import METRICS, metric_of
from slimlm.sweep.metrics import Reports
from tests.grids import specified, specified_with


def test_figures_are_those_of_the_designs() -> None:
    found = specified()
    one = found.cells[4].design
    assert one
    figures = {key: found.figures(metric)[4] for key, metric in METRICS.items()}
    assert (figures["n_layers"], figures["d_model"], figures["d_ff"]) == (12, 216, 544)
    assert figures["aspect_ratio"] == 18
    assert figures["total_params"] == 10_047_024
    assert figures["worst_miss"] == pytest.approx(1 - 544 / 216 / 2.66)
    # 2 for each weight of a product, and 4 · layers · width · tokens for attention's square.
    weights = 12 * (4 * 216**2 + 3 * 216 * 544) + 16_000 * 216
    assert figures["forward_flops_per_token"] == 2 * weights + 4 * 12 * 216 * 512
    assert figures["kv_cache_bytes_per_token"] == 2 * 2 * 12 * 216
    assert figures["weights_bf16_bytes"] == 2 * 10_047_024
    training = figures["training_memory_bytes"]
    assert training and training > 16 * 10_047_024
    assert figures["forward_seconds"] is figures["peak_bytes"] is None


@pytest.mark.parametrize("key", METRICS)
def test_every_figure_is_written_with_its_unit_and_says_which_way_is_better(key: str) -> None:
    metric = METRICS[key]
    found = specified()
    values = [metric.write(value) for value in found.figures(metric) if value is not None]
    assert metric.measured or len(values) == 12
    alike = ("weights_bf16_bytes", "logits_bytes", "training_usd")
    assert len(set(values)) > 1 or metric.measured or key in alike
    assert metric.better in ("less", "more", None)
    assert metric_of(key) is metric


def test_an_unknown_figure_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^'beauty' is not a metric: it must be one of n_layers, .*; n_layers would work$"
    ):
        metric_of("beauty")


def test_measured_figures_come_from_reports_and_only_where_there_is_one() -> None:
    found = specified_with(None)
    first = found.designs[0].architecture
    reports: Reports = {first: probe(first)}
    seconds = found.figures(METRICS["forward_seconds"], reports)
    assert seconds[0] == reports[first].forward_seconds
    assert all(value is None for value in seconds[1:])
    assert found.figures(METRICS["forward_seconds"])[0] is None
    assert found.figures(METRICS["peak_bytes"], reports)[0] == reports[first].peak_bytes


@dataclass(frozen=True)
class FakeReport:
    forward_seconds: float
    peak_bytes: int
    device: str
    quartiles: tuple[float, float] = (0.01, 0.01)
    run: int = 0
    is_noisy: bool = False


def test_a_measured_figure_names_the_device_that_it_was_measured_on() -> None:
    found = specified()
    time, memory, flops = (METRICS[key] for key in ("forward_seconds", "peak_bytes", "forward_flops_per_token"))
    first, second = found.designs[:2]
    reports = {first.architecture: FakeReport(0.01, 10**6, "cuda (NVIDIA H100)")}
    assert found.explanation(time, reports) == f"{time.assumption}, on cuda (NVIDIA H100)"
    assert found.explanation(memory, reports).endswith(" to this process, on cuda (NVIDIA H100)")
    reports[second.architecture] = FakeReport(0.02, 10**6, "cpu")
    assert found.explanation(time, reports).endswith(", on cpu and cuda (NVIDIA H100)")
    reports[second.architecture] = FakeReport(0.02, 10**6, "cpu", is_noisy=True)
    assert found.explanation(time, reports).endswith("; the machine was busy: compare with care")
    other = {replace(first.architecture, n_layers=1): FakeReport(0.01, 10**6, "mps")}
    assert found.explanation(time, other) == found.explanation(time) == time.assumption
    assert found.explanation(flops, reports) == flops.assumption
    assert not any(word in metric.assumption for metric in METRICS.values() for word in ("CPU", "cpu"))


@pytest.mark.parametrize(
    ("seconds", "quartiles", "text"),
    [
        (0.093, (0.089, 0.097), "93 ms ± 4"),
        (0.0021, (0.0020, 0.0022), "2 ms ± 0.1"),
        (2.5, (2.4, 2.6), "2.5 s ± 0.1"),
        (600.0, (570.0, 630.0), "10 min ± 0.5"),
        (0.093, (0.093, 0.093), "93 ms"),
    ],
)
def test_a_median_is_written_with_its_spread(seconds: float, quartiles: tuple[float, float], text: str) -> None:
    found, metric = specified(), METRICS["forward_seconds"]
    reports = {found.designs[0].architecture: FakeReport(seconds, 10**6, "cpu", quartiles)}
    assert found.text(0, metric, reports) == text
    assert found.text(1, metric, reports) == ""
    assert found.text(0, METRICS["peak_bytes"], reports) == "1.00 MB"


def test_only_measurements_of_the_latest_run_are_compared() -> None:
    found, metric = specified(), METRICS["forward_seconds"]
    first, second, third = (design.architecture for design in found.designs[:3])
    reports = {first: FakeReport(0.01, 1, "cpu", run=1), second: FakeReport(0.02, 1, "cpu", run=2)}
    assert found.figures(metric, reports)[:3] == (None, 0.02, None)
    assert (list(found.latest(reports)), list(found.earlier(reports))) == ([second], [first])
    reports[first] = FakeReport(0.03, 1, "cpu", run=2)
    assert found.figures(metric, reports)[:3] == (0.03, 0.02, None)
    other = {replace(third, n_layers=1): FakeReport(0.01, 1, "cpu", run=7)}
    assert found.figures(metric, reports | other)[:3] == (0.03, 0.02, None)


def test_a_metric_of_a_quantity_takes_name_unit_and_explanation_from_it() -> None:
    design = solve(ModelConfig())
    rows = {row.key: row for row in costs(design.account)}
    assert rows.keys() <= METRICS.keys()
    general = {
        "max_seq_length": "512",
        "; extrapolated outside that range": "",
        "memory or compute": "memory",
        "the hours": "0.0 hours",
    }
    for key, row in rows.items():
        assert METRICS[key].name == row.name
        assert METRICS[key].value(design, {}) == row.value
        assumption = METRICS[key].assumption
        for words, of_design in general.items():
            assumption = assumption.replace(words, of_design)
        assert assumption == row.assumption.replace("; extrapolated: the model is outside that range", "")


def test_every_figure_has_a_direction_where_one_end_is_better() -> None:
    directions = {key: metric.direction for key, metric in METRICS.items()}
    assert directions["decode_tokens_per_second"] == "higher is better"
    assert directions["training_usd"] == directions["loss_nats"] == directions["worst_miss"] == "lower is better"
    assert directions["n_layers"] == directions["total_params"] == directions["training_tokens"] == ""


def test_the_factor_off_the_usual_shape_is_1_on_the_law_and_alike_on_both_sides() -> None:
    metric, found = METRICS["off_usual_shape"], specified()
    for design in found.designs:
        arch, law = design.architecture, published_aspect_ratio(design.total_params)
        factor = metric.value(design, {})
        assert factor and factor >= 1
        assert arch.d_model / arch.n_layers == pytest.approx(law * factor) or (
            arch.d_model / arch.n_layers == pytest.approx(law / factor)
        )


def test_a_mixture_is_set_beside_models_of_its_active_size() -> None:
    design = solve(ModelConfig(total_params=100_000_000, n_experts=16, glu_expansion=0.7))
    law = published_aspect_ratio(design.account.active_params)
    ratio = design.architecture.d_model / design.architecture.n_layers
    assert METRICS["off_usual_shape"].value(design, {}) == pytest.approx(max(ratio / law, law / ratio))
