"""What holds for every chart: texts fit, pictures are legible, and the heading says what was asked."""

import io
import subprocess
import sys
from dataclasses import replace
from typing import Any

import altair as alt
import numpy as np
import pytest
import vl_convert
from hypothesis import HealthCheck, assume, given, settings
from PIL import Image

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.charts.palette import DARK, LIGHT
from slimlm.charts.theme import for_export
from slimlm.core.config import ModelConfig
from slimlm.solver.solver import BudgetError, solve
from tests.figures import CHARTS, assert_well_set, design_of, drawn, every_chart, every_request, svg_of, words_of
from tests.strategies import requests


@every_chart
@every_request
def test_no_text_is_clipped_or_covers_another(kind: str, name: str) -> None:
    for width in (720, 1400) if name in ("default", "specified") else (720,):
        assert_well_set(svg_of(drawn(kind, name), width=width))


@pytest.mark.parametrize("kind", ["allocation", "profile"])
@every_request
def test_no_text_is_clipped_on_a_phone(kind: str, name: str) -> None:
    assert_well_set(svg_of(drawn(kind, name), width=390))


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


_HALF_IMPORTED = """
import sys, threading
from slimlm.core.published import published_model

importing = threading.Thread(target=__import__, args=("pandas",))
importing.start()
while not (half := sys.modules.get("pandas")):
    pass
assert not hasattr(half, "Timestamp")
from slimlm.charts.allocation import allocation_chart
assert allocation_chart(published_model("gpt2")).to_dict()["layer"]
assert hasattr(half, "Timestamp")
importing.join()
"""


def test_two_first_visitors_at_once_both_get_their_chart() -> None:
    subprocess.run([sys.executable, "-c", _HALF_IMPORTED], check=True)
