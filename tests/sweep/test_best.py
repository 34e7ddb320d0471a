"""The best cell of a sweep, and what is said of it."""

from dataclasses import replace
from typing import Any

import pytest

from slimlm.core.config import ModelConfig
from slimlm.sweep import METRICS, Metric, Sweep, best_cell, best_line, sweep
from tests.grids import grid, impossible, specified

FLOPS = METRICS["forward_flops_per_token"]


def by_layers(better: Any) -> Metric:
    return replace(METRICS["n_layers"], better=better)


@pytest.mark.parametrize("name", ["specified", "impossible", "wide"])
@pytest.mark.parametrize("better", ["less", "more"])
def test_no_ordinary_cell_is_better_than_the_best(name: str, better: Any) -> None:
    found, metric = grid(name), replace(FLOPS, better=better)
    best = best_cell(found, metric)
    assert best and not found.oddities[best.place]
    values = found.figures(metric)
    ordinary = [value for value, odd in zip(values, found.oddities, strict=True) if value is not None and not odd]
    assert best.value == values[best.place] == (min(ordinary) if better == "less" else max(ordinary))


def test_an_odd_shape_does_not_win_and_is_named() -> None:
    found = impossible()
    best = best_cell(found, by_layers("less"))
    assert best and best.odd is None
    best = best_cell(found, by_layers("more"))
    assert best and best.odd is not None
    assert "An odd shape does not count: 1,839 at total 10M · vocabulary 262,144, 1,839 layers × 16 (1,839 layers" in (
        best_line(found, by_layers("more"))
    )


def test_the_highest_is_named_so() -> None:
    assert best_line(specified(), by_layers("more")).startswith("Highest: 29 at ratio 0.25 · GLU 2, 29 layers × 160; ")


@pytest.mark.parametrize(
    ("key", "base", "line"),
    [
        ("forward_flops_per_token", ModelConfig(embedding_ratio=0.45, glu_expansion=4.0), "288, the current design."),
        ("forward_flops_per_token", ModelConfig(embedding_ratio=0.3), "4 layers × 288."),
        ("kv_cache_bytes_per_token", ModelConfig(), "288; the current design has 2.2 times as much."),
        ("worst_miss", ModelConfig(), "the current design has 5.32 %."),
        ("weights_bf16_bytes", ModelConfig(), "6 layers × 272; the current design is 1 % above."),
        ("weights_bf16_bytes", ModelConfig(embedding_ratio=0.45), "6 layers × 272, the current design."),
    ],
)
def test_the_current_design_is_compared(key: str, base: ModelConfig, line: str) -> None:
    assert line in best_line(specified(base), METRICS[key])


def test_of_equal_cells_the_current_design_is_best_and_the_others_are_counted() -> None:
    found = specified()
    metric = replace(FLOPS, of_work=None, of_design=lambda design: float(design.architecture.d_model == 160))
    best = best_cell(found, metric)
    assert best and (best.place, best.equals) == (found.in_use, 7)
    assert best_line(found, metric).endswith("12 layers × 216, the current design, the same as 7 other cells.")


def test_without_a_difference_nothing_is_best() -> None:
    found = specified()
    same = replace(FLOPS, of_work=None, of_design=lambda design: 5e6)
    assert best_cell(found, same) is None
    assert best_line(found, same) == "All designs of an ordinary shape have the same value: 5.00 MFLOP."


def test_one_cell_alone_is_best() -> None:
    assert best_line(grid("one"), FLOPS) == (
        "Lowest: 25.2 MFLOP at ratio 0.35 · GLU 2.66, 12 layers × 216, the current design."
    )


def test_where_every_shape_is_odd_none_is_best() -> None:
    found: Sweep = sweep(ModelConfig(), ("n_layers", (1,)), ("glu_expansion", (2.0, 4.0)))
    assert best_cell(found, FLOPS) is None
    assert best_line(found, FLOPS).startswith("No cell counts as lowest, because every shape is odd: 1 layer")


def test_nothing_is_said_without_a_direction_or_a_value() -> None:
    assert best_line(specified(), METRICS["n_layers"]) == ""
    assert best_line(specified(), METRICS["forward_seconds"]) == ""
    nothing = sweep(ModelConfig(), ("total_params", (1_000,)), ("n_layers", (9,)))
    assert best_line(nothing, FLOPS) == ""
