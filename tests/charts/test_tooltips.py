"""What screen readers read of the marks of charts."""

import re

import pytest

from slimlm.charts.comparison_profiles import profiles_chart
from slimlm.charts.comparison_strips import comparison_chart
from slimlm.charts.heatmap import heat_map
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.charts.pareto import pareto_chart
from slimlm.charts.published_map import published_map_chart
from slimlm.charts.theme import Figure
from slimlm.charts.tooltips import with_description
from slimlm.charts.tradeoff import tradeoff_chart, tradeoff_points
from slimlm.compare.pins import pin_of
from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model
from slimlm.solver.alternatives import alternatives
from slimlm.solver.solver import solve
from slimlm.sweep.grid import sweep
from slimlm.sweep.metrics import METRICS
from tests.figures import svg_of

DESIGN = solve(ModelConfig())
PINS = [pin_of(DESIGN, "mine"), pin_of(published_model("SmolLM2-135M"))]
GRID = sweep(ModelConfig(), ("embedding_ratio", (0.25, 0.35, 0.45)), ("glu_expansion", (2.0, 4.0)))
FLOPS, SHAPE = METRICS["forward_flops_per_token"], METRICS["off_usual_shape"]

FIGURES = {
    "profile": (layer_profile_chart(DESIGN), "Component: Attention; Parameters: 2,239,488; Share: 22.3 %"),
    "map": (published_map_chart([DESIGN]), "Model: pythia-14m; Parameters: 14.07M; Embedding share: 91.5 %"),
    "trade-off": (tradeoff_chart(tradeoff_points(DESIGN, alternatives(DESIGN))), "Design: 5 heads; Parameters: 10,01"),
    "heat map": (heat_map(GRID, FLOPS), "Embedding ratio: 0.45; GLU expansion: 2; Forward FLOPs per token: 23.8 MFLOP"),
    "Pareto": (pareto_chart(GRID, FLOPS, SHAPE), "Embedding ratio: 0.25; GLU expansion: 2; Forward FLOPs per token (l"),
    "strips": (comparison_chart(PINS), "Model: SmolLM2-135M; Component: Token embedding; Parameters: 28,311,552"),
    "profiles": (profiles_chart(PINS), "Model: mine; Component: Token embedding; Parameters: 3,456,000; Share: 34.4 %"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_marks_are_described_by_their_tooltip_and_never_by_a_position(name: str) -> None:
    figure, expected = FIGURES[name]
    described = labels(figure)
    assert any(label.startswith(expected) for label in described), described
    # Vega's own descriptions start with the field of a position, in small letters.
    assert not [label for label in described if re.match(r"(start|end|x|y|a|b|c|r|top|share|layers|ratio): ", label)]


def labels(figure: Figure) -> list[str]:
    return re.findall(r'aria-label="([^"]*)"', svg_of(figure))


def test_a_cell_without_a_model_says_why() -> None:
    impossible = sweep(ModelConfig(), ("total_params", (1_000_000,)), ("vocab_size", (262_144,)))
    described = labels(heat_map(impossible, FLOPS))
    assert any("Vocabulary size: 262,144; No model: total_params=1,000,000 clashes" in label for label in described)


def test_marks_with_a_description_of_their_own_keep_it() -> None:
    layer = {"mark": {"type": "rect", "description": "mine"}, "encoding": {"tooltip": [{"field": "a", "title": "A"}]}}
    assert with_description(layer) == layer
    assert with_description({"mark": {"type": "rule"}}) == {"mark": {"type": "rule", "aria": False}}
