"""The look that all charts share: colours that stay apart, and text that is legible."""

import itertools
import re
import warnings

import numpy as np
import pytest
from PIL import ImageFont

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.palette import COMPONENT_COLORS, DARK, LIGHT, contrast, ink_on, luminance
from slimlm.charts.theme import text_width
from slimlm.core.accounting import account
from slimlm.core.names import COMPONENT_NAMES
from tests.core.test_expert_account import DEEPSEEK_V3
from tests.figures import CHARTS, design_of, drawn, svg_of

with warnings.catch_warnings():
    # At import, it warns of optional packages that the tests do without.
    warnings.simplefilter("ignore")
    import colour
    from colour.blindness import matrix_cvd_Machado2009


@pytest.mark.parametrize("vision", ["Normal", "Protanomaly", "Deuteranomaly", "Tritanomaly"])
def test_colours_stay_apart_in_every_vision(vision: str) -> None:
    with warnings.catch_warnings():
        # It warns that tritanopia is approximated: the model has no better matrix for it.
        warnings.simplefilter("ignore")
        matrix = np.eye(3) if vision == "Normal" else matrix_cvd_Machado2009(vision, 1.0)
    srgb = np.array([list(bytes.fromhex(color[1:])) for color in dict.fromkeys(COMPONENT_COLORS.values())]) / 255
    seen = np.clip(colour.models.eotf_sRGB(srgb) @ np.asarray(matrix).T, 0, 1)
    lab = colour.XYZ_to_Lab(colour.RGB_to_XYZ(seen, "sRGB"))
    nearest = min(float(colour.delta_E(a, b, method="CIE 2000")) for a, b in itertools.combinations(lab, 2))
    assert len(COMPONENT_COLORS) == 11
    assert COMPONENT_COLORS["dense_ffn"] == COMPONENT_COLORS["ffn"], "no model has both"
    assert nearest >= 10


def test_every_component_has_its_colour_in_every_chart() -> None:
    keys = [part.key for part in design_of("default").account.components]
    of_mixture = [part.key for part in account(DEEPSEEK_V3).components]
    assert set(COMPONENT_COLORS) == {*keys, *of_mixture} == COMPONENT_NAMES.keys()
    for kind in CHARTS:
        scale = drawn(kind, "untied").to_dict()["layer"][0]["layer"][0]["encoding"]["color"]["scale"]
        assert dict(zip(scale["domain"], scale["range"], strict=True)) == COMPONENT_COLORS
        svg = svg_of(drawn(kind, "untied")).upper()
        assert all(f'FILL="{COMPONENT_COLORS[key]}"' in svg for key in keys)


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
