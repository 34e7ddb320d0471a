"""Pictures and cards: size, resolution and text; nothing on a card is cut off or overlaps."""

import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import pytest
from PIL import Image, ImageFont

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.charts.palette import COMPONENT_COLORS, DARK, LIGHT
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.export import card as card_module
from slimlm.export import pictures
from slimlm.export.card import design_card
from slimlm.export.pictures import inline_svg, picture
from slimlm.notes.note import Note, Severity
from slimlm.notes.verdict import verdict
from slimlm.solver.solver import solve
from slimlm.utils.optional import PackageError
from tests import models
from tests.pixels import colors_of, opened

REQUESTS = {
    "default": ModelConfig(),
    "untied": ModelConfig(total_params=125_000_000, vocab_size=32_000, tied_lm_head=False),
    "one layer": ModelConfig(n_layers=1),
    "120 layers": ModelConfig(n_layers=120),
    "10B": ModelConfig(total_params=10**10),
    "long request": ModelConfig(
        total_params=9_876_543_210,
        vocab_size=128_256,
        embedding_ratio=0.123456,
        glu_expansion=2.666667,
        tied_lm_head=False,
        n_heads=32,
        n_layers=40,
        multiple_of=64,
        max_seq_length=131_072,
    ),
    "every choice": ModelConfig(
        total_params=9_876_543_210,
        vocab_size=128_256,
        embedding_ratio=0.123456,
        glu_expansion=2.666667,
        tied_lm_head=False,
        n_heads=32,
        n_kv_heads=8,
        head_dim=128,
        norm="layernorm_no_params",
        positions="rope",
        rope_theta=1_000_000.0,
        ffn="geglu",
        bias="output_ffn",
        qk_norm="full",
        block="parallel_one_norm",
        lm_head_bias=True,
        embedding_norm=True,
        n_layers=40,
        multiple_of=64,
        max_seq_length=131_072,
    ),
    **models.REQUESTS,
}
every_request = pytest.mark.parametrize("name", REQUESTS)
dark_and_light = pytest.mark.parametrize("dark", [False, True])


@cache
def design_of(name: str) -> Design:
    return solve(REQUESTS[name])


@cache
def card_of(name: str, dark: bool = False) -> Image.Image:
    return opened(design_card(design_of(name), dark=dark))


def part_of(image: Image.Image, left: int, top: int, right: int, bottom: int) -> set[str]:
    return colors_of(image.crop((left, top, right, bottom)))


@dark_and_light
def test_a_chart_as_png_has_twice_its_pixels_a_dpi_tag_and_text(dark: bool) -> None:
    image = opened(picture(allocation_chart(design_of("default")), format="png", dark=dark))
    assert image.width == 1920
    assert image.info["dpi"] == pytest.approx((144, 144), abs=0.5)
    page = DARK if dark else LIGHT
    assert image.convert("RGB").getpixel((2, 2)) == tuple(bytes.fromhex(page[1:]))
    # The title stands in the first lines: what is no page there is its ink.
    assert {page, "#F5F5F5" if dark else "#1F2328"} <= part_of(image, 0, 0, 1920, 60)


def test_width_and_scale_of_a_png_are_as_given() -> None:
    chart = layer_profile_chart(design_of("default"))
    assert opened(picture(chart, format="png", width=640, scale=3)).width == 1920
    assert opened(picture(chart, format="png", width=640, scale=1)).info["dpi"] == pytest.approx((72, 72), abs=0.5)


def test_a_chart_as_svg_is_xml_with_text() -> None:
    root = ET.fromstring(picture(allocation_chart(design_of("default")), format="svg"))
    assert root.get("width") == "960"
    assert "10.05M parameters" in " ".join(root.itertext())


