"""Design notes: what a good reviewer would raise about a design, each with its figure and its source.

A note never blocks. Where the evidence conflicts, the indicators stand side by side and none is called the best.
"""

from collections.abc import Callable

from slimlm import notes_on_attention, notes_on_budget, notes_on_shape
from slimlm.design import Design
from slimlm.remarks import Note, Severity

__all__ = ["RULES", "Note", "Severity", "design_notes"]

RULES: tuple[Callable[[Design], Note | None], ...] = (
    notes_on_attention.head_dim,
    notes_on_shape.alignment,
    notes_on_budget.vocabulary_padding,
    notes_on_shape.depth,
    notes_on_shape.aspect_ratio,
    notes_on_shape.depth_or_width,
    notes_on_budget.vocabulary_optimum,
    notes_on_budget.published_share,
    notes_on_budget.untied_head,
    notes_on_shape.expansion,
    notes_on_attention.attention_width,
    notes_on_attention.kv_cache,
    notes_on_attention.learned_positions,
    notes_on_attention.no_positions,
    notes_on_attention.rope_theta,
    notes_on_shape.parallel_blocks,
)
"""The rules, by the keys of their notes: each looks at a design and speaks or is silent."""


def design_notes(design: Design) -> tuple[Note, ...]:
    """Return what a reviewer would raise about a design: warnings first, then advice, then good-to-know."""
    found = [note for rule in RULES if (note := rule(design))]
    return tuple(sorted(found, key=lambda note: list(Severity).index(note.severity)))
