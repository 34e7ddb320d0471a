"""The map of published models: places, rings, names and laws."""

import math

import pytest

from slimlm.charts.published_map import published_map_chart
from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model, published_models
from slimlm.core.shape_law import levine_shape, published_shape
from slimlm.solver.solver import solve
from tests.figures import design_of, every_request, rows_of, svg_of, words_of


def test_every_published_model_stands_at_its_depth_and_width() -> None:
    rows = rows_of(published_map_chart([design_of("default")]), 1)
    assert [row["ringed"] for row in rows] == [True] + [False] * len(published_models())
    places = {row["label"]: (row["layers"], row["width"]) for row in rows}
    assert places == {model.name: model.dims[2:] + model.dims[:1] for model in published_models()} | {
        "this design": (12, 216)
    }


def test_a_published_model_is_ringed_in_its_own_place() -> None:
    model = published_model("gpt2")
    rows = rows_of(published_map_chart([model]), 1)
    assert len(rows) == len(published_models())
    assert [row["label"] for row in rows if row["ringed"]] == ["gpt2"]


def test_areas_are_as_the_root_of_the_totals_and_one_circle_of_a_place_is_filled() -> None:
    rows = {row["label"]: row for row in rows_of(published_map_chart([design_of("default")]), 1)}
    small, large = published_model("gpt2"), published_model("Llama-3-8B")
    assert rows["Llama-3-8B"]["area"] / rows["gpt2"]["area"] == pytest.approx(
        math.sqrt(large.total_params / small.total_params)
    )
    twins = [row for row in rows.values() if (row["layers"], row["width"]) == (12, 768)]
    assert len(twins) > 5
    assert sum(row["opacity"] > 0 for row in twins) == 1


def test_the_laws_are_drawn_within_the_plot() -> None:
    chart = published_map_chart([design_of("default")])
    values = {param["name"]: param["value"] for param in chart.to_dict()["params"] if "value" in param}
    rows = rows_of(chart, 0)
    for row in rows:
        law = levine_shape if row["law"].startswith("Levine") else published_shape
        depth, width = law(12 * row["layers"] * row["width"] ** 2)
        assert (depth, width) == pytest.approx((row["layers"], row["width"]), rel=1e-6)
        assert values["layers_ends"][0] <= row["layers"] <= values["layers_ends"][1]
    assert sorted(row["name"] for row in rows if row["name"]) == ["Levine et al. 2020", "fit of these models"]


@every_request
def test_any_design_is_ringed_and_named_in_the_picture(name: str) -> None:
    chart = published_map_chart([design_of(name)])
    assert "this design" in svg_of(chart)
    assert "Ringed: this design" in words_of(chart)


def test_several_models_are_ringed() -> None:
    chart = published_map_chart([solve(ModelConfig()), published_model("SmolLM2-135M")])
    assert sum(row["ringed"] for row in rows_of(chart, 1)) == 2
    assert chart.to_dict()["description"].endswith("this design 12 layers × 216, SmolLM2-135M 30 layers × 576.")


def test_a_map_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"subjects=\(\) is empty"):
        published_map_chart(())
