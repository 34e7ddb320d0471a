"""Design notes on depth, widths and blocks: each speaks where it should, and its figures are right."""

import math
from dataclasses import replace
from typing import Any

import pytest

from slimlm.core.config import ModelConfig
from slimlm.core.published import published_near
from slimlm.solver.solver import solve
from slimlm.utils.formatting import format_count
from tests.designs import design_of, note_of, the

DEFAULT = solve(ModelConfig())
LARGER = solve(ModelConfig(total_params=125_000_000, vocab_size=32_000))


def test_alignment_names_the_widths_and_the_steps() -> None:
    note = the(DEFAULT, "alignment")
    assert (note.severity, note.figure) == ("advice", "d_model 216 · d_ff 544")
    assert "multiple_of=64 aligns them, but in steps of 10 percentage points of embedding ratio" in note.text
    assert round(100 * 64 * 16_000 / 10_000_000) == 10


def test_alignment_warns_below_8_and_blames_only_the_culprit() -> None:
    note = the(design_of(d_model=512, d_ff=1402), "alignment")
    assert (note.severity, note.figure) == ("warning", "d_ff 1,402")
    assert "when widths are multiples of 8, and d_ff 1,402 is not:" in note.text


def test_alignment_says_when_its_cure_is_too_coarse() -> None:
    note = the(design_of(d_model=40, d_ff=104, n_layers=40, vocab_size=32_000), "alignment")
    assert "but too coarsely" in note.text


def test_alignment_is_cheap_in_a_large_model() -> None:
    note = the(design_of(d_model=4104, d_ff=11_008, n_layers=30, vocab_size=32_000), "alignment")
    assert note.figure == "d_model 4,104"
    assert "multiple_of=64 aligns them, at little cost" in note.text


@pytest.mark.parametrize(
    ("choices", "grain"),
    [
        ({"n_heads": 12}, 24),
        ({"n_heads": 12, "head_dim": 64}, 8),
        ({"n_heads": 8}, 8),
        ({"n_heads": 8, "positions": "rope"}, 16),
    ],
)
def test_alignment_steps_by_the_widths_that_the_heads_allow(choices: dict[str, Any], grain: int) -> None:
    design = design_of(d_model=336, d_ff=100, vocab_size=400_000, **choices)
    points = 100 * 400_000 / design.total_params
    assert f"but in steps of {grain * points:.2g} percentage points" in the(design, "alignment").text
    any_heads = replace(design.config, n_heads="auto", head_dim=None)
    assert (
        f"but in steps of {8 * points:.2g} percentage points"
        in the(replace(design, config=any_heads), "alignment").text
    )


@pytest.mark.parametrize(("n_layers", "severity"), [(1, "warning"), (2, "advice"), (3, "advice"), (101, "warning")])
def test_depth_speaks(n_layers: int, severity: str) -> None:
    note = the(design_of(n_layers=n_layers), "depth")
    assert note.severity == severity
    assert "llama-68m) has 2" in note.text if n_layers < 4 else "Llama-3.1-405B) has 126" in note.text


@pytest.mark.parametrize(("d_model", "n_layers"), [(128, 101), (2048, 2)])
def test_aspect_ratio_speaks_far_from_published_models(d_model: int, n_layers: int) -> None:
    design = design_of(d_model=d_model, d_ff=8 * d_model // 3, n_layers=n_layers)
    ratios = sorted(model.aspect_ratio for model in published_near(design.total_params))
    note = the(design, "aspect_ratio")
    assert f"(from {ratios[0]:.2g} to {ratios[-1]:.0f})" in note.text.replace(".0 to", " to")
    assert f"{len(ratios)} published models" in note.text


def test_aspect_ratio_of_the_larger_design() -> None:
    assert the(LARGER, "aspect_ratio").figure == "330, median 64"


def test_depth_or_width_shows_the_indicators_side_by_side() -> None:
    note = the(DEFAULT, "depth_or_width")
    non_embedding = 12 * (4 * 216**2 + 3 * 216 * 544 + 4 * 216) + 2 * 216
    layers = next(depth / 100 for depth in range(1, 9999) if _levine_params(depth / 100) > non_embedding)
    assert f"predict {layers:.0f} layers of width {math.exp(5.039 + 0.0555 * layers):.0f};" in note.text
    assert f"for {format_count(non_embedding)} non-embedding parameters" in note.text
    assert "d_model / n_layers is 18 here" in note.text
    assert f"beyond about {216**0.44:.0f} to {2.43 * math.log(216):.0f} layers" in note.text
    assert "conflicts" in note.text
    assert note.severity == "info"
    assert note_of(design_of(d_model=256, d_ff=704, n_layers=12), "depth_or_width")  # near Levine's, but critical


def _levine_params(depth: float) -> float:
    return 12 * depth * math.exp(5.039 + 0.0555 * depth) ** 2


def test_depth_or_width_says_what_is_extrapolated() -> None:
    small = design_of(d_model=64, d_ff=176, n_layers=12)
    assert "(extrapolated: the fit has 6 to 48 layers)" in the(small, "depth_or_width").text
    assert "extrapolated" not in the(DEFAULT, "depth_or_width").text


@pytest.mark.parametrize(
    ("d_ff", "times", "severity"), [(2048, "3", "info"), (1024, "1.5", "info"), (4096, "6", "advice")]
)
def test_expansion_speaks(d_ff: int, times: str, severity: str) -> None:
    note = the(design_of(d_model=512, d_ff=d_ff), "expansion")
    assert (note.severity, note.figure) == (severity, f"{d_ff / 512:.2f}, usual 8/3")
    assert f"makes the feed-forward {times} times attention" in note.text


@pytest.mark.parametrize(
    ("d_ff", "times", "severity"),
    [(1408, "1.4", "info"), (5120, "5", "info"), (6144, "6", "advice"), (256, "0.25", "advice")],
)
def test_expansion_without_a_gate_is_compared_with_four(d_ff: int, times: str, severity: str) -> None:
    note = the(design_of(d_model=512, d_ff=d_ff, ffn="gelu"), "expansion")
    assert (note.severity, note.figure) == (severity, f"{d_ff / 512:.2f}, usual 4")
    assert note.text.startswith(f"A feed-forward expansion of {d_ff / 512:.2f} differs from the usual 4 (Vaswani")
    assert f"makes the feed-forward {times} times attention" in note.text
    assert "Shazeer" not in note.text + note.source


@pytest.mark.parametrize("block", ["parallel", "parallel_one_norm"])
def test_parallel_blocks_speak(block: str) -> None:
    note = the(design_of(block=block), "parallel_blocks")
    assert "7 of the 74 published models in slimlm have them (Pythia and Phi)" in note.text
    assert "arXiv 2204.02311" in note.source
