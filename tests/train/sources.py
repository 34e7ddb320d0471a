"""Tiny models, data and recipes for tests of training."""

import numpy as np
from numpy.typing import NDArray

from slimlm.core.architecture import Architecture
from slimlm.data.token_data import TokenData
from slimlm.runs.recipe import TrainRecipe

VOCABULARY, LENGTH = 64, 16


def tiny(**changes: object) -> Architecture:
    """Return an architecture of some 10,000 parameters."""
    fields: dict[str, object] = {"d_model": 16, "d_ff": 32, "n_layers": 2, "n_heads": 2, "max_seq_length": LENGTH}
    return Architecture(**{"vocab_size": VOCABULARY, "positions": "rope", **fields, **changes})  # type: ignore[arg-type]


def recipe(**changes: object) -> TrainRecipe:
    """Return a recipe of 20 steps of 8 sequences."""
    fields: dict[str, object] = {"tokens": 20 * 8 * LENGTH, "batch_tokens": 8 * LENGTH, "log_every": 5}
    return TrainRecipe(**{**fields, **changes})  # type: ignore[arg-type]


def chain(tokens: int, seed: int = 0, vocabulary: int = VOCABULARY) -> tuple[NDArray[np.uint16], float]:
    """Return tokens of a Markov chain and its entropy in nats: each state has four successors, ½, ¼, ⅛ and ⅛.

    Every token is a successor of the same number of states, so the stationary distribution is uniform.
    """
    draw = np.random.default_rng(seed)
    shares = np.array([0.5, 0.25, 0.125, 0.125])
    successors = np.stack([np.random.default_rng(1000 + n).permutation(vocabulary) for n in range(4)])  # (4, V)
    choices = draw.choice(4, size=tokens, p=shares)
    found = np.empty(tokens, dtype=np.uint16)
    state = 0
    for place, choice in enumerate(choices.tolist()):
        state = int(successors[choice, state])
        found[place] = state
    return found, _entropy(successors, shares)


def _entropy(successors: NDArray[np.int64], shares: NDArray[np.float64]) -> float:
    entropies = []
    for state in range(successors.shape[1]):
        following = np.bincount(successors[:, state], weights=shares)
        following = following[following > 0]
        entropies.append(-(following * np.log(following)).sum())
    return float(np.mean(entropies))


def chain_data(train: int = 4096, heldout: int = 600, **changes: object) -> TokenData:
    """Return a source of known entropy."""
    tokens, entropy = chain(train + heldout)
    fields: dict[str, object] = {
        "name": "chain",
        "vocab_size": VOCABULARY,
        "train": tokens[:train],
        "heldout": {"validation": tokens[train:]} if heldout else {},
        "token_lengths": np.ones(VOCABULARY, dtype=np.int64),
        "digest": f"chain-{train}-{heldout}",
        "unit": "symbol",
        "entropy": entropy,
    }
    return TokenData(**{**fields, **changes})  # type: ignore[arg-type]
