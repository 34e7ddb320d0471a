"""Log-probabilities of texts that continue a context, in batches of similar length.

Shapes: S sequences, T tokens of the longest one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from slimlm.evaluation.scoring import device_of, rows_at_once, token_scores
from slimlm.evaluation.undisturbed import undisturbed
from slimlm.model.language_model import LanguageModel

_MOST_ROWS = 64
_PADDING = 0


class TextEncoder(Protocol):
    """What evaluation needs of a tokenizer."""

    @property
    def bos_id(self) -> int:
        """Id of the token in front of a document."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes of each token (V,), 0 for special tokens."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without special tokens."""


@dataclass(frozen=True)
class Continuation:
    """Token ids to be scored, given those before them."""

    context: tuple[int, ...]
    """At least one id."""
    target: tuple[int, ...]


@dataclass(frozen=True)
class ContinuationScore:
    """What a model says of one continuation."""

    nats: float
    """−ln p of all its tokens together, added in float64."""
    is_greedy: bool
    """Whether each token is the most probable one."""


def encode_continuation(tokenizer: TextEncoder, context: str, text: str) -> Continuation:
    """Return a context, after the token that starts a document, and its continuation as ids.

    Both are encoded as one text; the continuation starts where its ids differ from those of the context alone. Spaces
    at the end of the context belong to the continuation, since tokens start with their space. These are the rules of
    lm_eval, but for a token that spans the border, which is scored here.

    Raises ValueError for a continuation without any token.
    """
    stem = context.rstrip()
    whole = tokenizer.encode(context + text)
    alone = tokenizer.encode(stem) if stem else []
    border = next((place for place, pair in enumerate(zip(whole, alone, strict=False)) if pair[0] != pair[1]), None)
    border = min(len(whole), len(alone)) if border is None else border
    if border == len(whole):
        raise ValueError("a continuation is empty: it must hold at least one token")
    return Continuation((tokenizer.bos_id, *whole[:border]), tuple(whole[border:]))


def scored_bytes(tokenizer: TextEncoder, continuation: Continuation) -> int:
    """Return the bytes of text that the scored tokens stand for."""
    return int(tokenizer.lengths[list(continuation.target)].sum())


def score_continuations(model: LanguageModel, requests: Sequence[Continuation]) -> list[ContinuationScore]:
    """Return the score of each continuation, in the order of the requests.

    Of a sequence that is longer than the model takes, the start of the context is left out; a continuation that is
    longer by itself is scored in windows, each token once (the rule of lm_eval's rolling log-likelihood). Sequences are
    sorted by length, so that batches hold little padding; random numbers and the mode of the model stay as they were.

    Raises ValueError for ids outside the vocabulary.
    """
    windows = [
        (number, window)
        for number, request in enumerate(requests)
        for window in _windows(request, model.architecture.max_seq_length)
    ]
    for _, window in windows:
        check_ids(model, (*window.context, *window.target))
    nats, greedy = [0.0] * len(requests), [True] * len(requests)
    with undisturbed(model):
        for batch in _batches(model, sorted(windows, key=lambda numbered: _length(numbered[1]))):
            ids = _padded([(*window.context, *window.target) for _, window in batch]).to(device_of(model))
            losses, is_greedy = token_scores(model, ids)
            for row, (number, window) in enumerate(batch):
                part = slice(len(window.context) - 1, _length(window))
                nats[number] += float(losses[row, part].sum())
                greedy[number] &= bool(is_greedy[row, part].all())
    return [ContinuationScore(*score) for score in zip(nats, greedy, strict=True)]


def _windows(request: Continuation, longest: int) -> Iterator[Continuation]:
    """Yield the parts of a continuation, with as much context as fits: the last id of a part is no input."""
    ids = (*request.context, *request.target)
    for first in range(len(request.context), len(ids), longest):
        end = min(first + longest, len(ids))
        yield Continuation(ids[max(0, end - longest - 1) : first], ids[first:end])


def _length(window: Continuation) -> int:
    """Return the number of inputs."""
    return len(window.context) + len(window.target) - 1


def check_ids(model: LanguageModel, ids: Sequence[int]) -> None:
    """Raise ValueError for an id that the model does not have: its tokenizer was another one."""
    if (highest := max(ids)) >= model.architecture.vocab_size:
        raise ValueError(
            f"the tokenizer gives id {highest:,}, but the model has {model.architecture.vocab_size:,} tokens: "
            "the tokenizer that the model was trained with would work"
        )


def _batches(
    model: LanguageModel, windows: Iterable[tuple[int, Continuation]]
) -> Iterator[list[tuple[int, Continuation]]]:
    """Yield windows with the numbers of their requests, shortest first, as many at once as their logits allow."""
    batch: list[tuple[int, Continuation]] = []
    for number, window in windows:
        if batch and len(batch) >= rows_at_once(model, _length(window), _MOST_ROWS, device_of(model)):
            yield batch
            batch = []
        batch.append((number, window))
    if batch:
        yield batch


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Return rows as one tensor (S, T), padded at the right, where a causal model does not look."""
    ids = torch.full((len(rows), max(map(len, rows))), _PADDING, dtype=torch.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
    return ids
