"""Tiny models, data and recipes for tests of training."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from slimlm.core.architecture import Architecture
from slimlm.data.synthetic import known_entropy
from slimlm.data.token_data import TokenData
from slimlm.runs.recipe import TrainRecipe

VOCABULARY, LENGTH = 64, 16

COMPARED = ("metrics.jsonl", "model.safetensors", "best/model.safetensors", "best/best.json")
"""Files that are byte for byte the same, however often a run was interrupted."""


def tiny(**changes: object) -> Architecture:
    """Return an architecture of some 10,000 parameters, with dropout."""
    fields: dict[str, object] = {"d_model": 16, "d_ff": 32, "n_layers": 2, "n_heads": 2, "max_seq_length": LENGTH}
    return Architecture(**{"vocab_size": VOCABULARY, "positions": "rope", **fields, **changes})  # type: ignore[arg-type]


def recipe(**changes: object) -> TrainRecipe:
    """Return a recipe of 20 steps of 8 sequences."""
    fields: dict[str, object] = {"tokens": 20 * 8 * LENGTH, "batch_tokens": 8 * LENGTH, "log_every": 5}
    return TrainRecipe(**{**fields, **changes})  # type: ignore[arg-type]


@cache
def chain_data(train: int = 4096, heldout: int = 600) -> TokenData:
    """Return a source of known entropy, perhaps without held-out tokens."""
    found = known_entropy(VOCABULARY, train_tokens=train, heldout_tokens=max(1, heldout))
    return found if heldout else replace(found, heldout={})


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a run that do not depend on interruptions."""
    return {name: (folder / name).read_bytes() for name in COMPARED}
