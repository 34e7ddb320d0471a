"""The rules of the design notes, and the notes that they give.

A note never blocks. Where the evidence conflicts, the indicators stand side by side and none is called the best.
"""

from collections.abc import Callable

from slimlm.core.design import Design
from slimlm.notes import attention, budget, shape
from slimlm.notes.note import Note, Severity

RULES: tuple[Callable[[Design], Note | None], ...] = (
    attention.head_dim,
    shape.alignment,
    budget.vocabulary_padding,
    shape.depth,
    shape.aspect_ratio,
    shape.depth_or_width,
    budget.vocabulary_optimum,
    budget.published_share,
    budget.untied_head,
    shape.expansion,
    attention.attention_width,
    attention.kv_cache,
    attention.learned_positions,
    attention.no_positions,
    attention.rope_theta,
    shape.parallel_blocks,
)
"""The rules, by the keys of their notes: each looks at a design and speaks or is silent."""


def design_notes(design: Design) -> tuple[Note, ...]:
    """Return what a reviewer would raise about a design: warnings first, then advice, then good-to-know."""
    found = [note for rule in RULES if (note := rule(design))]
    return tuple(sorted(found, key=lambda note: list(Severity).index(note.severity)))
