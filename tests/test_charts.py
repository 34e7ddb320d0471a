import io
import itertools
import math
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pytest
import vl_convert
from hypothesis import HealthCheck, assume, given, settings
from PIL import Image, ImageFont

from slimlm.charts.allocation import allocation_chart, describe_allocation
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.charts.theme import (
    COMPONENT_COLORS,
    DARK,
    LIGHT,
    Figure,
    contrast,
    for_export,
    ink_on,
    luminance,
    text_width,
)
from slimlm.charts.tradeoff import TradeoffPoint, tradeoff_chart
from slimlm.config import ModelConfig
from slimlm.design import Design
from slimlm.solver import BudgetError, solve
from tests import models
from tests.strategies import requests

with warnings.catch_warnings():
    # At import, it warns of optional packages that the tests do without.
    warnings.simplefilter("ignore")
    import colour
    from colour.blindness import matrix_cvd_Machado2009

REQUESTS = {
    "default": ModelConfig(),
    "untied": ModelConfig(total_params=125_000_000, vocab_size=32_000, tied_lm_head=False, n_heads=12),
    "one layer": ModelConfig(n_layers=1, embedding_ratio=0.6),
    "120 layers": ModelConfig(total_params=60_000_000, n_layers=120),
    "1,500 layers": ModelConfig(total_params=200_000_000, n_layers=1500, embedding_ratio=0.05),
    "slivers": ModelConfig(total_params=3_000_000_000, vocab_size=32_000, embedding_ratio=0.03, max_seq_length=64),
    "10B": ModelConfig(total_params=10**10, vocab_size=128_256, embedding_ratio=0.1, tied_lm_head=False, n_heads=32),
    "nearly all embeddings": ModelConfig(total_params=30_000_000, vocab_size=128_256, embedding_ratio=0.93),
    "long": ModelConfig(total_params=20_000_000, max_seq_length=32_768, multiple_of=8),
    **models.REQUESTS,
}
CHARTS = {"allocation": allocation_chart, "profile": layer_profile_chart}
every_request = pytest.mark.parametrize("name", REQUESTS)
every_chart = pytest.mark.parametrize("kind", [*CHARTS, "tradeoff"])


@cache
def design_of(name: str) -> Design:
    return solve(REQUESTS[name])


@cache
def some_points(name: str = "default") -> tuple[TradeoffPoint, ...]:
    config = REQUESTS[name]
    others = [replace(config, n_heads=n_heads, n_kv_heads=None) for n_heads in (2, 4, 8, 10, 16)]
    others += [replace(config, multiple_of=multiple_of) for multiple_of in (8, 32)]
    points = [TradeoffPoint("as asked", solve(config), chosen=True)]
    for other in others:
        with suppress(BudgetError):
            points.append(TradeoffPoint(f"{other.n_heads} heads, multiples of {other.multiple_of}", solve(other)))
    return tuple(points)


def drawn(kind: str, name: str) -> Figure:
    return tradeoff_chart(some_points(name)) if kind == "tradeoff" else CHARTS[kind](design_of(name))


def rows_of(chart: Figure, group: int = 0) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = chart.to_dict()["layer"][group]["data"]["values"]
    return rows


def words_of(chart: Figure) -> str:
    title = chart.to_dict()["title"]
    return " ".join([*title["text"], *title["subtitle"]])


# Pictures, as the converter draws them.


class Text(NamedTuple):
    words: str
    left: float
    right: float
    top: float
    bottom: float


def svg_of(chart: Figure, **export: Any) -> str:
    return vl_convert.vegalite_to_svg(for_export(chart, **export).to_dict())


def view_of(svg: str) -> tuple[float, float]:
    width, height = re.findall(r'viewBox="0 0 (\S+) (\S+)"', svg)[0]
    return float(width), float(height)


def texts_of(svg: str) -> list[Text]:
    found = list(_texts(ET.fromstring(svg), 0.0, 0.0))
    assert found
    return found


def _texts(element: ET.Element, x: float, y: float) -> Iterator[Text]:
    transform = element.get("transform", "")
    move = re.search(r"translate\(([^,)]+),([^)]+)\)", transform)
    if move:
        x, y = x + float(move[1]), y + float(move[2])
    if element.tag.endswith("}text"):
        size = float(element.get("font-size", "11px").removesuffix("px"))
        lines = [line.text or "" for line in element] or [element.text or ""]
        width = max(ImageFont.load_default(size).getlength(line) for line in lines)
        width *= 1.06 if element.get("font-weight") else 1.0
        before = width * {"start": 0.0, "middle": 0.5, "end": 1.0}[element.get("text-anchor", "start")]
        after, up, down = width - before, 0.8 * size, 0.25 * size + 17 * (len(lines) - 1)
        if "rotate(-90" in transform or "rotate(270" in transform:
            before, after, up, down = up, down, after, before
        yield Text("\n".join(lines), x - before, x + after, y - up, y + down)
        return
    for child in element:
        yield from _texts(child, x, y)


