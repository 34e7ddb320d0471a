"""The rules of the design notes.

A note never blocks a design. Where the evidence conflicts, a note gives every indicator and recommends none.
"""

from collections.abc import Callable

from slimlm.core.design import Design
from slimlm.notes import attention, budget, experts, shape
from slimlm.notes.note import Note, Severity

RULES: tuple[Callable[[Design], Note | None], ...] = (
    shape.depth,
    attention.head_dim,
    shape.aspect_ratio,
    shape.alignment,
    budget.vocabulary_padding,
    shape.depth_or_width,
    budget.vocabulary_optimum,
    budget.published_share,
    budget.untied_head,
    shape.expansion,
    experts.experts,
    attention.attention_width,
    attention.kv_cache,
    attention.windows,
    attention.learned_positions,
    attention.no_positions,
    attention.rope_theta,
    shape.parallel_blocks,
)
"""The rules, the gravest harm first, named by the keys of their notes; each returns a note on a design, or None."""


def design_notes(design: Design) -> tuple[Note, ...]:
    """Return the notes on a design: warnings first, then advice, then information, the gravest first."""
    found = [note for rule in RULES if (note := rule(design))]
    return tuple(sorted(found, key=lambda note: list(Severity).index(note.severity)))
