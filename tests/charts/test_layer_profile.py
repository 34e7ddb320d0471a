"""The layer profile: the model from input to output."""

import re
import xml.etree.ElementTree as ET

import pytest

from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.core.published import published_model
from tests.figures import design_of, every_request, rows_of, svg_of, texts_of, words_of


@every_request
def test_profile_areas_are_shares(name: str) -> None:
    design = design_of(name)
    rows = rows_of(layer_profile_chart(design))
    for row in rows:
        area = (row["end"] - row["start"]) * (row["bottom"] - row["top"]) / 200
        assert area == pytest.approx(row["share"], rel=1e-9)
    assert {row["key"] for row in rows} == {part.key for part in design.account.components if part.params}
    stages = [row["start"] for row in rows if row["copies"] == "once"]
    assert stages == sorted(stages)
    assert max(row["end"] for row in rows) == pytest.approx(1)
    assert max(row["bottom"] for row in rows) == pytest.approx(234)


@pytest.mark.parametrize(("name", "columns", "label"), [
    ("one layer", 1, "1 block · "),
    ("default", 12, "12 blocks × 540.0k = 6.480M · 64.5 %"),
    ("120 layers", 120, "120 blocks × "),
    ("1,500 layers", 188, "1,500 blocks × "),
])  # fmt: skip
def test_lines_separate_blocks_or_groups_of_blocks(name: str, columns: int, label: str) -> None:
    chart = layer_profile_chart(design_of(name))
    assert [row["count"] for row in rows_of(chart, 1)] == [columns - 1]
    assert ("a line after every 8 blocks" in words_of(chart)) == (columns == 188)
    assert rows_of(chart, 3)[0]["label"].startswith(label)
    rules = ET.fromstring(svg_of(chart)).findall(".//*[@class='mark-rule role-mark layer_1_layer_0_marks']/*")
    assert len(rules) == columns - 1


def test_lines_between_blocks_stop_before_every_label() -> None:
    svg = svg_of(layer_profile_chart(published_model("pythia-14m")))
    plates = re.findall(r"layer_2_layer_0_marks.*?</g>", svg, re.DOTALL)[0]
    heights = [float(height) for height in re.findall(r"v([\d.]+)h-?[\d.]+Z", plates)]
    turned = next(text for text in texts_of(svg) if text.words == "GELU MLP 5.6 %")
    assert turned.bottom - turned.top > 60, "the label reads from bottom to top"
    assert any(height > turned.bottom - turned.top for height in heights)


def test_profile_says_in_words_what_is_too_small_to_see() -> None:
    words = {row["stage"]: row["words"] for row in rows_of(layer_profile_chart(design_of("default")), 4)}
    assert words["Input"] == "Token embedding 3.456M (34.4 %) · Position embedding 110.6k (1.1 %)"
    assert words["Output"] == "Final LayerNorm 432 (< 0.1 %) · LM head — tied to the token embedding: 0"
    assert "LayerNorms 10.37k (0.1 %)" in words["Blocks"]
