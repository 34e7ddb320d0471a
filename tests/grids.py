"""Sweeps for tests, and their charts."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from slimlm.charts.heatmap import heat_map
from slimlm.charts.pareto import pareto_chart
from slimlm.charts.theme import Figure
from slimlm.core.config import ModelConfig
from slimlm.probing.probe import ProbeReport, probe
from slimlm.sweep import METRICS, Sweep, parse_values, sweep

RATIOS, EXPANSIONS = (0.25, 0.35, 0.45), (2.0, 2.66, 3.0, 4.0)
SMALL = ModelConfig(total_params=300_000, vocab_size=500, max_seq_length=32, n_heads=4)


def specified(base: ModelConfig | None = None) -> Sweep:
    return sweep(base or ModelConfig(), ("embedding_ratio", RATIOS), ("glu_expansion", EXPANSIONS))


def impossible() -> Sweep:
    return sweep(ModelConfig(), ("total_params", (1_000_000, 10_000_000)), ("vocab_size", (16_000, 128_256, 262_144)))


def specified_with(progress: Any) -> Sweep:
    return sweep(SMALL, ("embedding_ratio", RATIOS), ("glu_expansion", EXPANSIONS), progress)


def measured(found: Sweep) -> dict[Any, ProbeReport]:
    return {design.architecture: probe(design) for design in found.designs}


WORDS = ("layernorm", "rmsnorm", "layernorm_no_bias", "layernorm_no_params")


@cache
def grid(name: str) -> Sweep:
    if name in ("specified", "impossible"):
        return specified() if name == "specified" else impossible()
    wide = {"one": 1, "wide": 12, "large": 60}[name] if name != "words" else 0
    if not wide:
        return sweep(ModelConfig(norm="rmsnorm"), ("norm", WORDS), ("block", ("pre_norm", "parallel")))
    ratios = parse_values("embedding_ratio", f"0.05..0.85 x {wide}") if wide > 1 else (0.35,)
    expansions = parse_values("glu_expansion", f"0.5..8 x {wide}") if wide > 1 else (2.66,)
    return sweep(ModelConfig(), ("embedding_ratio", ratios), ("glu_expansion", expansions))


GRIDS = ("specified", "impossible", "words", "one", "wide", "large")
every_grid = pytest.mark.parametrize("name", GRIDS)


def map_of(name: str, key: str = "forward_flops_per_token") -> Figure:
    return heat_map(grid(name), METRICS[key])


def pareto_of(name: str, x: str = "worst_miss", y: str = "forward_flops_per_token") -> Figure:
    return pareto_chart(grid(name), METRICS[x], METRICS[y])


CHARTS: dict[str, Callable[[str], Figure]] = {"map": map_of, "pareto": pareto_of}


def groups(chart: Figure) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = chart.to_dict()["layer"]
    return layers


def named(chart: Figure) -> dict[str, Any]:
    return {param["name"]: param.get("value") for param in chart.to_dict()["params"]}


def words_of(chart: Figure) -> str:
    title = chart.to_dict()["title"]
    return " ".join([*title["text"], *title["subtitle"]])
