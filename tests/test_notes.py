"""Design notes: every rule speaks where it should, is silent where it should be, and its figures are right."""

import math
import re
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slimlm.architecture import Architecture
from slimlm.config import ModelConfig
from slimlm.design import Design
from slimlm.notes import _RULES, Note, Severity, design_notes
from slimlm.published import published_near
from slimlm.solver import BudgetError, solve
from slimlm.units import format_count, format_share


def design_of(d_model: int = 512, d_ff: int = 1408, n_layers: int = 12, **choices: int | bool) -> Design:
    fixed = {"vocab_size": 8192, "n_heads": 8, "max_seq_length": 512} | choices
    arch = Architecture(d_model=d_model, d_ff=d_ff, n_layers=n_layers, **fixed)  # type: ignore[arg-type]
    bare = Design(ModelConfig(**fixed), arch)  # type: ignore[arg-type]
    return Design(replace(bare.config, total_params=bare.total_params), arch)


def note_of(design: Design, key: str) -> Note | None:
    found = [note for note in design_notes(design) if note.key == key]
    assert len(found) <= 1
    return found[0] if found else None


def the(design: Design, key: str) -> Note:
    note = note_of(design, key)
    assert note is not None
    return note


DEFAULT = solve(ModelConfig())
LARGER = solve(ModelConfig(total_params=125_000_000, vocab_size=32_000))


def test_a_sound_design_is_left_alone() -> None:
    # 15 layers of 512 are near Levine et al.'s depth and within the critical one; 8,192 tokens are Tao et al.'s.
    design = design_of(d_model=512, d_ff=1408, n_layers=15, vocab_size=8192)
    assert {note.key for note in design_notes(design)} == {"published_share", "learned_positions"}


def test_the_default_design_gets_these_notes_in_order_of_severity() -> None:
    assert [(note.key, note.severity) for note in design_notes(DEFAULT)] == [
        ("head_dim", "warning"),
        ("alignment", "advice"),
        ("vocabulary_optimum", "advice"),
        ("depth_or_width", "info"),
        ("published_share", "info"),
        ("learned_positions", "info"),
    ]


def test_every_rule_has_its_key() -> None:
    assert len({rule.__name__ for rule in _RULES}) == len(_RULES) == 11


@pytest.mark.parametrize(
    ("key", "shapes"),
    [
        ("head_dim", [{"n_heads": 2}, {"n_heads": 4}, {"n_heads": 8}, {"n_heads": 16}]),
        ("alignment", [{"d_model": 512, "d_ff": 1408}, {"d_model": 1024, "d_ff": 64}]),
        ("vocabulary_padding", [{"vocab_size": size} for size in (256, 16_000, 50_304, 128_256)]),
        ("depth", [{"n_layers": 4}, {"n_layers": 30}, {"n_layers": 100}]),
        ("aspect_ratio", [{"d_model": 576, "d_ff": 1536, "n_layers": 30}, {"d_model": 768, "d_ff": 2048}]),
        ("depth_or_width", [{"d_model": 256, "d_ff": 704, "n_layers": 10, "vocab_size": 1024}]),
        ("vocabulary_optimum", [{"n_layers": 15}, {"n_layers": 15, "tied_lm_head": False}]),
        ("untied_head", [{"vocab_size": 50_304}, {"vocab_size": 1024, "tied_lm_head": False}]),
        ("expansion", [{"d_ff": 1344}, {"d_model": 256, "d_ff": 704}, {"d_model": 2048, "d_ff": 5632}]),
    ],
)
def test_a_rule_is_silent(key: str, shapes: list[dict[str, int]]) -> None:
    assert [note_of(design_of(**shape), key) for shape in shapes] == [None] * len(shapes)


