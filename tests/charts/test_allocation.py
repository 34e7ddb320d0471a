"""The allocation chart: where the parameters went."""

import itertools
import math
import re

import pytest

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.core.captions import describe_allocation
from tests.figures import design_of, every_request, rows_of, svg_of, texts_of, words_of


@every_request
def test_allocation_rows_are_the_account_largest_first(name: str) -> None:
    design, rows = design_of(name), rows_of(allocation_chart(design_of(name)))
    assert {row["key"]: row["share"] for row in rows} == {part.key: part.share for part in design.account.components}
    assert math.fsum(row["share"] for row in rows) == pytest.approx(1, abs=1e-12)
    shares = [row["share"] for row in rows]
    assert shares == sorted(shares, reverse=True)
    assert rows[0]["start"] == 0 and rows[-1]["end"] == pytest.approx(1, abs=1e-12)
    assert all(row["end"] == following["start"] for row, following in itertools.pairwise(rows))


def test_bars_carry_count_and_share_and_a_tied_head_is_said_in_words() -> None:
    rows = {row["key"]: row for row in rows_of(allocation_chart(design_of("default")))}
    assert rows["ffn"]["value"] == "4.230M · 42.1 %"
    assert rows["token_embedding"]["value"] == "3.456M · 34.4 %"
    assert (rows["lm_head"]["label"], rows["lm_head"]["value"]) == ("LM head — tied to the token embedding: 0", "")
    untied = {row["key"]: row for row in rows_of(allocation_chart(design_of("untied")))}
    assert untied["lm_head"]["label"] == "LM head"


@pytest.mark.parametrize("width", [500, 700, 960])
def test_a_name_is_drawn_in_the_strip_only_where_it_fits(width: int) -> None:
    svg = svg_of(allocation_chart(design_of("untied")), width=width)
    strip = [text for text in texts_of(svg) if re.fullmatch(r"([A-Za-z ]+ )?\d+\.\d %", text.words)]
    assert strip
    total = width - 12 - 142 - 124
    shares = {f"{part.share * 100:.1f} %": part.share for part in design_of("untied").account.components}
    for text in strip:
        share = next(value for shown, value in shares.items() if text.words.endswith(shown))
        assert text.right - text.left < share * total


def test_the_heading_names_design_request_and_convention() -> None:
    heading = words_of(allocation_chart(design_of("untied")))
    for words in (
        design_of("untied").title,
        "Target: 125M",
        "vocabulary 32,000",
        "ratio 0.35",
        "expansion 2.66",
        "untied",
    ):
        assert words in heading
    assert "Embedding ratio: share of parameters in vocabulary-sized tables" in heading
    assert "depth 120" in words_of(layer_profile_chart(design_of("120 layers")))


def test_description_is_one_sentence_of_shares() -> None:
    described = describe_allocation(design_of("default"))
    assert described.endswith(
        "SwiGLU 42.1 %, Token embedding 34.4 %, Attention 22.3 %, Position embedding 1.1 %, LayerNorms 0.1 %, "
        "Final LayerNorm < 0.1 %."
    )
    assert described.startswith(design_of("default").title)
    assert allocation_chart(design_of("default")).to_dict()["description"] == described