def assert_well_set(svg: str) -> None:
    width, height = view_of(svg)
    texts = [text for text in texts_of(svg) if text.words]
    for text in texts:
        assert text.left >= -1 and text.right <= width + 1, text
        assert text.top >= -2 and text.bottom <= height + 2, text
    for one, other in itertools.combinations(texts, 2):
        across = min(one.right, other.right) - max(one.left, other.left)
        down = min(one.bottom, other.bottom) - max(one.top, other.top)
        assert across < 2 or down < 3, f"{one} covers {other}"


@every_chart
@every_request
def test_no_text_is_clipped_or_covers_another(kind: str, name: str) -> None:
    for width in (720, 960, 1400):
        assert_well_set(svg_of(drawn(kind, name), width=width))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(requests(1_000_000, 10_000_000_000))
def test_any_design_is_well_set(config: ModelConfig) -> None:
    try:
        design = solve(config)
    except BudgetError:
        assume(False)
    for chart in (allocation_chart(design), layer_profile_chart(design)):
        assert_well_set(svg_of(chart))


@pytest.mark.parametrize("dark", [False, True])
@every_chart
def test_a_picture_is_as_wide_as_asked_on_its_page_with_legible_text(kind: str, dark: bool) -> None:
    chart = for_export(drawn(kind, "default"), dark=dark, width=900)
    picture = Image.open(io.BytesIO(vl_convert.vegalite_to_png(chart.to_dict(), scale=2))).convert("RGB")
    assert picture.width == 1800 and picture.height > 500
    page, ink = (DARK, "#F5F5F5") if dark else (LIGHT, "#1F2328")
    assert picture.getpixel((1, 1)) == tuple(bytes.fromhex(page[1:]))
    # The title's own strip of the picture holds nothing else: without a font it would be empty.
    title = np.asarray(picture.crop((0, 0, 1800, 56)), dtype=int)
    near_ink = np.abs(title - np.array(list(bytes.fromhex(ink[1:])))).max(axis=2) < 40
    assert near_ink.sum() > 1500


def test_the_same_chart_on_a_page_has_no_background_of_its_own() -> None:
    written = allocation_chart(design_of("default")).to_dict()
    assert "background" not in written and "background" not in written["config"]
    assert written["autosize"] == {"type": "fit-x", "contains": "padding"}
    assert written["usermeta"]["embedOptions"]["renderer"] == "svg"


@every_chart
def test_the_specification_conforms_to_the_schema(kind: str) -> None:
    alt.LayerChart.from_dict(drawn(kind, "untied").to_dict(), validate=True)
    assert isinstance(drawn(kind, "default"), alt.LayerChart)


def test_altairs_own_methods_still_work() -> None:
    chart = allocation_chart(design_of("default")).properties(width=700, title="Mine")
    assert chart.to_dict()["width"] == 700 and chart.to_dict()["title"] == "Mine"
    page = io.StringIO()
    chart.save(page, format="html")
    assert "Mine" in page.getvalue()


# Where the parameters went.


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
        "Asked: 125M",
        "vocabulary 32,000",
        "ratio 0.35",
        "expansion 2.66",
        "untied",
    ):
        assert words in heading
    assert "Embedding ratio: share of parameters in vocabulary-sized tables" in heading
    assert "depth 120" in words_of(layer_profile_chart(design_of("120 layers")))


