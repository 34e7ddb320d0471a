"""Design notes: review remarks on a design, each with its figure and its source."""

from slimlm.notes.note import Note, Severity
from slimlm.notes.rules import RULES, design_notes

__all__ = ["RULES", "Note", "Severity", "design_notes"]