def test_a_chart_is_converted_once_for_all_its_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[str] = []
    convert = pictures.convert

    def counted(function: str, source: str, **options: float) -> Any:
        converted.append(function)
        return convert(function, source, **options)

    monkeypatch.setattr(pictures, "convert", counted)
    pictures.svg_of.cache_clear()
    chart = allocation_chart(design_of("default"))
    svg, png = picture(chart, format="svg"), picture(chart, format="png")
    assert converted == ["vegalite_to_svg", "svg_to_png"]
    assert inline_svg(chart).partition(">")[2] == svg.decode().partition(">")[2]
    assert converted == ["vegalite_to_svg", "svg_to_png"]
    picture(chart, format="svg", dark=True)
    assert converted[2:] == ["vegalite_to_svg"]
    assert picture(allocation_chart(design_of("default")), format="png") == png


def test_an_inline_svg_names_no_address() -> None:
    svg = inline_svg(layer_profile_chart(design_of("default")))
    assert svg.startswith("<svg ")
    assert "http" not in svg


def test_without_the_converter_an_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    sentence = (
        r"^a picture needs vl-convert-python, which is not installed; `pip install vl-convert-python` would work$"
    )
    with pytest.raises(PackageError, match=sentence):
        picture(allocation_chart(design_of("default")), format="png")
    with pytest.raises(PackageError, match=sentence):
        design_card(design_of("default"))


@every_request
@dark_and_light
def test_a_card_has_its_size_and_keeps_its_margins_free(name: str, dark: bool) -> None:
    card = card_of(name, dark)
    assert card.size == (1600, 900)
    assert card.info["dpi"] == pytest.approx((144, 144), abs=0.5)
    page = {DARK if dark else LIGHT}
    for margin in ((0, 0, 54, 900), (1546, 0, 1600, 900), (0, 0, 1600, 50), (0, 880, 1600, 900)):
        assert part_of(card, *margin) == page
    assert part_of(card, 1194, 160, 1258, 850) == page, "between the charts and the figures"
    assert part_of(card, 56, 158, 1544, 182) == page, "between the request and the charts"


@every_request
def test_a_card_shows_every_large_component_in_its_colour(name: str) -> None:
    found = colors_of(card_of(name))
    for part in design_of(name).account.components:
        assert part.share < 0.02 or COMPONENT_COLORS[part.key] in found


SQUARE = ("default", "long request", "every choice", "120 layers")


@pytest.mark.parametrize("name", SQUARE)
def test_a_square_card_keeps_its_parts_apart(name: str) -> None:
    found = opened(design_card(design_of(name), ratio="1:1", dark=name == "default"))
    assert found.size == (1600, 1600)
    page = {DARK if name == "default" else LIGHT}
    for margin in ((0, 0, 54, 1600), (1546, 0, 1600, 1600), (0, 0, 1600, 50), (0, 1580, 1600, 1600)):
        assert part_of(found, *margin) == page
    assert part_of(found, 56, 158, 1544, 176) == page, "between the request and the figures"
    assert part_of(found, 56, 292, 1544, 312) == page, "between the figures and the charts"
    texts = ET.fromstring(design_card(design_of(name), format="svg", ratio="1:1")).findall("{*}text")
    caption = next(int(float(text.get("y", "0"))) for text in texts if (text.text or "").startswith("Among published"))
    notes = min(y for text in texts if (y := int(float(text.get("y", "0")))) > caption + 424)
    assert part_of(found, 56, caption - 28, 1544, caption - 21) == page, "between the charts and the caption of the map"
    assert part_of(found, 56, notes - 28, 1544, notes - 18) == page, "between the map and the notes"


@pytest.mark.parametrize("name", SQUARE)
def test_lines_of_text_on_a_square_card_fit(name: str) -> None:
    check_lines(design_card(design_of(name), format="svg", ratio="1:1"))


