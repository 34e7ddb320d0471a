"""Text samples of a model."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from slimlm.evaluation.continuations import TextEncoder, check_ids
from slimlm.evaluation.scoring import device_of
from slimlm.evaluation.undisturbed import undisturbed
from slimlm.model.language_model import LanguageModel
from slimlm.utils.validation import FieldError, check_whole


class TextCoder(TextEncoder, Protocol):
    """A tokenizer that also turns ids back into text."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, without special tokens."""


def sample(
    model: LanguageModel,
    tokenizer: TextCoder,
    prompt: str = "",
    *,
    tokens: int = 100,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
) -> str:
    """Return a prompt and at most `tokens` tokens that the model writes after it.

    The prompt follows the token that starts a document, and the text ends where the model would start another.
    `temperature=0` always takes the most probable token; `top_k` leaves only the k most probable ones. One seed gives
    one text on one device; the global random numbers and the mode of the model stay as they were.

    Ids for which the tokenizer has no text are never written.

    Raises ValueError for settings outside their ranges, a tokenizer with other ids than the model's, and a model whose
    logits are not finite.
    """
    ids = [tokenizer.bos_id, *tokenizer.encode(prompt)]
    written = next_tokens(
        model,
        ids,
        tokens=tokens,
        temperature=temperature,
        top_k=top_k,
        seed=seed,
        stop=tokenizer.bos_id,
        lengths=tokenizer.lengths,
    )
    return tokenizer.decode([*ids[1:], *written])


def next_tokens(
    model: LanguageModel,
    ids: Sequence[int],
    *,
    tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
    stop: int | None = None,
    lengths: NDArray[np.int64] | None = None,
) -> list[int]:
    """Return at most `tokens` ids that follow some ids (at least one), without the id `stop`, which ends them.

    The model sees the last max_seq_length ids. Of other ids than `stop`, only those with a length in `lengths` (V,) are
    chosen, if it is given. Errors are those of `sample`.
    """
    _check(tokens, temperature, top_k, seed)
    if not ids:
        raise ValueError("there is no id to go on from: that of the token that starts a document would work")
    check_ids(model, ids)
    without_text = _without_text(lengths, model.architecture.vocab_size, stop)
    generator = torch.Generator().manual_seed(seed)
    known = list(ids)
    with undisturbed(model):
        for _ in range(tokens):
            window = torch.tensor([known[-model.architecture.max_seq_length :]], device=device_of(model))
            logits = model(window)[0][0, -1].cpu().double().masked_fill(without_text, -math.inf)
            following = _choose(logits, temperature, top_k, generator)
            if following == stop:
                break
            known.append(following)
    return known[len(ids) :]


def _without_text(lengths: NDArray[np.int64] | None, vocab_size: int, stop: int | None) -> Tensor:
    """Return which ids must not be chosen (V,)."""
    if lengths is None:
        return torch.zeros(vocab_size, dtype=torch.bool)
    found = torch.ones(vocab_size, dtype=torch.bool)
    found[: len(lengths)] = torch.from_numpy(lengths[:vocab_size] == 0)
    if stop is not None:
        found[stop] = False
    return found


def _choose(logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator) -> int:
    """Return the next id for logits (V,), drawn on the CPU in float64, so that devices differ by the logits alone."""
    highest = logits.max()
    if not torch.isfinite(highest):
        raise ValueError("the model gives logits that are not finite: one whose training has not diverged would work")
    if temperature == 0:
        return int(logits.argmax())
    if top_k is not None and top_k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(top_k).values[-1], -math.inf)
    return int(torch.multinomial(((logits - highest) / temperature).softmax(dim=0), 1, generator=generator))


def _check(tokens: int, temperature: float, top_k: int | None, seed: int) -> None:
    check_whole(tokens=tokens)
    if top_k is not None:
        check_whole(top_k=top_k)
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0 <= temperature < math.inf:
        rule = "it must be a finite number of at least 0 (the most probable token)"
        raise FieldError("temperature", temperature, rule, (("temperature", 0.8),))
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise FieldError("seed", seed, "it must be a whole number from 0 to 2**63 − 1", (("seed", 0),))
