"""Tokens to train and evaluate on, in windows whose order depends on a seed and a step alone.

Shapes: N tokens of a split, V vocab_size, S sequences of a batch, T tokens of a sequence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from slimlm.utils.validation import check_whole

Tokens = NDArray[np.uint16] | NDArray[np.uint32]
"""Token ids as they are stored: two bytes each up to 65,536 ids, four above."""

Unit = Literal["byte", "symbol"]
"""What the length of a token is measured in: bytes of text, or symbols of a generated sequence."""

_MASK = (1 << 64) - 1


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

        Raises ValueError for a count below 1, a negative step, and a split with fewer tokens than one window.
        """
        check_whole(sequences=sequences, length=length)
        if step < 0:
            raise ValueError(f"step={step} is not allowed: it must be 0 or above")
        if not (count := self.windows(length)):
            raise ValueError(
                f"{self.name} has {len(self.train):,} training tokens, fewer than one window of {length + 1:,}; "
                "a shorter sequence or more text would work"
            )
        first = step * sequences
        rows = [_window(seed, number, count) for number in range(first, first + sequences)]
        return np.stack([self.train[row * length : (row + 1) * length + 1] for row in rows]).astype(np.int64)


def _window(seed: int, number: int, count: int) -> int:
    """Return the window at a place of the endless order of all epochs."""
    epoch, place = divmod(number, count)
    return int(_order(seed, epoch, count)[place])


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Return the order of the windows in one epoch: sorted by a hash of seed, epoch and window.

    NumPy does not promise equal permutations in all its versions; a hash is the same everywhere.
    """
    key = _mix(np.array([(seed * 0x9E3779B97F4A7C15 + epoch * 0xD1B54A32D192ED03) & _MASK], dtype=np.uint64))
    return np.argsort(_mix(np.arange(count, dtype=np.uint64) ^ key), kind="stable")


def _mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return hashes of 64-bit numbers: the output function of SplitMix64 (Steele et al. 2014)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