@pytest.mark.parametrize(
    ("n_heads", "severity", "words"),
    [
        (512 // 1, Severity.WARNING, "head_dim of 1 is odd"),
        (
            128,
            Severity.ADVICE,
            "head_dim of 4 is no multiple of 8: FlashAttention pads it to 8 and computes 100.0 % more",
        ),
        (32, Severity.INFO, "head_dim of 16 is narrower"),
        (1, Severity.WARNING, "head_dim of 512 is wider than the 256"),
    ],
)
def test_head_dim_speaks(n_heads: int, severity: Severity, words: str) -> None:
    note = the(design_of(d_model=512, n_heads=n_heads), "head_dim")
    assert note.severity == severity
    assert words in note.text


def test_head_dim_of_the_default_is_odd_and_padded_to_32() -> None:
    note = the(DEFAULT, "head_dim")
    assert note.figure == "head_dim 27"
    assert f"pads it to 32 and computes {format_share(5 / 27)} more" in note.text
    assert "RoFormer" in note.source


def test_alignment_names_the_widths_and_the_steps() -> None:
    note = the(DEFAULT, "alignment")
    assert (note.severity, note.figure) == ("advice", "d_model 216 · d_ff 544")
    assert "multiple_of=64 aligns them, but in steps of 10 points of embedding ratio" in note.text
    assert round(100 * 64 * 16_000 / 10_000_000) == 10


def test_alignment_warns_below_8_and_blames_only_the_culprit() -> None:
    note = the(design_of(d_model=512, d_ff=1402), "alignment")
    assert (note.severity, note.figure) == ("warning", "d_ff 1,402")
    assert "d_ff 1,402 is no multiple of 8" in note.text


def test_alignment_says_when_its_cure_is_too_coarse() -> None:
    note = the(design_of(d_model=40, d_ff=104, n_layers=40, vocab_size=32_000), "alignment")
    assert "but too coarsely" in note.text


def test_alignment_is_cheap_in_a_large_model() -> None:
    note = the(design_of(d_model=4104, d_ff=11_008, n_layers=30, vocab_size=32_000), "alignment")
    assert note.figure == "d_model 4,104"
    assert "multiple_of=64 aligns them, at little cost" in note.text


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


@pytest.mark.parametrize(("n_layers", "severity"), [(1, "warning"), (2, "advice"), (3, "advice"), (101, "warning")])
def test_depth_speaks(n_layers: int, severity: str) -> None:
    note = the(design_of(n_layers=n_layers), "depth")
    assert note.severity == severity
    assert "llama-68m) has 2" in note.text if n_layers < 4 else "MobileLLM-1.5B) has 54" in note.text


@pytest.mark.parametrize(("d_model", "n_layers"), [(128, 101), (2048, 2)])
def test_aspect_ratio_speaks_far_from_published_models(d_model: int, n_layers: int) -> None:
    design = design_of(d_model=d_model, d_ff=8 * d_model // 3, n_layers=n_layers)
    ratios = sorted(model.aspect_ratio for model in published_near(design.total_params))
    note = the(design, "aspect_ratio")
    assert f"(from {ratios[0]:.2g} to {ratios[-1]:.0f})" in note.text.replace(".0 to", " to")
    assert f"{len(ratios)} published models" in note.text


def test_aspect_ratio_of_the_larger_design() -> None:
    assert the(LARGER, "aspect_ratio").figure == "330 beside 64"


def test_without_published_neighbours_nothing_is_compared() -> None:
    design = solve(ModelConfig(total_params=1_000_000, vocab_size=2048))
    assert published_near(design.total_params) == ()
    assert note_of(design, "published_share") is note_of(design, "aspect_ratio") is None


def test_depth_or_width_shows_the_indicators_side_by_side() -> None:
    note = the(DEFAULT, "depth_or_width")
    non_embedding = 12 * (4 * 216**2 + 3 * 216 * 544 + 4 * 216) + 2 * 216
    layers = next(depth / 100 for depth in range(1, 9999) if _levine_params(depth / 100) > non_embedding)
    assert f"predict {layers:.0f} layers of {math.exp(5.039 + 0.0555 * layers):.0f}," in note.text
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


def test_vocabulary_optimum_of_the_default() -> None:
    note = the(DEFAULT, "vocabulary_optimum")
    rest = 10_047_024 - 16_000 * 216
    optimum = 3_145_728 * (rest / 33e6) ** 0.8354
    assert f"above the compute-optimal {format_share(optimum / (optimum + rest))}" in note.text
    assert "as is every share of 25 to 45 %" in note.text
    assert f"for {format_count(rest)} other parameters their law (extrapolated below 33M)" in note.text
    assert f"{optimum / 216:,.0f} tokens at d_model 216" in note.text
    assert "this one has 3.456M" in note.text


@pytest.mark.parametrize("ratio", [0.25, 0.3, 0.35, 0.4, 0.45])
def test_every_usual_share_is_above_the_optimum_at_10m(ratio: float) -> None:
    text = the(solve(ModelConfig(embedding_ratio=ratio)), "vocabulary_optimum").text
    assert "embedding share is above the compute-optimal" in text


def test_vocabulary_optimum_counts_an_untied_table_once() -> None:
    tied, untied = (design_of(vocab_size=50_304, tied_lm_head=tied) for tied in (True, False))
    words = "their law gives a vocabulary table"
    assert (
        the(tied, "vocabulary_optimum").text.split(words)[1] == the(untied, "vocabulary_optimum").text.split(words)[1]
    )
    rest = untied.total_params - 2 * 50_304 * 512
    optimum = 3_145_728 * (rest / 33e6) ** 0.8354
    best = format_share(2 * optimum / (2 * optimum + rest))
    assert the(untied, "vocabulary_optimum").figure == f"{format_share(untied.account.embedding_ratio)} beside {best}"


def test_vocabulary_optimum_speaks_below_the_optimum_too() -> None:
    note = the(design_of(d_model=4096, d_ff=11_008, n_layers=32, n_heads=32, vocab_size=32_000), "vocabulary_optimum")
    assert "is below the compute-optimal" in note.text
    assert "extrapolated" not in note.text


def test_published_share_of_the_default() -> None:
    note = the(DEFAULT, "published_share")
    assert note.figure == "34.4 % beside 77.7 %"
    assert "(from 49.4 % in BabyLlama-16M to 91.5 % in pythia-14m)" in note.text


def test_untied_head_speaks_when_the_head_is_large() -> None:
    design = design_of(vocab_size=50_304, tied_lm_head=False)
    head = 50_304 * 512
    assert the(design, "untied_head").figure == f"{format_count(head)} ({format_share(head / design.total_params)})"


@pytest.mark.parametrize(
    ("d_ff", "times", "severity"), [(2048, "3", "info"), (1024, "1.5", "info"), (4096, "6", "advice")]
)
def test_expansion_speaks(d_ff: int, times: str, severity: str) -> None:
    note = the(design_of(d_model=512, d_ff=d_ff), "expansion")
    assert note.severity == severity
    assert f"makes the feed-forward {times} times attention" in note.text


@pytest.mark.parametrize(("length", "severity"), [(512, "info"), (65_536, "advice")])
def test_learned_positions_speak(length: int, severity: str) -> None:
    design = design_of(max_seq_length=length)
    note = the(design, "learned_positions")
    assert (note.severity, note.figure) == (severity, f"{length:,} tokens")
    assert f"{format_count(length * 512)} parameters ({format_share(length * 512 / design.total_params)})" in note.text


def test_learned_positions_are_silent_without_a_table() -> None:
    design = design_of()
    parts = (
        replace(part, shapes={}) if part.key == "position_embedding" else part for part in design.account.components
    )
    vars(design)["account"] = replace(design.account, components=tuple(parts))
    assert note_of(design, "learned_positions") is None


@st.composite
def configs(draw: st.DrawFn) -> ModelConfig:
    return ModelConfig(
        total_params=round(10 ** draw(st.floats(6, 10))),
        vocab_size=draw(st.integers(256, 262_144)),
        embedding_ratio=draw(st.floats(0.05, 0.6)),
        glu_expansion=draw(st.floats(0.5, 8)),
        n_heads=draw(st.integers(1, 32)),
        tied_lm_head=draw(st.booleans()),
        multiple_of=draw(st.sampled_from([1, 8, 64])),
    )


@settings(max_examples=300, deadline=None)
@given(configs())
def test_notes_are_sentences_with_figures_and_sources(config: ModelConfig) -> None:
    try:
        design = solve(config)
    except BudgetError:
        assume(False)
    notes = design_notes(design)
    assert len({note.key for note in notes}) == len(notes)
    ranks = [list(Severity).index(note.severity) for note in notes]
    assert ranks == sorted(ranks)
    for note in notes:
        assert re.fullmatch(r"\S.*[^.\s]\.", note.text)
        assert not re.search(r"[.!?]\s|  |\bnan\b|\binf\b|e[+-]\d", note.text + note.figure), note
        assert any(character.isdigit() for character in note.figure)
        assert note.source