def test_a_card_says_why_and_when() -> None:
    def words(name: str) -> list[str]:
        svg = design_card(design_of(name), format="svg", on=date(2026, 3, 1))
        return [text.text or "" for text in ET.fromstring(svg).findall("{*}text")]

    found = words("default")
    assert found[0] == "12 layers × 216: a third of the budget goes to the vocabulary"
    assert found[1] == str(verdict(design_of("default")))
    assert "Nearest published model: TinyStories-3M, 8.278M, 8 layers × 128, embedding ratio 77.7 %." in found
    assert any(text.startswith("Note: A head_dim of 27 is odd") for text in found)
    assert "slimlm · 1 March 2026" in found
    odd = words("one layer")
    assert odd[0] == verdict(design_of("one layer")).text.removesuffix(".")


def test_a_long_note_ends_after_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    note = Note("long", Severity.INFO, "Several words, and then more of them. " * 20, "", "")
    monkeypatch.setattr(card_module, "design_notes", lambda _: (note,))
    svg = design_card(design_of("default"), format="svg")
    lines = [text.text or "" for text in ET.fromstring(svg).findall("{*}text")]
    start = next(place for place, text in enumerate(lines) if text.startswith("Note: "))
    assert lines[start + 1].endswith("...")
    assert lines[start + 2].startswith("Nearest published model: ")
    check_lines(svg)


def test_a_dark_card_differs() -> None:
    light, dark = card_of("default").convert("RGB"), card_of("default", True).convert("RGB")
    assert light.tobytes() != dark.tobytes()
    assert "#1F2328" in colors_of(light)
    assert "#F5F5F5" in colors_of(dark)


@every_request
def test_the_words_of_a_card_say_the_design(name: str) -> None:
    design = design_of(name)
    arch = design.architecture
    words = [text.strip() for text in ET.fromstring(design_card(design, format="svg")).itertext() if text.strip()]
    assert words.count(design.title) == 2  # the picture's name and the title on it
    assert {f"{design.total_params:,}", f"{arch.n_layers:,} × {arch.d_model:,}", f"{arch.d_ff:,}"} <= set(words)
    assert f"{arch.n_heads} × {arch.head_width:,}" in words
    assert sum("(off target)" in text for text in words) == len(design.off_target)
    assert any(text.startswith("Target: ") for text in words)
    assert "Output" not in words, "the layer profile's words repeat the bars"


def test_a_card_names_fewer_key_value_heads_and_the_feed_forwards_own_expansion() -> None:
    grouped, plain = (design_card(design_of(name), format="svg").decode() for name in ("llama", "gpt2"))
    words = " ".join(text.strip() for text in ET.fromstring(grouped).itertext() if text.strip())
    assert "heads × head_dim, 3 for keys and values" in words
    assert ">FFN expansion<" in plain and "GLU expansion" not in plain
    assert ">GLU expansion<" in grouped and "for keys and values" not in plain


@every_request
def test_lines_of_text_on_a_card_fit(name: str) -> None:
    check_lines(design_card(design_of(name), format="svg"))


def check_lines(svg: bytes) -> None:
    for text in ET.fromstring(svg).findall("{*}text"):
        size = float(text.get("font-size", "0"))
        width = ImageFont.load_default(size).getlength(text.text or "") * (1.06 if text.get("font-weight") else 1)
        left = float(text.get("x", "0")) - (width if text.get("text-anchor") == "end" else 0)
        assert 56 <= left < left + width <= 1546
        assert size >= 13


def test_fonts_of_a_card_end_in_one_that_every_converter_has() -> None:
    fonts = re.findall(r'font-family="([^"]*)"', design_card(design_of("default"), format="svg").decode())
    assert fonts
    assert all(font.endswith("sans-serif") for font in fonts)


def test_text_of_a_card_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Design, "title", property(lambda design: "<script>alert('&')</script>"))
    root = ET.fromstring(design_card(replace(design_of("default")), format="svg"))
    assert "<script>alert('&')</script>" in list(root.itertext())
    assert root.find(".//{*}script") is None
