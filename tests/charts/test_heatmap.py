"""Heat maps: content, layout at every size, and distinguishable shades."""

import itertools
import json
import re
import warnings

import altair as alt
import numpy as np
import pytest

from slimlm.charts.heatmap import describe_heat_map, heat_map
from slimlm.charts.heatmap_layers import DARK_RAMP, LIGHT_RAMP
from slimlm.charts.palette import COMPONENT_COLORS, DARK, LIGHT, contrast, ink_on, luminance
from slimlm.charts.pareto import describe_pareto, pareto_chart
from slimlm.charts.theme import for_export
from slimlm.core.config import ModelConfig
from slimlm.sweep import METRICS, sweep
from tests.figures import assert_well_set, svg_of, texts_of
from tests.grids import (
    CHARTS,
    GRIDS,
    every_grid,
    grid,
    groups,
    map_of,
    measured,
    named,
    specified,
    words_of,
)

with warnings.catch_warnings():
    # At import, it warns of optional packages that the tests do without.
    warnings.simplefilter("ignore")
    import colour


KEYS = [key for key, metric in METRICS.items() if not metric.measured]


@every_grid
@pytest.mark.parametrize("kind", CHARTS)
def test_no_text_is_clipped_or_covers_another(kind: str, name: str) -> None:
    for width in (720, 1400) if name in ("default", "specified") else (720,):
        assert_well_set(svg_of(CHARTS[kind](name), width=width))


@pytest.mark.parametrize("key", KEYS)
def test_every_figure_makes_a_map_that_is_well_set(key: str) -> None:
    assert_well_set(svg_of(map_of("specified", key), width=720))


@pytest.mark.parametrize("name", [name for name in GRIDS if name != "large"])  # 3,600 cells are 3,600 times the same
@pytest.mark.parametrize("kind", CHARTS)
def test_charts_are_what_the_schema_allows(kind: str, name: str) -> None:
    alt.LayerChart.from_dict(CHARTS[kind](name).to_dict())


def test_a_map_names_figure_and_shape_in_every_cell_and_both_knobs() -> None:
    texts = [text.words for text in texts_of(svg_of(map_of("specified")))]
    found = specified()
    metric = METRICS["forward_flops_per_token"]
    for design, value in zip(found.designs, found.figures(metric), strict=True):
        assert value is not None
        assert metric.write(value) in texts
        assert f"{design.architecture.n_layers} × {design.architecture.d_model}" in texts
    assert {"0.25", "0.35", "0.45", "2", "2.66", "3", "4", "Embedding ratio", "GLU expansion"} <= set(texts)


def test_the_headings_explain_a_map_alone() -> None:
    said = words_of(map_of("impossible"))
    assert said.startswith(
        "Forward FLOPs per token of 4 designs, by total parameters and vocabulary size Target: embedding"
    )
    assert "grey: no model meets the request (2)" in said
    assert "hatched: odd shape (3, reason in the tooltip)" in said
    assert "outlined: current design" in said
    assert "Lower is better · star: lowest (25.2 MFLOP)" in said
    assert "below the value: layers × d_model" in said
    assert "Forward FLOPs per token: 2 per weight of a matrix product" in said
    assert "vocabulary-sized tables" not in said
    assert "vocabulary-sized tables" in words_of(map_of("specified"))


def test_a_cell_without_a_model_is_hatched_says_so_and_has_its_reason() -> None:
    chart = map_of("impossible")
    cells, hatching = groups(chart)[0]["data"]["values"], groups(chart)[1]["data"]["values"]
    assert [row["i"] for row in cells if "why" in row] == [2, 4]
    assert cells[4]["why"].startswith("total_params=1,000,000 clashes with vocab_size=262144, n_heads=8")
    assert "would work" not in cells[4]["why"]
    assert {(int(line["a2"] - 1e-9), int(line["b2"])) for line in hatching} == {(0, 1), (0, 2)}
    assert [text.words for text in texts_of(svg_of(chart))].count("no model") == 2


