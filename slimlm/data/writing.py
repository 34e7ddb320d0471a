"""Tokens of documents written to files, one file a split, and folders that are written whole or not at all."""

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from slimlm.data.manifest import Split, tokens_file
from slimlm.data.token_data import token_dtype
from slimlm.data.tokenizer import Tokenizer, pieces
from slimlm.utils.files import reason
from slimlm.utils.formatting import format_bytes

_BATCH = 1 << 22
"""Characters that are tokenised at a time: enough for all threads, and some 200 MB of memory."""


class SplitWriter:
    """Writes the tokens of the documents of one split, each after a separator."""

    def __init__(self, file: Path, tokenizer: Tokenizer, vocab_size: int) -> None:
        self._file = file.open("wb")
        self._tokenizer = tokenizer
        self._dtype = np.dtype(token_dtype(vocab_size)).newbyteorder("<")
        self._digest = hashlib.sha256()
        self._pending: list[tuple[str, bool]] = []
        self._characters = self._tokens = self._bytes = self._documents = 0

    def add(self, text: str) -> None:
        """Add a document. Raises ValueError when the tokenizer loses or adds bytes."""
        self._documents += 1
        for place, piece in enumerate(pieces(text)):
            self._pending.append((piece, place == 0))
            self._characters += len(piece)
            if self._characters >= _BATCH:
                self._flush()

    def finish(self) -> Split:
        """Write what is left and return what the file holds."""
        self._flush()
        return Split(self._tokens, self._bytes, self._documents, self._digest.hexdigest())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _flush(self) -> None:
        encoded = self._tokenizer.encode_pieces([piece for piece, _ in self._pending])
        for (piece, is_first), ids in zip(self._pending, encoded, strict=True):
            numbers = np.array([self._tokenizer.bos_id, *ids] if is_first else ids, dtype=self._dtype)
            self._check_lengths(piece, numbers)
            content = numbers.tobytes()
            self._file.write(content)
            self._digest.update(content)
            self._tokens += len(numbers)
        self._pending, self._characters = [], 0

    def _check_lengths(self, piece: str, numbers: np.ndarray) -> None:
        """Raise ValueError unless the lengths of the tokens sum to the bytes of the text."""
        expected, found = len(piece.encode()), int(self._tokenizer.lengths[numbers].sum())
        if found != expected:
            raise ValueError(
                f"the tokens of {piece[:20]!r}... have {found:,} bytes and the text has {expected:,}: "
                "a tokenizer that keeps every byte would work"
            )
        self._bytes += expected


class SplitWriters:
    """The writers of all splits, made as they are needed; `splits` tells what each holds once the block has ended."""

    def __init__(self, folder: Path, tokenizer: Tokenizer, vocab_size: int) -> None:
        self._arguments = folder, tokenizer, vocab_size
        self._writers: dict[str, SplitWriter] = {}
        self.splits: dict[str, Split] = {}

    def __enter__(self) -> "SplitWriters":
        return self

    def add(self, split: str, text: str) -> None:
        """Add a document, or its part, to a split."""
        if split not in self._writers:
            folder, tokenizer, vocab_size = self._arguments
            self._writers[split] = SplitWriter(folder / tokens_file(split), tokenizer, vocab_size)
        self._writers[split].add(text)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if error is None:
                self.splits = {split: writer.finish() for split, writer in self._writers.items()}
        finally:
            for writer in self._writers.values():
                writer.close()


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `folder` when everything in it has been written.

    When writing fails, the temporary folder is deleted.

    Raises ValueError when `folder` is a file or holds anything, and when the system does not let it be written.
    """
    try:
        target = folder.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, in Python 3.11
        raise ValueError(f"{folder} cannot be written: {reason(error)}") from None
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ValueError(f"{folder} exists and is no corpus: a new or empty folder would work")
        temporary.mkdir(parents=True)
        yield temporary
        if target.exists():
            target.rmdir()
        temporary.rename(target)
    except OSError as error:
        raise ValueError(f"{folder} cannot be written: {reason(error)}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_free_space(folder: Path, needed: int) -> None:
    """Raise ValueError when the disk of a folder, which may not exist yet, has fewer than `needed` bytes left."""
    existing = next(parent for parent in (folder.resolve(), *folder.resolve().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise ValueError(
            f"{folder} may need {format_bytes(needed)} and its disk has {format_bytes(free)} left: "
            "another disk, or less text, would work"
        )
