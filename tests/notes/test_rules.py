"""Design notes together: what is left alone, their order, and what all of them have in common."""

import re
from typing import Any

import pytest
from hypothesis import assume, given, settings

from slimlm.core.config import ModelConfig
from slimlm.notes import RULES, Severity, design_notes
from slimlm.solver.solver import BudgetError, solve
from tests.designs import design_of, note_of
from tests.strategies import structured_requests


def test_a_sound_design_is_left_alone() -> None:
    # 15 layers of 512 are near Levine et al.'s depth and within the critical one; 8,192 tokens are Tao et al.'s.
    design = design_of(d_model=512, d_ff=1408, n_layers=15, vocab_size=8192)
    assert {note.key for note in design_notes(design)} == {"published_share", "learned_positions"}


def test_the_default_design_gets_these_notes_in_order_of_severity() -> None:
    assert [(note.key, note.severity) for note in design_notes(solve(ModelConfig()))] == [
        ("head_dim", "warning"),
        ("alignment", "advice"),
        ("vocabulary_optimum", "advice"),
        ("depth_or_width", "info"),
        ("published_share", "info"),
        ("learned_positions", "info"),
    ]


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
        ("untied_head", [{"d_model": 8, "d_ff": 8, "n_layers": 4, "vocab_size": 50_304, "lm_head_bias": True}]),
        ("expansion", [{"d_ff": 1344}, {"d_model": 256, "d_ff": 704}, {"d_ff": 2048, "ffn": "gelu"}]),
        ("attention_width", [{}, {"head_dim": 64}, {"n_heads": 4, "head_dim": 128}]),
        ("kv_cache", [{}, {"max_seq_length": 2048}, {"n_kv_heads": 8}, {"n_heads": 1, "max_seq_length": 100_000}]),
        ("windows", [{}, {"positions": "rope", "layer_pattern": "fn"}, {"layer_pattern": "f" * 12 + "w", "window": 8}]),
        ("learned_positions", [{"positions": kind, "max_seq_length": 65_536} for kind in ("rope", "alibi", "none")]),
        ("no_positions", [{"positions": kind} for kind in ("learned", "rope", "alibi")]),
        ("rope_theta", [{"max_seq_length": 32_768}, {"positions": "rope", "max_seq_length": 8192}]),
        ("rope_theta", [{"positions": "rope", "max_seq_length": 32_768, "rope_theta": 500_000.0}]),
        ("parallel_blocks", [{"block": kind} for kind in ("pre_norm", "sandwich_norm", "output_norm")]),
    ],
)
def test_a_rule_is_silent(key: str, shapes: list[dict[str, Any]]) -> None:
    assert [note_of(design_of(**shape), key) for shape in shapes] == [None] * len(shapes)


@settings(max_examples=300, deadline=None)
@given(structured_requests(10**6, 10**10))
def test_notes_are_sentences_with_figures_and_sources(config: ModelConfig) -> None:
    try:
        design = solve(config)
    except BudgetError:
        assume(False)
    notes = design_notes(design)
    assert {rule.__name__: note for rule in RULES if (note := rule(design))} == {note.key: note for note in notes}
    ranks = [list(Severity).index(note.severity) for note in notes]
    assert ranks == sorted(ranks)
    for note in notes:
        assert re.fullmatch(r"\S.*[^.\s]\.", note.text)
        assert not re.search(r"[.!?]\s|  |\bnan\b|\binf\b|e[+-]\d", note.text + note.figure), note
        assert any(character.isdigit() for character in note.figure)
        assert note.source