def test_the_design_in_use_is_outlined_where_it_is_on_the_grid() -> None:
    assert groups(map_of("specified"))[-1]["data"]["values"][0]["i"] == 4
    off = heat_map(specified(ModelConfig(embedding_ratio=0.3)), METRICS["forward_flops_per_token"])
    assert "outlined" not in words_of(off)
    assert len(groups(off)) == len(groups(map_of("specified"))) - 1


def test_a_star_marks_the_best_cell_where_there_is_one() -> None:
    assert groups(map_of("specified"))[-2]["data"]["values"][0]["i"] == 11
    assert "star: lowest (22.2 MFLOP)" in words_of(map_of("specified"))
    more = map_of("specified", "aspect_ratio")
    assert len(groups(more)) == len(groups(map_of("specified"))) - 1
    assert "star" not in words_of(more) and "better" not in words_of(more)
    assert groups(map_of("large"))[-1]["data"]["values"][0]["i"] not in odd_places("large")


def odd_places(name: str) -> set[int]:
    return {place for place, odd in enumerate(grid(name).oddities) if odd}


def test_values_that_are_written_alike_have_one_shade() -> None:
    rows = groups(map_of("words"))[0]["data"]["values"]
    assert {row["t"] for row in rows} == {"25.2 MFLOP"}
    assert {row["u"] for row in rows} == {0.5}


@pytest.mark.parametrize("name", ["impossible", "large"])
def test_odd_shapes_are_hatched_and_say_why(name: str) -> None:
    chart, odd = map_of(name), odd_places(name)
    assert {row["i"] for row in groups(chart)[0]["data"]["values"] if "odd" in row} == odd
    columns, hatched = len(grid(name).x.values), groups(chart)[2 if name == "impossible" else 1]["data"]["values"]
    crossed = {
        int(line["b"] + step) * columns + int(line["a"] + step)
        for line in hatched
        for step in range(max(1, int(line["a2"] - line["a"])))
    }
    assert crossed == odd if name == "impossible" else crossed <= odd and 5 * len(crossed) > len(odd) > len(hatched)
    assert '"Odd shape": oddities[datum.odd - 1]' in groups(chart)[0]["layer"][0]["mark"]["tooltip"]["expr"]
    for row in groups(chart)[0]["data"]["values"]:
        assert (named(chart)["oddities"][row["odd"] - 1] if "odd" in row else "") == grid(name).oddities[row["i"]]
    assert "odd" not in groups(map_of("one"))[0]["data"]["values"][0]


def test_shades_run_from_the_least_to_the_most() -> None:
    rows = groups(map_of("specified", "n_layers"))[0]["data"]["values"]
    assert [row["u"] for row in sorted(rows, key=lambda row: row["n"])] == sorted(row["u"] for row in rows)
    assert (min(row["u"] for row in rows), max(row["u"] for row in rows)) == (0, 1)
    alone = groups(map_of("one"))[0]["data"]["values"]
    assert [row["u"] for row in alone] == [0.5]


def test_a_map_of_what_is_not_measured_says_how_much_is_missing() -> None:
    found = specified()
    reports = measured(sweep(ModelConfig(), ("embedding_ratio", (0.35,)), ("glu_expansion", (2.66,))))
    chart = heat_map(found, METRICS["forward_seconds"], reports)
    assert "not measured: 11" in words_of(chart)
    assert [row["i"] for row in groups(chart)[0]["data"]["values"] if "u" in row] == [4]
    assert "not measured" in json.dumps(groups(chart)[0]["layer"][0]["mark"]["tooltip"])
    nothing = heat_map(found, METRICS["forward_seconds"])
    assert nothing.to_dict()["description"].endswith("nothing measured yet.")
    assert_well_set(svg_of(nothing))


