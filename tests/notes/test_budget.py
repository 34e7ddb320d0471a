"""Design notes on where the parameters go: each speaks where it should, and its figures are right."""

import pytest

from slimlm.core.config import ModelConfig
from slimlm.core.published import published_near
from slimlm.solver.solver import solve
from slimlm.utils.formatting import format_count, format_share
from tests.designs import design_of, note_of, the

DEFAULT = solve(ModelConfig())


@pytest.mark.parametrize(
    ("vocab_size", "padded", "tied", "severity"),
    [
        (50_257, 50_304, True, "advice"),
        (50_257, 50_304, False, "advice"),
        (49_155, 49_216, True, "advice"),
        (8_256, 8_320, True, "info"),
    ],
)
def test_vocabulary_padding_prices_the_padding(vocab_size: int, padded: int, tied: bool, severity: str) -> None:
    design = design_of(vocab_size=vocab_size, tied_lm_head=tied)
    wider = design_of(vocab_size=padded, tied_lm_head=tied)
    note = the(design, "vocabulary_padding")
    assert (note.severity, note.figure) == (severity, f"{vocab_size:,} → {padded:,}")
    assert f"costs {wider.total_params - design.total_params:,} parameters" in note.text


def test_vocabulary_padding_prices_the_bias_of_the_head() -> None:
    cost = (50_304 - 50_257) * (512 + 1)
    assert (
        f"costs {cost:,} parameters" in the(design_of(vocab_size=50_257, lm_head_bias=True), "vocabulary_padding").text
    )


def test_without_published_neighbours_nothing_is_compared() -> None:
    design = solve(ModelConfig(total_params=1_000_000, vocab_size=2048))
    assert published_near(design.total_params) == ()
    assert note_of(design, "published_share") is note_of(design, "aspect_ratio") is None


def test_vocabulary_optimum_of_the_default() -> None:
    note = the(DEFAULT, "vocabulary_optimum")
    rest = 10_047_024 - 16_000 * 216
    optimum = 3_145_728 * (rest / 33e6) ** 0.8354
    assert f"above the compute-optimal {format_share(optimum / (optimum + rest))}" in note.text
    assert "as is every ratio from 25 to 45 %" in note.text
    assert f"for {format_count(rest)} other parameters their law (extrapolated below 33M)" in note.text
    assert f"{optimum / 216:,.0f} tokens at d_model 216" in note.text
    assert "this one has 3.456M" in note.text


@pytest.mark.parametrize("ratio", [0.25, 0.3, 0.35, 0.4, 0.45])
def test_every_usual_share_is_above_the_optimum_at_10m(ratio: float) -> None:
    text = the(solve(ModelConfig(embedding_ratio=ratio)), "vocabulary_optimum").text
    assert "is above the compute-optimal" in text and text.startswith("The embedding ratio of")


def test_vocabulary_optimum_counts_an_untied_table_once() -> None:
    tied, untied = (design_of(vocab_size=50_304, tied_lm_head=tied) for tied in (True, False))
    words = "their law gives a token embedding"
    assert (
        the(tied, "vocabulary_optimum").text.split(words)[1] == the(untied, "vocabulary_optimum").text.split(words)[1]
    )
    rest = untied.total_params - 2 * 50_304 * 512
    optimum = 3_145_728 * (rest / 33e6) ** 0.8354
    best = format_share(2 * optimum / (2 * optimum + rest))
    assert the(untied, "vocabulary_optimum").figure == f"{format_share(untied.account.embedding_ratio)}, optimum {best}"


def test_vocabulary_optimum_speaks_below_the_optimum_too() -> None:
    note = the(design_of(d_model=4096, d_ff=11_008, n_layers=32, n_heads=32, vocab_size=32_000), "vocabulary_optimum")
    assert "is below the compute-optimal" in note.text
    assert "extrapolated" not in note.text


def test_published_share_of_the_default() -> None:
    note = the(DEFAULT, "published_share")
    assert note.figure == "34.4 %, median 77.7 %"
    assert "(from 49.4 % in BabyLlama-16M to 91.5 % in pythia-14m)" in note.text


def test_untied_head_speaks_when_the_head_is_large() -> None:
    design = design_of(vocab_size=50_304, tied_lm_head=False)
    head = 50_304 * 512
    assert the(design, "untied_head").figure == f"{format_count(head)} ({format_share(head / design.total_params)})"
