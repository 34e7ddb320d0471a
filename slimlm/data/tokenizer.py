"""Byte-level BPE tokenizers, trained at an exact vocabulary size, with the byte length of every token.

The alphabet is the 256 bytes, so every text can be written and there is no unknown token. One special token separates
documents. The length of a token is that of its own bytes, never of a decoded text: a token may hold part of a
character, which decodes to a replacement character of another length.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slimlm.utils.files import read_bytes, reason, replacing
from slimlm.utils.optional import need
from slimlm.utils.text import is_unicode, shown
from slimlm.utils.validation import FieldError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Inner

SEPARATOR = "<|endoftext|>"
"""The special token in front of each document."""

SMALLEST_VOCABULARY = 257
"""The 256 bytes and the separator."""

LARGEST_VOCABULARY = 1 << 20
"""The trainer takes memory for all tokens before it reads any text."""

MAX_BYTES = 200_000_000
"""A tokenizer.json of 256,000 tokens has some 20 MB."""

_NEEDS = "a tokenizer"
_STARTS = (SEPARATOR, "<|begin_of_text|>", "<bos>", "<s>")
"""Names of the token in front of a document in common tokenizers."""

_PIECE = 1 << 16
_BETWEEN_WORDS = re.compile(r"(?<=[^\W\d_]) (?=[^\W\d_])")


class Tokenizer:
    """A byte-level tokenizer: text to ids and back, and the number of bytes that each id stands for."""

    def __init__(self, inner: "Inner") -> None:
        """Wrap a tokenizer of the tokenizers package. Raises ValueError when it is not byte-level BPE."""
        inner.no_padding()
        inner.no_truncation()
        inner.encode_special_tokens = True  # the name of a special token within a text is text
        if inner.normalizer is not None:
            raise ValueError("it changes a text before it splits it into tokens")
        self._inner = inner
        self._bytes = _bytes_of_tokens(inner)
        self.vocab_size: int = max(self._bytes, default=-1) + 1
        """The number of ids: one more than the largest."""
        self.bos_id: int = _separator(inner)
        """Id of the special token in front of each document."""

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Number of bytes of each token (V,); 0 for special tokens and for ids without a token."""
        found = np.zeros(self.vocab_size, dtype=np.int64)
        for number, content in self._bytes.items():
            found[number] = len(content)
        return found

    @property
    def digest(self) -> str:
        """The sha256 of the tokenizer's file."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def token_bytes(self, number: int) -> bytes:
        """Return the bytes that an id stands for: none for a special token. Raises ValueError for an unknown id."""
        if number not in self._bytes:
            raise ValueError(f"the id {number:,} has no token: ids from 0 to {self.vocab_size - 1:,} would work")
        return self._bytes[number]

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without a separator: their lengths sum to the bytes of the text.

        A long text is split between words that no byte-level tokenizer joins, so that memory stays bounded.

        Raises ValueError for half of a surrogate pair.
        """
        return list(chain.from_iterable(self.encode_pieces(list(pieces(text)))))

    def encode_pieces(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each of some texts, computed in parallel.

        Raises ValueError for half of a surrogate pair.
        """
        try:
            return [found.ids for found in self._inner.encode_batch_fast(texts, add_special_tokens=False)]
        except TypeError:
            if all(map(is_unicode, texts)):
                raise
            raise ValueError("a text has half a surrogate pair, which no UTF-8 text holds") from None

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; special tokens are left out, and incomplete characters become U+FFFD."""
        return b"".join(map(self.token_bytes, ids)).decode(errors="replace")

    def to_json(self) -> str:
        """Return the content of the tokenizer's file."""
        return self._inner.to_str()

    def save(self, file: Path) -> None:
        """Write tokenizer.json, which transformers and the tokenizers package read; whole or not at all."""
        with replacing(file) as temporary:
            temporary.write_text(self.to_json(), encoding="utf-8", newline="")


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train a byte-level BPE tokenizer of exactly `vocab_size` tokens: the separator (id 0), 256 bytes, and merges.

    The same texts give the same file, whatever the number of threads. A pair is merged if it occurs at least twice.

    Raises FieldError for a size below 257 or above 1,048,576, and for one that the texts do not support; PackageError
    without tokenizers.
    """
    check_size_of_vocabulary(vocab_size)
    if vocab_size > LARGEST_VOCABULARY:
        rule, remedy = f"a tokenizer has at most {LARGEST_VOCABULARY:,} tokens", (("vocab_size", LARGEST_VOCABULARY),)
        raise FieldError("vocab_size", vocab_size, rule, remedy)
    need(_NEEDS, "tokenizers")
    from tokenizers import Tokenizer as Inner
    from tokenizers import decoders, models, pre_tokenizers, trainers

    inner = Inner(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[SEPARATOR],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    inner.train_from_iterator((piece for text in texts for piece in pieces(text)), trainer)
    if (found := inner.get_vocab_size()) != vocab_size:
        rule = f"the text supports at most {found:,} tokens"
        raise FieldError("vocab_size", vocab_size, rule, (("vocab_size", found),))
    return Tokenizer(inner)


def check_size_of_vocabulary(vocab_size: int) -> None:
    """Raise FieldError for a vocabulary that is too small for the bytes and the separator."""
    if isinstance(vocab_size, bool) or not isinstance(vocab_size, int) or vocab_size < SMALLEST_VOCABULARY:
        rule = f"it must be at least {SMALLEST_VOCABULARY}: 256 bytes and the separator of documents"
        raise FieldError("vocab_size", vocab_size, rule, (("vocab_size", SMALLEST_VOCABULARY),))


_PREFIX = re.compile(rb'"continuing_subword_prefix"\s*:\s*"([^"]+)"')


def load_tokenizer(file: Path) -> Tokenizer:
    """Read a byte-level tokenizer.json, trained here or elsewhere.

    Raises ValueError, in one sentence, for a file that cannot be read or holds another kind of tokenizer; PackageError
    without tokenizers.
    """
    content = read_bytes(file, str(file), MAX_BYTES)
    need(_NEEDS, "tokenizers")
    from tokenizers import Tokenizer as Inner

    if prefix := _PREFIX.search(content):  # the package does not survive a merge of a token without it
        words = shown(prefix[1].decode(errors="replace"))
        raise ValueError(f"{file} is no byte-level tokenizer: it has the continuing_subword_prefix {words}")
    try:
        inner = Inner.from_str(content.decode())
    except Exception as error:  # the package raises plain Exception
        raise ValueError(f"{file} is no tokenizer.json that can be read: {shown(reason(error), 200)}") from None
    try:
        return Tokenizer(inner)
    except ValueError as error:
        raise ValueError(f"{file} is no byte-level tokenizer: {error}") from None


def pieces(text: str, length: int = _PIECE) -> Iterator[str]:
    """Yield a text in parts of about `length` characters, cut before the space between two words.

    Byte-level tokenizers never merge across that place, so the parts have the tokens of the whole. A text without
    such a place is cut after 4 · `length` characters.
    """
    start = 0
    while len(text) - start > length:
        found = _BETWEEN_WORDS.search(text, start + length, start + 4 * length)
        end = found.start() if found else start + 4 * length
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _separator(inner: "Inner") -> int:
    special = {added.content: number for number, added in inner.get_added_tokens_decoder().items() if added.special}
    if not special:
        raise ValueError("it has no special token to stand in front of documents")
    return next((special[name] for name in _STARTS if name in special), min(special.values()))


def _bytes_of_tokens(inner: "Inner") -> dict[int, bytes]:
    """Return the bytes of each id. Raises ValueError unless every byte has a token and all tokens are bytes."""
    added = inner.get_added_tokens_decoder()
    largest = max(inner.get_vocab().items(), key=itemgetter(1), default=("", -1))
    if largest[1] >= LARGEST_VOCABULARY:  # the package takes memory and time for all ids below it
        raise ValueError(
            f"its token {shown(largest[0])} has the id {largest[1]:,}: ids below {LARGEST_VOCABULARY:,} would work"
        )
    alphabet = _alphabet()
    written = {token: number for token, number in inner.get_vocab().items() if number not in added}
    if missing := len(alphabet.keys() - written.keys()):
        raise ValueError(f"it has no tokens for {missing} of the 256 bytes")
    found = {number: b"" if token.special else token.content.encode() for number, token in added.items()}
    for token, number in written.items():
        if foreign := set(token) - alphabet.keys():
            raise ValueError(f"its token {shown(token)} holds {shown(min(foreign))}, which stands for no byte")
        found[number] = bytes(alphabet[character] for character in token)
    return found


@cache
def _alphabet() -> dict[str, int]:
    """Return the byte of each character in which byte-level tokenizers write bytes (Radford et al. 2019, GPT-2)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
