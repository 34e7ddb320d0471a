"""Held-out loss in bits per byte: comparable between tokenizers, since it counts bytes of text instead of tokens.

Shapes: N tokens of a split, V vocab_size, S sequences of a batch, T tokens of a window.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from slimlm.data.token_data import Tokens
from slimlm.evaluation.scoring import device_of, rows_at_once, token_nats
from slimlm.evaluation.undisturbed import undisturbed
from slimlm.model.device import pick_device
from slimlm.model.language_model import LanguageModel
from slimlm.utils.validation import FieldError, check_whole

_SPECIAL = 0
"""Length of a special token, which is no text."""


@dataclass(frozen=True)
class HeldoutLoss:
    """Summed loss of a split. Special tokens are in none of the sums."""

    nats: float
    """Sum of −ln p over the scored tokens, added in float64."""
    tokens: int
    """Scored tokens."""
    units: int
    """Length of the scored tokens: bytes of text, or symbols of a generated sequence."""

    @property
    def nats_per_token(self) -> float:
        """Mean loss of a token, as training reports it."""
        return self.nats / self.tokens

    @property
    def bits_per_unit(self) -> float:
        """Mean loss of a byte (or symbol) in bits."""
        return self.nats / self.units / math.log(2)


def heldout_loss(
    model: LanguageModel,
    tokens: Tokens,
    token_lengths: NDArray[np.int64],
    *,
    length: int,
    sequences: int = 16,
    device: torch.device | str | None = None,
    beat: Callable[[], object] | None = None,
) -> HeldoutLoss:
    """Return the loss of a model on a split of N token ids, and the length of what was scored.

    Every token but the first is scored exactly once: windows of `length` + 1 tokens start every `length` tokens, and
    the last one is padded, so that all batches have one shape. A token sees at most `length` tokens before it.
    `token_lengths` (V,) is the length of each token, 0 for special ones, which are seen but not scored. `device` is
    that of the model by default. At most `sequences` windows are scored at once, fewer where their logits would take
    much memory. Random numbers and the mode of the model stay as they were. `beat` is called before each batch.

    Raises ValueError for a device that is not there, a count below 1, a window longer than the model takes, ids outside
    the vocabulary, and a split without any token to score.
    """
    check_whole(length=length, sequences=sequences)
    _check_split(model, tokens, token_lengths, length)
    target = device_of(model) if device is None else _device(device)
    rows = rows_at_once(model, length, min(sequences, -(-(len(tokens) - 1) // length)), target)
    nats, scored_tokens, units = 0.0, 0, 0
    with undisturbed(model):
        for batch, is_target in _batches(tokens, length, rows):
            if beat:
                beat()
            lengths = token_lengths[batch[:, 1:]] * is_target  # (S, T)
            scored = lengths > _SPECIAL
            losses = token_nats(model, torch.from_numpy(batch).to(target)).numpy()
            nats += float(losses[scored].sum())
            scored_tokens += int(scored.sum())
            units += int(lengths.sum())
    if not scored_tokens:
        raise ValueError(f"the split of {len(tokens):,} tokens has only special ones after its first; text would work")
    _check_units(units, tokens, token_lengths)
    return HeldoutLoss(nats, scored_tokens, units)


def _device(device: torch.device | str) -> torch.device:
    return device if isinstance(device, torch.device) else pick_device(device)


def _batches(tokens: Tokens, length: int, rows: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Yield token ids (S, T + 1), and which of their last T belong to the split (S, T); id 0 is the padding."""
    count = len(tokens) - 1
    for first in range(0, count, rows * length):
        here = min(rows * length, count - first)
        flat = np.zeros(rows * length + 1, dtype=np.int64)
        flat[: here + 1] = tokens[first : first + here + 1]
        starts = np.arange(0, rows * length, length)
        is_target = np.arange(rows * length).reshape(rows, length) < here
        yield flat[starts[:, None] + np.arange(length + 1)], is_target


def _check_split(model: LanguageModel, tokens: Tokens, token_lengths: NDArray[np.int64], length: int) -> None:
    if len(tokens) < 2:
        raise ValueError(f"a split must hold at least 2 tokens, one of them to be scored: it holds {len(tokens)}")
    if length > (longest := model.architecture.max_seq_length):
        raise FieldError("length", length, f"the model takes at most {longest} tokens", (("length", longest),))
    known = min(len(token_lengths), model.architecture.vocab_size)
    if (highest := int(tokens.max())) >= known:
        raise ValueError(f"the split holds token {highest}, but ids must be below {known}: its tokenizer is another")


def _check_units(units: int, tokens: Tokens, token_lengths: NDArray[np.int64]) -> None:
    """Every unit of the split must have been scored once, but those of its first token, which nothing precedes."""
    counts = np.bincount(tokens, minlength=len(token_lengths))
    whole = int(counts @ token_lengths)
    assert units + int(token_lengths[tokens[0]]) == whole, (
        "the scored lengths and the first token must add to the split"
    )
