"""The manifest of a tokenised corpus: what it was made of, what its files hold, and whether they still do."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from slimlm.data.splitting import OUT_OF_DOMAIN, TRAIN, VALIDATION
from slimlm.data.token_data import token_dtype
from slimlm.data.tokenizer import MAX_BYTES
from slimlm.utils.files import check_names, read_bytes, read_json, regular_size, unreadable
from slimlm.utils.text import shown

FORMAT = "slimlm-corpus-1"
FILE, TOKENIZER_FILE, LENGTHS_FILE = "manifest.json", "tokenizer.json", "token_lengths.npy"

_LONGEST_HEADER = 10_000
"""Of the file of token lengths."""

_MAX_BYTES = 50_000_000
"""A manifest names every source file, in some 150 bytes each."""


@dataclass(frozen=True)
class Split:
    """What a split holds."""

    tokens: int
    """Separators included."""
    text_bytes: int
    """UTF-8 bytes of its text: the sum of the lengths of its tokens."""
    documents: int
    """Documents of which it has a part."""
    sha256: str
    """Of the file of its tokens."""


@dataclass(frozen=True)
class Manifest:
    """The record of a corpus: the request that determines it, and what was found."""

    name: str
    request: Mapping[str, Any]
    """Everything that determines the tokens: settings, and the name and sha256 of each source file."""
    vocab_size: int
    bos_id: int
    documents: int
    small_documents: int
    """Documents that were too small to be cut: each belongs wholly to one split."""
    out_of_domain_documents: list[str]
    """Their names; the first thousand."""
    text_sha256: str
    tokenizer_sha256: str
    lengths_sha256: str
    """Of the file of token lengths."""
    splits: Mapping[str, Split]
    versions: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The sha256 of all tokens and of their lengths."""
        tokens = [f"{name}={split.sha256}" for name, split in sorted(self.splits.items())]
        content = "\n".join([str(self.vocab_size), self.lengths_sha256, *tokens])
        return hashlib.sha256(content.encode()).hexdigest()

    def to_json(self) -> str:
        """Return the content of the manifest's file."""
        # In ASCII: the name of a file need not be UTF-8.
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"


def tokens_file(split: str) -> str:
    """Return the name of the file that holds the tokens of a split: little-endian numbers, nothing else."""
    return f"{split}.bin"


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a corpus. Raises ValueError, in one sentence, when it is missing or damaged."""
    what = str(folder / FILE)
    record = read_json(read_bytes(folder / FILE, what, _MAX_BYTES), what, _MAX_BYTES)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else record
        raise ValueError(f"{what} is of the format {shown(found)}: {FORMAT} would work")
    values = {name: value for name, value in record.items() if name != "format"}
    names = [field.name for field in fields(Manifest)]
    check_names(what, values, names, names)
    _check_types(what, Manifest, values)
    check_names(f"{what}, among its splits,", values["splits"], (TRAIN, VALIDATION, OUT_OF_DOMAIN), (TRAIN, VALIDATION))
    for name, split in values["splits"].items():
        if not isinstance(split, dict):
            raise ValueError(f"{what} has {shown(name)}={shown(split)} among its splits: an object would work")
        split_names = [field.name for field in fields(Split)]
        check_names(what, split, split_names, split_names)
        _check_types(what, Split, split)
    return Manifest(**values | {"splits": {name: Split(**split) for name, split in values["splits"].items()}})


_KINDS: dict[Any, type] = {int: int, str: str, list[str]: list}


def _check_types(what: str, cls: type, values: Mapping[str, Any]) -> None:
    for field in fields(cls):
        value = values[field.name]
        kind = _KINDS.get(field.type, dict)
        negative = isinstance(value, int) and value < 0
        if not isinstance(value, kind) or isinstance(value, bool) or negative:
            raise ValueError(f"{what} has {field.name}={shown(value)}, which is not what slimlm writes: it is damaged")


def check_corpus_files(folder: Path, manifest: Manifest, *, verify: bool) -> None:
    """Raise ValueError when a file of a corpus is missing, has another size or, with `verify`, another content."""
    item = np.dtype(token_dtype(manifest.vocab_size)).itemsize
    expected = {tokens_file(name): (split.tokens * item, split.sha256) for name, split in manifest.splits.items()}
    for name, (size, digest) in expected.items():
        _check_file(folder / name, size, digest if verify else None)
    most = _LONGEST_HEADER + 8 * manifest.vocab_size
    _check_file(folder / LENGTHS_FILE, None, manifest.lengths_sha256, most)
    if verify:
        _check_file(folder / TOKENIZER_FILE, None, manifest.tokenizer_sha256, MAX_BYTES)


def _check_file(file: Path, size: int | None, digest: str | None, most: int | None = None) -> None:
    """Check a file; its kind and its size are looked at before it is opened, as reading one may never end."""
    found = regular_size(file, str(file))
    remedy = "deleting the folder of the corpus, so that it is made again, would work"
    if size is not None and found != size:
        raise ValueError(f"{file} is damaged: it has {found:,} bytes instead of {size:,}; {remedy}")
    if most is not None and found > most:
        raise ValueError(f"{file} is damaged: it has {found:,} bytes instead of at most {most:,}; {remedy}")
    try:
        same = digest is None or file_sha256(file) == digest
    except OSError as error:
        raise unreadable(str(file), error) from None
    if not same:
        raise ValueError(f"{file} is damaged: its sha256 is not the one in {FILE}; {remedy}")


def file_sha256(file: Path) -> str:
    """Return the sha256 of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
