"""Design notes: what a good reviewer would raise about a design, each with its figure and its source."""

from slimlm.notes.note import Note, Severity
from slimlm.notes.rules import RULES, design_notes

__all__ = ["RULES", "Note", "Severity", "design_notes"]
