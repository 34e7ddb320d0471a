"""Designs to be remarked on, and their notes by key."""

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.notes import Note, design_notes


def design_of(d_model: int = 512, d_ff: int = 1408, n_layers: int = 12, **choices: float | str | None) -> Design:
    """Return an architecture as the design that meets its own total."""
    fixed = {"vocab_size": 8192, "n_heads": 8, "max_seq_length": 512} | choices
    arch = Architecture(d_model=d_model, d_ff=d_ff, n_layers=n_layers, **fixed)  # type: ignore[arg-type]
    return Design(ModelConfig(**fixed, total_params=count_total(arch)), arch)  # type: ignore[arg-type]


def note_of(design: Design, key: str) -> Note | None:
    """Return the note with this key, or None where its rule is silent."""
    found = [note for note in design_notes(design) if note.key == key]
    assert len(found) <= 1
    return found[0] if found else None


def the(design: Design, key: str) -> Note:
    """Return the note with this key, which there is."""
    note = note_of(design, key)
    assert note is not None
    return note
