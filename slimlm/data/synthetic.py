"""A generated source of known entropy: the lowest loss that any model can reach on it is exact.

Tokens belong to classes. The class of a token depends on the class of the one before it (a Markov chain), and the
token then on its class alone, so a model of any size can learn the source, and its entropy has a closed form.
"""

import hashlib
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from slimlm.data.hashing import numbered_hashes, uniforms
from slimlm.data.token_data import TokenData, as_tokens
from slimlm.utils.validation import FieldError, check_whole

SMALLEST_VOCABULARY = 16

_MOST_CLASSES = 16
_WEIGHTS = np.array([128, 64, 40, 24])
"""Of the classes that may follow a class, in 256ths."""

_SKEW = 1.0
"""Exponent of the power law of the tokens within a class: 1 is Zipf's law."""


class MarkovSource:
    """A stationary source of tokens over a vocabulary. V vocab_size, C classes, N tokens."""

    def __init__(self, vocab_size: int, seed: int = 0) -> None:
        """Choose a source. Raises FieldError for a vocabulary of fewer than 16 tokens."""
        check_whole(vocab_size=vocab_size)
        if vocab_size < SMALLEST_VOCABULARY:
            rule = f"it must be at least {SMALLEST_VOCABULARY}"
            raise FieldError("vocab_size", vocab_size, rule, (("vocab_size", SMALLEST_VOCABULARY),))
        self.vocab_size, self.seed = vocab_size, seed
        self.classes = min(_MOST_CLASSES, vocab_size // 4)
        """Number of classes C."""

    @cached_property
    def class_of(self) -> NDArray[np.int64]:
        """Class of each token (V,)."""
        order = np.argsort(numbered_hashes(self.vocab_size, self.seed, 0), kind="stable")
        found = np.empty(self.vocab_size, dtype=np.int64)
        found[order] = np.arange(self.vocab_size) % self.classes
        return found

    @cached_property
    def transitions(self) -> NDArray[np.float64]:
        """Probability of each class after each class (C, C): four of a row are above 0, in 256ths.

        The most probable one is the next class of a cycle through all, so that each class can be reached from each.
        """
        found = np.zeros((self.classes, self.classes))
        for row in range(self.classes):
            order = np.argsort(numbered_hashes(self.classes, self.seed, 1, row), kind="stable")
            cyclic = (row + 1) % self.classes
            followers = [cyclic, *order[order != cyclic][: len(_WEIGHTS) - 1]]
            found[row, followers] = _WEIGHTS / 256
        return found

    @cached_property
    def stationary(self) -> NDArray[np.float64]:
        """Share of each class in the long run (C,): π with πP = π and sum 1, solved to float64."""
        equations = np.vstack([self.transitions.T - np.eye(self.classes), np.ones(self.classes)])
        solution, *_ = np.linalg.lstsq(equations, np.append(np.zeros(self.classes), 1.0))
        return np.asarray(solution)

    @cached_property
    def within_class(self) -> NDArray[np.float64]:
        """Probability of each token given its class (V,): a power law, in an order of its own for each class."""
        found = np.empty(self.vocab_size)
        keys = numbered_hashes(self.vocab_size, self.seed, 2)
        for number in range(self.classes):
            members = np.flatnonzero(self.class_of == number)
            weights = np.arange(1, len(members) + 1) ** -_SKEW
            found[members[np.argsort(keys[members])]] = weights / weights.sum()
        return found

    @cached_property
    def entropy(self) -> float:
        """Entropy of a token given all before it, in nats.

        It is that of the class given the class before, plus that of the token given its class, both averaged over the
        stationary distribution; tokens further back say nothing more (Cover and Thomas 2006, theorem 4.2.4).
        """
        own = np.bincount(self.class_of, _surprise(self.within_class), self.classes)
        return float(self.stationary @ (_surprise(self.transitions).sum(axis=1) + own))

    def sample(self, count: int, stream: int = 0) -> NDArray[np.int64]:
        """Return `count` tokens (N,), starting from the stationary distribution; each stream gives others."""
        classes = self._sample_classes(count, stream)
        chance = uniforms(count, self.seed, 3, stream)
        found = np.empty(count, dtype=np.int64)
        for number in range(self.classes):
            members = np.flatnonzero(self.class_of == number)
            places = np.flatnonzero(classes == number)
            below = np.cumsum(self.within_class[members])[:-1]
            found[places] = members[np.searchsorted(below, chance[places], side="right")]
        return found

    def _sample_classes(self, count: int, stream: int) -> NDArray[np.int64]:
        """Return the classes of tokens (N,): one byte of chance chooses among 256 equally probable followers."""
        followers = [np.repeat(np.arange(self.classes), row).tolist() for row in _in_256ths(self.transitions)]
        chance = (numbered_hashes(count, self.seed, 4, stream) >> np.uint64(56)).tolist()
        start = uniforms(1, self.seed, 5, stream)[0]
        state = int(np.searchsorted(np.cumsum(self.stationary)[:-1], start, side="right"))
        found = np.empty(count, dtype=np.int64)
        for place, byte in enumerate(chance):
            found[place] = state
            state = followers[state][byte]
        return found

    def log_probabilities(self, tokens: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the log probability, in nats, of each token but the first given the one before it (N - 1,).

        Its mean over a sample is minus the loss of a perfect model on it: closer to that model's loss than the
        entropy, which is the mean over all samples. It is -inf where a token cannot follow.
        """
        classes = self.class_of[tokens]
        with np.errstate(divide="ignore"):
            found: NDArray[np.float64] = np.log(
                self.transitions[classes[:-1], classes[1:]] * self.within_class[tokens[1:]]
            )
        return found


def known_entropy(
    vocab_size: int, *, seed: int = 0, train_tokens: int = 1_000_000, heldout_tokens: int = 100_000
) -> TokenData:
    """Return a generated source with its exact entropy; the unit of its lengths is the symbol, one a token.

    The training split and the split "validation" are independent samples of `MarkovSource(vocab_size, seed)`.

    Raises FieldError for a vocabulary of fewer than 16 tokens and for counts below 1.
    """
    check_whole(train_tokens=train_tokens, heldout_tokens=heldout_tokens)
    source = MarkovSource(vocab_size, seed)
    train, heldout = (
        as_tokens(source.sample(count, stream), vocab_size)
        for stream, count in enumerate((train_tokens, heldout_tokens))
    )
    request = f"slimlm-markov-1 {vocab_size} {seed} {train_tokens} {heldout_tokens}"
    return TokenData(
        name="known entropy",
        vocab_size=vocab_size,
        train=train,
        heldout={"validation": heldout},
        token_lengths=np.ones(vocab_size, dtype=np.int64),
        digest=hashlib.sha256(request.encode()).hexdigest(),
        unit="symbol",
        entropy=source.entropy,
    )


def _surprise(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -p ln p of each probability, 0 for p = 0."""
    return -probabilities * np.log(np.where(probabilities > 0, probabilities, 1.0))


def _in_256ths(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(256 * probabilities).astype(np.int64)