@pytest.mark.parametrize("kind", CHARTS)
@pytest.mark.parametrize(
    "change",
    [
        {"total_params": 11_000_000},
        {"vocab_size": 16_384},
        {"embedding_ratio": 0.36},
        {"glu_expansion": 2.67},
        {"n_heads": 4},
        {"tied_lm_head": False},
        {"max_seq_length": 513},
        {"n_layers": 12},
        {"multiple_of": 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_knob_changes_the_heading(kind: str, change: dict[str, Any]) -> None:
    changed = CHARTS[kind](solve(replace(ModelConfig(), **change)))
    assert words_of(changed) != words_of(CHARTS[kind](design_of("default")))


def test_description_is_one_sentence_of_shares() -> None:
    described = describe_allocation(design_of("default"))
    assert described.endswith(
        "SwiGLU 42.1 %, Token embedding 34.4 %, Attention 22.3 %, Position embedding 1.1 %, LayerNorms 0.1 %, "
        "Final LayerNorm < 0.1 %."
    )
    assert described.startswith(design_of("default").title)
    assert allocation_chart(design_of("default")).to_dict()["description"] == described


# The model from input to output.


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
def test_blocks_are_ruled_off_one_by_one_or_in_groups(name: str, columns: int, label: str) -> None:
    chart = layer_profile_chart(design_of(name))
    lines = chart.to_dict()["layer"][1]["data"]["sequence"]
    assert len(np.arange(lines["start"], lines["stop"], lines["step"])) == columns - 1
    assert ("groups of 8" in words_of(chart)) == (columns == 188)
    assert rows_of(chart, 3)[0]["label"].startswith(label)
    rules = ET.fromstring(svg_of(chart)).findall(".//*[@class='mark-rule role-mark layer_1_layer_0_marks']/*")
    assert len(rules) == columns - 1


def test_profile_says_in_words_what_is_too_small_to_see() -> None:
    words = {row["stage"]: row["words"] for row in rows_of(layer_profile_chart(design_of("default")), 4)}
    assert words["Input"] == "Token embedding 3.456M (34.4 %) · Position embedding 110.6k (1.1 %)"
    assert words["Output"] == "Final LayerNorm 432 (< 0.1 %) · LM head — tied to the token embedding: 0"
    assert "LayerNorms 10.37k (0.1 %)" in words["Blocks"]


# What other designs bend.


def test_tradeoff_points_are_the_misses_and_can_be_picked() -> None:
    points = some_points()
    written = tradeoff_chart(points).to_dict()
    rows = written["layer"][1]["data"]["values"]
    for row, point in zip(rows, points, strict=True):
        assert (row["ratio"], row["expansion"]) == tuple(knob.miss for knob in point.design.asked_got[1:])
    assert [row["chosen"] for row in rows] == [True] + [False] * (len(rows) - 1)
    picks = [param for param in written["params"] if param["name"] == "pick"]
    assert picks[0]["select"] == {"type": "point", "fields": ["index", "label"]}
    dots = written["layer"][1]["layer"][0]
    assert picks[0]["views"] == [dots["name"]]
    assert {tip["field"] for tip in dots["encoding"]["tooltip"]} >= {"total", "d_model", "d_ff", "n_layers", "n_heads"}
    assert "Chosen: as asked" in words_of(tradeoff_chart(points))


def test_tradeoff_names_the_chosen_point_and_draws_a_single_one() -> None:
    # Two designs in one place: the chosen one keeps its name.
    design = design_of("default")
    crowd = [TradeoffPoint(f"design {number}", design, chosen=number == 7) for number in range(9)]
    assert rows_of(tradeoff_chart(crowd), 1)[7]["name"] == "design 7"
    assert "1 design for" in words_of(tradeoff_chart(crowd[:1]))
    assert "design 0" in svg_of(tradeoff_chart(crowd[:1]))


def test_tradeoff_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"points=\(\) is empty"):
        tradeoff_chart(())


# Colours.


@pytest.mark.parametrize("vision", ["Normal", "Protanomaly", "Deuteranomaly", "Tritanomaly"])
def test_colours_stay_apart_in_every_vision(vision: str) -> None:
    with warnings.catch_warnings():
        # It warns that tritanopia is approximated: the model has no better matrix for it.
        warnings.simplefilter("ignore")
        matrix = np.eye(3) if vision == "Normal" else matrix_cvd_Machado2009(vision, 1.0)
    srgb = np.array([list(bytes.fromhex(color[1:])) for color in COMPONENT_COLORS.values()]) / 255
    seen = np.clip(colour.models.eotf_sRGB(srgb) @ np.asarray(matrix).T, 0, 1)
    lab = colour.XYZ_to_Lab(colour.RGB_to_XYZ(seen, "sRGB"))
    nearest = min(float(colour.delta_E(a, b, method="CIE 2000")) for a, b in itertools.combinations(lab, 2))
    assert len(COMPONENT_COLORS) == 7
    assert nearest >= 10


def test_every_component_has_its_colour_in_every_chart() -> None:
    keys = [part.key for part in design_of("default").account.components]
    assert list(COMPONENT_COLORS) == keys
    for kind in CHARTS:
        scale = drawn(kind, "untied").to_dict()["layer"][0]["layer"][0]["encoding"]["color"]["scale"]
        assert dict(zip(scale["domain"], scale["range"], strict=True)) == COMPONENT_COLORS
        svg = svg_of(drawn(kind, "untied")).upper()
        assert all(f'FILL="{color}"' in svg for color in COMPONENT_COLORS.values())


@pytest.mark.parametrize("color", COMPONENT_COLORS.values())
def test_text_on_a_fill_and_fills_on_a_page_are_seen(color: str) -> None:
    assert contrast(ink_on(color), color) >= 4.5
    assert min(contrast(color, LIGHT), contrast(color, DARK)) >= 1.6


def test_text_beside_fills_is_legible_in_light_and_dark() -> None:
    for dark, page in ((False, LIGHT), (True, DARK)):
        svg = svg_of(allocation_chart(design_of("default")), dark=dark)
        fills = set(re.findall(r'<text[^>]*fill="(#\w{6})"', svg)) - {"#FFFFFF", "#000000"}
        assert fills
        assert all(contrast(fill, page) >= 4.5 for fill in fills), fills


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#FFFFFF") == contrast("#FFFFFF", "#000000") == 21
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)
    assert luminance("#FF0000") == pytest.approx(0.2126)


@pytest.mark.parametrize("words", ["SwiGLU 42.1 %", "Token embedding", "10.05M · 100 %", "LM head 17.3 %", "WWW iii"])
def test_text_width_errs_on_the_wide_side(words: str) -> None:
    measured = ImageFont.load_default(13).getlength(words)
    assert measured <= text_width(words, 13) <= 1.6 * measured
