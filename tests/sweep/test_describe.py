"""Text descriptions of sweeps."""

import pytest

from slimlm.core.config import ModelConfig
from slimlm.sweep import sweep
from slimlm.sweep.describe import fixed_line, knob_name, pair_label, ratio_reading, spans_line
from tests.grids import EXPANSIONS, RATIOS, impossible, specified


def test_a_sweep_of_the_ratio_is_said_to_vary_width_and_depth() -> None:
    found = specified()
    widths = [[cell.design.architecture.d_model for cell in found.cells if cell.design and cell.x == x] for x in RATIOS]
    # For a fixed total and vocabulary the ratio is the width, up to its grain of 8 heads.
    for ratio, across in zip(RATIOS, widths, strict=True):
        assert all(abs(width - ratio * 10_000_000 / 16_000) <= 16 for width in across)
    assert ratio_reading(found) == (
        "Note: with total and vocabulary fixed, more embedding means wider and shallower: "
        "160 × 18–29 layers → 272–288 × 4–7"
    )
    turned = sweep(ModelConfig(), ("glu_expansion", EXPANSIONS), ("embedding_ratio", RATIOS))
    assert ratio_reading(turned) == ratio_reading(found)


def test_other_sweeps_are_not_said_to() -> None:
    assert ratio_reading(impossible()) == ""
    assert ratio_reading(sweep(ModelConfig(), ("embedding_ratio", (0.3,)), ("n_layers", (9, 12)))) == ""


@pytest.mark.parametrize(
    ("base", "x", "y", "line"),
    [
        (ModelConfig(), "embedding_ratio", "glu_expansion", "Target: 10M · vocabulary 16,000 · tied · 512 tokens"),
        (
            ModelConfig(norm="rmsnorm", n_layers=9, multiple_of=8),
            "total_params",
            "ffn",
            "Target: vocabulary 16,000 · embedding ratio 0.35 · GLU expansion 2.66 · tied · 512 tokens · RMSNorm · "
            "depth 9 · multiples of 8",
        ),
        (
            ModelConfig(positions="rope", n_heads="auto"),
            "tied_lm_head",
            "max_seq_length",
            "Target: 10M · vocabulary 16,000 · embedding ratio 0.35 · GLU expansion 2.66 · auto heads · RoPE",
        ),
        (
            ModelConfig(norm="rmsnorm", n_kv_heads=16, n_heads=32),
            "norm",
            "n_heads",
            "Target: 10M · vocabulary 16,000 · embedding ratio 0.35 · GLU expansion 2.66 · tied · 512 tokens · "
            "16 KV heads",
        ),
    ],
)
def test_what_all_designs_have_in_common_is_said_without_what_varies(
    base: ModelConfig, x: str, y: str, line: str
) -> None:
    found = sweep(base, (x, (getattr(base, x),)), (y, (getattr(base, y),)))
    assert fixed_line(found) == line


def test_dimensions_are_said_as_spans() -> None:
    assert spans_line(specified()) == "Actual: d_model 160–288 · d_ff 317–1,146 · 4–29 layers"
    alone = sweep(ModelConfig(), ("n_layers", (1,)), ("norm", ("layernorm",)))
    assert spans_line(alone).endswith("· 1 layer")
    nothing = sweep(ModelConfig(), ("total_params", (1_000,)), ("norm", ("layernorm",)))
    assert spans_line(nothing) == "Actual: no design"


def test_a_cell_is_named_by_its_values() -> None:
    found = sweep(ModelConfig(ffn="gelu"), ("n_layers", (None,)), ("glu_expansion", (2.66, 4.0)))
    assert pair_label(found, 1) == "depth open · FFN 4"
    assert pair_label(found, 1, named=True) == "fixed number of layers open · FFN expansion 4"
    assert knob_name(found, found.y) == "FFN expansion"
    words = sweep(ModelConfig(n_layers=2), ("tied_lm_head", (True,)), ("norm", ("rmsnorm",)))
    assert pair_label(words, 0) == "tied · RMSNorm"
    switches = sweep(ModelConfig(n_layers=2), ("n_heads", ("auto",)), ("lm_head_bias", (True,)))
    assert pair_label(switches, 0) == "heads auto · LM head bias on"
