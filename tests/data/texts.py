"""Texts and corpora for tests."""

import lzma
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from slimlm.data.corpus import prepare_corpus
from slimlm.data.prose import PROSE
from slimlm.data.token_data import TokenData, Tokens
from slimlm.data.tokenizer import Tokenizer, train_tokenizer

VOCAB = 400
GATSBY = "book-1"
"""Part of the name of the book out of domain."""


@cache
def whole_prose() -> str:
    return lzma.decompress(PROSE.read_bytes()).decode()


def prose(characters: int, start: int = 0) -> str:
    """Return some English text: real paragraphs, with a few characters of three bytes."""
    return whole_prose()[start : start + characters]


@cache
def small_tokenizer() -> Tokenizer:
    return train_tokenizer([prose(60_000)], 600)


def numbered(count: int, vocab_size: int = 60_000) -> TokenData:
    """Return a source whose tokens are 0, 1, 2 and so on."""
    train = np.arange(count, dtype=np.uint16)
    return TokenData("numbers", vocab_size, train, {}, np.ones(vocab_size, dtype=np.int64), "")


def write_books(folder: Path, books: int = 3, characters: int = 20_000) -> Path:
    """Write a folder of different books and return it."""
    folder.mkdir(exist_ok=True)
    for number in range(books):
        text = prose(characters, number * characters)
        (folder / f"author_book-{number}.txt").write_text(text, encoding="utf-8", newline="")
    return folder


def prepared(folder: Path, books: Path, **request: Any) -> TokenData:
    """Return the corpus of a folder of books, one of them out of domain."""
    usual: dict[str, Any] = {"vocab_size": VOCAB, "out_of_domain": [GATSBY]}
    return prepare_corpus(books, folder, **usual | request)


def documents_of(ids: Tokens, tokenizer: Tokenizer) -> list[str]:
    """Return the documents of a split: what stands between separators."""
    ends = [*np.flatnonzero(ids == tokenizer.bos_id).tolist(), len(ids)]
    assert ends[0] == 0
    return [tokenizer.decode(ids[start:end].tolist()) for start, end in pairwise(ends)]
