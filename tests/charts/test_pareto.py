"""Pareto charts: frontier, labels and counts."""

import json
import re
from collections import Counter
from dataclasses import replace

from slimlm.charts.pareto import pareto_chart
from slimlm.core.config import ModelConfig
from slimlm.sweep import METRICS, parse_values, sweep
from slimlm.sweep.pareto import frontier, points_of
from tests.figures import svg_of, texts_of
from tests.grids import EXPANSIONS, grid, groups, measured, pareto_of, specified, words_of


def test_the_frontier_is_drawn_filled_labelled_and_counted() -> None:
    chart = pareto_of("specified")
    line, dots, names, *_ = (group["data"]["values"] for group in groups(chart))
    assert {row["i"] for row in line} == {row["i"] for row in dots if row.get("best")} == {1, 11}
    assert {row["name"] for row in names} == {"ratio 0.35 · GLU 2", "ratio 0.45 · GLU 4", "ratio 0.35 · GLU 2.66"}
    said = words_of(chart)
    assert said.startswith("Forward FLOPs per token against largest deviation from target of 12 designs Target: 10M")
    assert "Solid: Pareto-optimal (2) · ring: current design" in said
    texts = [text.words for text in texts_of(svg_of(chart))]
    assert {
        "Forward FLOPs per token (lower is better)",
        "Largest deviation from target (lower is better)",
        "ratio 0.45 · GLU 4",
    } <= set(texts)


def test_metrics_without_a_better_direction_say_so() -> None:
    chart = pareto_of("specified", "n_layers", "worst_miss")
    assert "No Pareto frontier, because layers has no better direction" in words_of(chart)
    both = pareto_of("specified", "n_layers", "d_model")
    assert "No Pareto frontier, because layers and width (d_model) have no better direction" in words_of(both)
    assert "Swept: embedding ratio and GLU expansion" in words_of(chart)
    assert groups(chart)[0]["data"]["values"] == []


def test_many_cells_with_the_same_models_are_few_opaque_points() -> None:
    ratios = parse_values("embedding_ratio", "0.2..0.5 in 100 steps")
    found = sweep(ModelConfig(), ("embedding_ratio", ratios), ("glu_expansion", EXPANSIONS))
    chart = pareto_chart(found, METRICS["forward_flops_per_token"], METRICS["kv_cache_bytes_per_token"])
    rows = groups(chart)[1]["data"]["values"]
    assert len(rows) == len({design.architecture for design in found.designs}) < 100
    assert "of 76 distinct designs" in words_of(chart)
    assert "Solid: Pareto-optimal (1) · crosses: odd shapes, never optimal (12)" in words_of(chart)
    svg = svg_of(chart)
    dots = [dot for dot in re.findall(r"<path[^>]*>", svg) if 'aria-roledescription="point"' in dot]
    fills = Counter(re.findall(r' fill="([^"]*)"', " ".join(dots)))
    assert len(dots) == len(rows) and min(fills.values()) == 1 and max(fills.values()) == len(rows) - 1
    assert not re.search(r'fill-opacity="(?!1")', " ".join(dots))


def test_odd_shapes_are_not_optimal() -> None:
    found = grid("impossible")
    more = replace(METRICS["n_layers"], better="more")
    points = points_of(found, more, METRICS["forward_flops_per_token"])
    assert any(found.oddities[point.place] for point in frontier(points, more, METRICS["forward_flops_per_token"]))
    chart = pareto_chart(found, more, METRICS["forward_flops_per_token"])
    best = {row["i"] for row in groups(chart)[1]["data"]["values"] if "best" in row}
    assert best and not any(found.oddities[place] for place in best)
    odd = sweep(ModelConfig(), ("n_layers", (1,)), ("glu_expansion", (2.0, 4.0)))
    alone = pareto_chart(odd, METRICS["worst_miss"], METRICS["forward_flops_per_token"])
    assert "No Pareto frontier, because every shape is odd · crosses: odd shapes, never optimal (2)" in words_of(alone)


def test_a_log_scale_does_not_ask_for_zero() -> None:
    scales = re.findall(r'"scale": ({[^}]*"domain"[^}]*}[^}]*})', json.dumps(pareto_of("large").to_dict()))
    logs = [scale for scale in scales if '"log"' in scale]
    assert logs and not any("zero" in scale for scale in logs)


def test_designs_that_are_not_measured_are_counted() -> None:
    found = specified()
    reports = measured(sweep(ModelConfig(), ("embedding_ratio", (0.35,)), ("glu_expansion", (2.66, 3.0))))
    chart = pareto_chart(found, METRICS["n_layers"], METRICS["forward_seconds"], reports)
    assert "not measured: 10" in words_of(chart)
    assert len(groups(chart)[1]["data"]["values"]) == 2
    nothing = pareto_chart(found, METRICS["n_layers"], METRICS["forward_seconds"])
    assert "Nothing measured yet" in words_of(nothing)


def test_a_large_pareto_chart_is_drawn_on_a_canvas_in_a_small_specification() -> None:
    written = pareto_of("large").to_dict()
    assert written["usermeta"]["embedOptions"]["renderer"] == "canvas"
    assert len(json.dumps(written)) < 140 * 3600
