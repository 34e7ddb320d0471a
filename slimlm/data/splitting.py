"""The training and held-out parts of documents."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from slimlm.data.documents import Document

TRAIN, VALIDATION, OUT_OF_DOMAIN = "train", "validation", "out_of_domain"

_SMALLEST_PART = 200
"""Characters. A document whose held-out part would be smaller stays whole."""

_BOUNDARIES = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"[.!?]\s"), re.compile(r"\s"))
"""Where a document may be cut, best first: paragraphs, lines, sentences, words."""


@dataclass(frozen=True)
class SplitRule:
    """Decides which part of a document belongs to which split, from the document alone."""

    heldout_share: float
    out_of_domain: tuple[str, ...] = ()
    """Names, or parts of names, of documents that belong wholly to the split "out_of_domain"."""
    threshold: int = 0
    """A document too small to be cut is held out when the hash of its text is below."""

    def parts(self, document: Document) -> list[tuple[str, str]]:
        """Return the parts of a document, in order, each with its split; together they are the whole text."""
        if self.is_out_of_domain(document):
            return [(OUT_OF_DOMAIN, document.text)]
        if self.is_small(document):
            return [(VALIDATION if text_hash(document.text) < self.threshold else TRAIN, document.text)]
        cut = _cut(document.text, self.heldout_share)
        return [(TRAIN, document.text[:cut]), (VALIDATION, document.text[cut:])]

    def is_out_of_domain(self, document: Document) -> bool:
        """Return whether a document belongs to the split "out_of_domain"."""
        return any(name in document.name for name in self.out_of_domain)

    def is_small(self, document: Document) -> bool:
        """Return whether the held-out part of a document would be too small, so that it stays whole."""
        return len(document.text) * self.heldout_share < _SMALLEST_PART


def threshold_for(hashes: Sequence[int], heldout_share: float, *, at_least_one: bool) -> int:
    """Return the threshold that holds out a share of small documents, from the hashes of their texts.

    Equal texts have equal hashes, so they are never on both sides.
    """
    count = round(len(hashes) * heldout_share)
    if at_least_one and len(hashes) > 1:
        count = max(1, count)
    return sorted(hashes)[count - 1] + 1 if count else 0


def text_hash(text: str) -> int:
    """Return 64 bits of the sha256 of a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _cut(text: str, heldout_share: float) -> int:
    """Return where to cut a text: at the best boundary within half the held-out share of its place."""
    target = round(len(text) * (1 - heldout_share))
    slack = (len(text) - target) // 2
    for boundary in _BOUNDARIES:
        ends = [found.end() for found in boundary.finditer(text, target - slack, target + slack)]
        if ends:
            return min(ends, key=lambda end: abs(end - target))
    return target
