"""Tokens to train and evaluate on, in windows whose order depends on a seed and a step alone.

Shapes: N tokens of a split, V vocab_size, S sequences of a batch, T tokens of a sequence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from slimlm.data.hashing import numbered_hashes
from slimlm.utils.validation import FieldError, check_whole

Tokens = NDArray[np.uint16] | NDArray[np.uint32]
"""Token ids as they are stored: two bytes each up to 65,536 ids, four above."""

Unit = Literal["byte", "symbol"]
"""What the length of a token is measured in: bytes of text, or symbols of a generated sequence."""


@dataclass(frozen=True, eq=False)
class TokenData:
    """One source of tokens: a training split, and held-out splits by name."""

    name: str
    vocab_size: int
    train: Tokens
    """Ids of the training split (N,): documents one after another."""
    heldout: Mapping[str, Tokens]
    """Ids of each held-out split: "validation" (parts of the training sources) and perhaps "out_of_domain"."""
    token_lengths: NDArray[np.int64]
    """Length of each token in `unit` (V,); 0 for special tokens, which are never scored."""
    digest: str
    """sha256 of everything that determines the tokens: equal digests mean equal batches."""
    unit: Unit = "byte"
    entropy: float | None = None
    """Entropy of a token given those before it, in nats, where the source is a generator with a known one."""

    def windows(self, length: int) -> int:
        """Return the number of training windows of `length` tokens, each with the token that follows its last."""
        return max(0, (len(self.train) - 1) // length)

    def batch(self, seed: int, step: int, sequences: int, length: int) -> NDArray[np.int64]:
        """Return the windows of one step, (S, T + 1): inputs are all but the last column, targets all but the first.

        The training split is cut into windows once. Each epoch visits every window once, in an order that depends on
        the seed and the epoch alone, so a step can be computed without those before it.

        Raises ValueError for a count below 1, a negative step, a split smaller than one batch, and an id that is not
        below the vocabulary size.
        """
        check_whole(sequences=sequences, length=length)
        if step < 0:
            raise ValueError(f"step={step} is not allowed: it must be 0 or above")
        count = self._windows_for(sequences, length)
        first = step * sequences
        rows = [_window(seed, number, count) for number in range(first, first + sequences)]
        batch = np.stack([self.train[row * length : (row + 1) * length + 1] for row in rows]).astype(np.int64)
        if (largest := int(batch.max())) >= self.vocab_size:
            raise ValueError(
                f"{self.name} holds the id {largest:,}: ids below vocab_size={self.vocab_size:,} would work"
            )
        return batch

    def check_batch(self, sequences: int, length: int) -> None:
        """Raise ValueError when the training split is smaller than one batch of sequences of a length."""
        check_whole(sequences=sequences, length=length)
        self._windows_for(sequences, length)

    def check_vocabulary(self, vocab_size: int) -> None:
        """Raise FieldError when a model of a vocabulary size has no embeddings for some of the ids."""
        if vocab_size < self.vocab_size:
            rule = f"it must be at least {self.vocab_size:,}, the number of ids of the tokens"
            raise FieldError("vocab_size", vocab_size, rule, (("vocab_size", self.vocab_size),))

    def _windows_for(self, sequences: int, length: int) -> int:
        count = self.windows(length)
        if count < sequences:
            raise ValueError(
                f"{self.name} has {len(self.train):,} training tokens, fewer than one batch of "
                f"{sequences * length + 1:,}: shorter or fewer sequences, or more text, would work"
            )
        return count


def token_dtype(vocab_size: int) -> type[np.uint16] | type[np.uint32]:
    """Return the type of numbers that stores ids below a vocabulary size."""
    return np.uint16 if vocab_size <= 1 << 16 else np.uint32


def as_tokens(ids: NDArray[np.int64], vocab_size: int) -> Tokens:
    """Return ids (N,) in the type of numbers that stores ids below a vocabulary size."""
    return ids.astype(np.uint16) if vocab_size <= 1 << 16 else ids.astype(np.uint32)


def _window(seed: int, number: int, count: int) -> int:
    """Return the window at a place of the endless order of all epochs."""
    epoch, place = divmod(number, count)
    return int(_order(seed, epoch, count)[place])


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Return the order of the windows in one epoch: sorted by a hash of seed, epoch and window.

    NumPy does not promise equal permutations in all its versions; a hash is the same everywhere.
    """
    return np.argsort(numbered_hashes(count, seed, epoch), kind="stable")
