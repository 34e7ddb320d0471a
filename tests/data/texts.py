"""Texts and corpora for tests."""

import lzma
from functools import cache
from pathlib import Path

import numpy as np

from slimlm.data.prose import PROSE
from slimlm.data.token_data import TokenData
from slimlm.data.tokenizer import Tokenizer, train_tokenizer


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
