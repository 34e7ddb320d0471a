"""A first pass over the text of a corpus: checks before anything is written."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from slimlm.data.documents import Document, Source, source_documents
from slimlm.data.splitting import TRAIN, VALIDATION, SplitRule, text_hash, threshold_for
from slimlm.utils.progress import Reporter
from slimlm.utils.text import one_line, shown, some_of

SMALLEST_HELDOUT = 64
"""Tokens. Bits per byte of fewer say nothing."""

_MOST_NAMES = 1000


class CorpusText:
    """All documents of some files, read again at each pass, with reports of the progress."""

    def __init__(self, sources: Sequence[Source], field: str, report: Reporter) -> None:
        self._sources, self._field, self.report = sources, field, report
        self._sizes = [source.path.stat().st_size for source in sources]

    @property
    def name(self) -> str:
        """The name of the first file, and the number of further ones."""
        more = f" and {len(self._sources) - 1:,} more" if len(self._sources) > 1 else ""
        return self._sources[0].name + more

    def documents(self, kind: str, first: float, last: float) -> Iterator[Document]:
        """Yield all documents; the share of the work that is done goes from `first` to `last` meanwhile."""
        done, total = 0, max(1, sum(self._sizes))
        for source, size in zip(self._sources, self._sizes, strict=True):
            self.report(first + (last - first) * done / total, kind)
            yield from source_documents(source, self._field)
            done += size


class TextDigest:
    """The sha256 of documents: of the size and text of each."""

    def __init__(self) -> None:
        self._digest, self.size, self.documents = hashlib.sha256(), 0, 0

    def add(self, text: str) -> None:
        """Add a document."""
        content = text.encode()
        self._digest.update(len(content).to_bytes(8, "big") + content)
        self.size += len(content)
        self.documents += 1

    def hexdigest(self) -> str:
        """Return the digest of all documents so far."""
        return self._digest.hexdigest()


@dataclass(frozen=True)
class Survey:
    """What the text holds, and the rule that splits it."""

    rule: SplitRule
    text_bytes: int
    documents: int
    small_documents: int
    out_of_domain_documents: list[str]
    """Their names; the first thousand."""
    sha256: str

    @property
    def most_tokens(self) -> int:
        """Number of tokens that the text cannot exceed: one a byte, and up to two separators a document."""
        return self.text_bytes + 2 * self.documents


def survey_text(text: CorpusText, heldout_share: float, out_of_domain: Sequence[str]) -> Survey:
    """Read all documents and find the threshold for those that are too small to be cut.

    Raises ValueError for text that cannot be read, a name that no document has, and a split without text.
    """
    rule = SplitRule(heldout_share, tuple(out_of_domain))
    digest, hashes, names, unnamed = TextDigest(), list[int](), list[str](), set(out_of_domain)
    seen, first_names = 0, list[str]()
    for document in text.documents("reading", 0.0, 0.1):
        digest.add(document.text)
        first_names += [document.name] if len(first_names) < _MOST_NAMES else []
        if rule.is_out_of_domain(document):
            seen += 1
            unnamed = {name for name in unnamed if name not in document.name}
            names += [document.name] if len(names) < _MOST_NAMES else []
        elif rule.is_small(document):
            hashes.append(text_hash(document.text))
    _check_names(unnamed, first_names)
    large = digest.documents - seen - len(hashes)
    threshold = threshold_for(hashes, heldout_share, at_least_one=not large)
    _check_splits(large, hashes, threshold, digest.size)
    final = replace(rule, threshold=threshold)
    return Survey(final, digest.size, digest.documents, len(hashes), names, digest.hexdigest())


def _check_names(unnamed: set[str], names: Sequence[str]) -> None:
    if unnamed:
        wanted = min(unnamed)
        known = some_of([one_line(name, 80) for name in names], wanted, 8)
        raise ValueError(f"out_of_domain={shown(wanted)} is not allowed: no document has it in its name: {known}")


def _check_splits(large: int, hashes: Sequence[int], threshold: int, size: int) -> None:
    """Raise ValueError when no document is left to train on, or none is held out."""
    if not large and not any(number >= threshold for number in hashes):
        raise ValueError("no text is left to train on: more documents, and fewer of them out of domain, would work")
    if not large and not any(number < threshold for number in hashes):
        raise too_little_heldout(0, f"one text of {size:,} bytes is too small to be split")


def too_little_heldout(tokens: int, why: str) -> ValueError:
    """Return the error for a validation split that is too small."""
    return ValueError(
        f"the {VALIDATION} split has {tokens:,} tokens and needs {SMALLEST_HELDOUT}: {why}; "
        "a larger heldout_share or more text would work"
    )


def training_text(text: CorpusText, rule: SplitRule) -> Iterator[str]:
    """Yield the training parts of all documents."""
    for document in text.documents("training the tokenizer", 0.1, 0.4):
        yield from (part for split, part in rule.parts(document) if split == TRAIN)