def test_a_large_map_has_no_labels_but_round_ticks_a_scale_and_a_small_specification() -> None:
    chart = map_of("large")
    texts = [text.words for text in texts_of(svg_of(chart))]
    assert {"0.1", "0.2", "0.8", "1", "2", "8"} <= set(texts)
    assert not any(text.endswith("MFLOP") and "×" in text for text in texts)
    assert sum("MFLOP" in text for text in texts if "star" not in text) == 2
    written = chart.to_dict()
    assert written["usermeta"]["embedOptions"]["renderer"] == "canvas"
    assert len(json.dumps(written)) < 100 * 3600
    assert "tooltip" in json.dumps(written) and "pick" in named(chart)
    assert map_of("wide").to_dict()["usermeta"]["embedOptions"]["renderer"] == "svg"


def test_words_are_read_from_the_top_and_numbers_upwards() -> None:
    assert named(map_of("words"))["y_ends"] == [2, 0]
    assert named(map_of("specified"))["y_ends"] == [0, 4]


def test_charts_say_in_words_what_they_show() -> None:
    found, layers = specified(), METRICS["n_layers"]
    assert describe_heat_map(found, layers) == (
        "Layers of 12 designs by embedding ratio and GLU expansion: from 4 at embedding ratio 0.45 · GLU expansion 4 "
        "to 29 at embedding ratio 0.25 · GLU expansion 2."
    )
    assert describe_heat_map(found, METRICS["forward_flops_per_token"]).endswith(
        "Lowest: 22.2 MFLOP at ratio 0.45 · GLU 4, 4 layers × 288; the current design is 14 % above."
    )
    flops, miss = METRICS["forward_flops_per_token"], METRICS["worst_miss"]
    assert describe_pareto(found, flops, miss) == (
        "Largest deviation from target against forward FLOPs per token of 12 designs: Pareto-optimal "
        "are ratio 0.45 · GLU 4, ratio 0.35 · GLU 2 (embedding ratio and GLU expansion)."
    )
    assert describe_pareto(found, layers, miss).endswith("no Pareto frontier, because layers has no better direction.")
    assert describe_pareto(found, METRICS["peak_bytes"], miss).endswith("nothing measured yet.")
    nothing = sweep(ModelConfig(), ("total_params", (1_000,)), ("n_layers", (9,)))
    assert describe_heat_map(nothing, layers) == "Layers of 0 designs by total parameters and fixed number of layers."
    assert_well_set(svg_of(heat_map(nothing, layers)))
    assert_well_set(svg_of(pareto_chart(nothing, flops, miss)))


@pytest.mark.parametrize(("ramp", "page"), [(LIGHT_RAMP, LIGHT), (DARK_RAMP, DARK)], ids=["light", "dark"])
def test_ramps_go_away_from_the_page_in_even_steps_of_lightness(ramp: tuple[str, ...], page: str) -> None:
    away = [contrast(color, page) for color in ramp]
    assert away == sorted(away)
    assert away[0] > 1.1 and away[-1] > 10
    lightness = [116 * luminance(color) ** (1 / 3) - 16 for color in ramp]
    steps = np.abs(np.diff(lightness))
    assert steps.min() > 10
    assert steps.max() < 1.8 * steps.min()
    assert all(contrast(color, ink_on(color)) >= 4.5 for color in ramp)


def test_no_shade_is_the_colour_of_a_component() -> None:
    shades, components = (
        colour.XYZ_to_Lab(colour.sRGB_to_XYZ([_channels(color) for color in colors]))
        for colors in (LIGHT_RAMP + DARK_RAMP, COMPONENT_COLORS.values())
    )
    distances = [
        float(colour.delta_E(shade, component, method="CIE 2000"))
        for shade, component in itertools.product(shades, components)
    ]
    assert min(distances) > 10


def _channels(color: str) -> list[float]:
    return [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]


@pytest.mark.parametrize("dark", [False, True])
def test_labels_contrast_with_the_cells_they_stand_in(dark: bool) -> None:
    svg = svg_of(map_of("specified"), dark=dark)
    inks = re.findall(r'font-weight="600"[^>]*fill="(#\w{6})"', svg)
    assert {"#000000", "#FFFFFF"} >= set(inks) - {"#1F2328", "#F5F5F5"}
    assert for_export(map_of("specified"), dark=dark).to_dict()["background"] == (DARK if dark else LIGHT)
