"""The trade-off chart: deviations, labels and picks."""

import pytest

from slimlm.charts.tradeoff import TradeoffPoint, tradeoff_chart
from tests.figures import design_of, rows_of, some_points, svg_of, words_of


def test_tradeoff_points_are_the_misses_and_can_be_picked() -> None:
    points = some_points()
    written = tradeoff_chart(points).to_dict()
    rows = sorted(written["layer"][1]["data"]["values"], key=lambda row: row["index"])
    for row, point in zip(rows, points, strict=True):
        assert (row["ratio"], row["expansion"]) == tuple(knob.miss for knob in point.design.targets[1:])
    assert [row["chosen"] for row in rows] == [True] + [False] * (len(rows) - 1)
    picks = [param for param in written["params"] if param["name"] == "pick"]
    assert picks[0]["select"] == {"type": "point", "fields": ["index", "label"]}
    dots = written["layer"][1]["layer"][0]
    assert picks[0]["views"] == [dots["name"]]
    assert {tip["field"] for tip in dots["encoding"]["tooltip"]} >= {"total", "d_model", "d_ff", "n_layers", "n_heads"}
    assert "Filled: as requested" in words_of(tradeoff_chart(points))


def test_tradeoff_names_the_chosen_point_and_draws_a_single_one() -> None:
    # Two designs in one place: the chosen one keeps its name.
    design = design_of("default")
    crowd = [TradeoffPoint(f"design {number}", design, chosen=number == 7) for number in range(9)]
    chosen = rows_of(tradeoff_chart(crowd), 1)[-1]  # on top of the others
    assert (chosen["index"], chosen["name"]) == (7, "design 7")
    assert "1 design for" in words_of(tradeoff_chart(crowd[:1]))
    assert "design 0" in svg_of(tradeoff_chart(crowd[:1]))


def test_tradeoff_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"points=\(\) is empty"):
        tradeoff_chart(())
