"""The columns of a model whose layers differ."""

from math import prod

import pytest

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_columns import MOST_COLUMNS, layer_columns_chart
from slimlm.export.pictures import picture
from slimlm.interop.layered import layered_model
from tests.interop.test_layered import OPENELM_1_1B, QWEN3_5_27B


def rows_of(chart: dict[str, object], part: int) -> list[dict[str, object]]:
    return chart["layer"][part]["data"]["values"]  # type: ignore[index, no-any-return]


@pytest.mark.parametrize("config", [QWEN3_5_27B, OPENELM_1_1B])
def test_the_columns_are_the_parameters_of_the_layers(config: dict[str, object]) -> None:
    model = layered_model(config, "model")
    chart = layer_columns_chart(model).to_dict()
    rows = rows_of(chart, 1)
    tables = sum(
        prod(shape)
        for part in model.account.components
        for shape in part.shapes.values()
        if not part.per_layer and part.key in ("token_embedding", "lm_head", "final_norm")
    )
    assert sum(row["end"] - row["start"] for row in rows) + tables == model.total_params  # type: ignore[operator]
    assert len(rows_of(chart, 2)) == model.cached_layers
    assert [row["name"] for row in rows_of(chart, 0)] == list(dict.fromkeys(row["name"] for row in rows))


def test_of_many_layers_the_first_are_drawn_and_the_chart_says_so() -> None:
    model = layered_model({"model_type": "falcon_h1", "num_hidden_layers": MOST_COLUMNS + 1})
    chart = layer_columns_chart(model).to_dict()
    assert len({row["x"] for row in rows_of(chart, 1)}) == MOST_COLUMNS
    assert "of which the first 200 are drawn" in " ".join(chart["title"]["subtitle"])


def test_the_recurrence_has_a_colour_and_a_name_in_the_picture() -> None:
    model = layered_model(QWEN3_5_27B, "Qwen3.5-27B")
    for chart in (allocation_chart(model), layer_columns_chart(model)):
        svg = picture(chart, format="svg").decode()
        assert "Gated DeltaNet" in svg and "#9a85cd" in svg.lower()
