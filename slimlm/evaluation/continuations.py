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

    Of a sequence that is longer than the model takes, the start of the context is left out. Requests are sorted by
    length, so that batches hold little padding; random numbers and the mode of the model stay as they were.

    Raises ValueError for ids outside the vocabulary, and a continuation longer than the model takes.
    """
    rows = [_row(model, request) for request in requests]
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    found: dict[int, ContinuationScore] = {}
    with undisturbed(model):
        for numbers in _batches(model, rows, order):
            ids = _padded([rows[number] for number in numbers]).to(device_of(model))
            nats, is_greedy = token_scores(model, ids)
            for row, number in enumerate(numbers):
                end = len(rows[number]) - 1
                part = slice(end - len(requests[number].target), end)
                found[number] = ContinuationScore(float(nats[row, part].sum()), bool(is_greedy[row, part].all()))
    return [found[number] for number in range(len(rows))]


def check_ids(model: LanguageModel, ids: Sequence[int]) -> None:
    """Raise ValueError for an id that the model does not have: its tokenizer was another one."""
    if (highest := max(ids)) >= model.architecture.vocab_size:
        raise ValueError(
            f"the tokenizer gives id {highest:,}, but the model has {model.architecture.vocab_size:,} tokens: "
            "the tokenizer that the model was trained with would work"
        )


def _row(model: LanguageModel, request: Continuation) -> tuple[int, ...]:
    """Return the ids of a sequence, cut from the left to what the model takes: the last id is no input."""
    longest = model.architecture.max_seq_length
    ids = (*request.context, *request.target)
    check_ids(model, ids)
    if len(request.target) > longest:
        raise ValueError(
            f"a continuation has {len(request.target):,} tokens, and the model takes {longest:,}: a shorter text would "
            "work"
        )
    return ids[-longest - 1 :]


def _batches(model: LanguageModel, rows: Sequence[Sequence[int]], order: Iterable[int]) -> Iterator[list[int]]:
    """Yield the numbers of rows, shortest first, as many at once as their logits allow."""
    batch: list[int] = []
    for number in order:
        length = len(rows[number]) - 1
        if batch and len(batch) >= rows_at_once(model, length, _MOST_ROWS, device_of(model)):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Return rows as one tensor (S, T), padded at the right, where a causal model does not look."""
    ids = torch.full((len(rows), max(map(len, rows))), _PADDING, dtype=torch.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
    return ids
