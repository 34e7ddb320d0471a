"""Log-probabilities of tokens: the one place where predictions are aligned with the tokens that they predict.

Shapes: S sequences, T tokens, V vocab_size.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from slimlm.model.language_model import LanguageModel

_MOST_LOGITS_CPU, _MOST_LOGITS = 1 << 24, 1 << 27
"""Logits computed at once, on the CPU (64 MiB in float32) and on other devices (512 MiB)."""


def token_nats(model: LanguageModel, ids: Tensor) -> Tensor:
    """Return −ln p of every token but the first, given those before it in its row, in float64 on the CPU (S, T).

    `ids` (S, T + 1) are on the model's device. The caller sets the mode and turns gradients off; logits are computed in
    the model's precision, or that of an autocast context, and normalised in float32 or better.
    """
    return _nats(_predictions(model, ids), ids[:, 1:])


def token_scores(model: LanguageModel, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Return what `token_nats` returns, and whether each token is the most probable one (S, T)."""
    logits, targets = _predictions(model, ids), ids[:, 1:]
    return _nats(logits, targets), (logits.argmax(dim=-1) == targets).cpu()


def _predictions(model: LanguageModel, ids: Tensor) -> Tensor:
    """Return the logits of every token but the first (S, T, V): those at the position before it."""
    logits: Tensor = model(ids[:, :-1])[0]
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _nats(logits: Tensor, targets: Tensor) -> Tensor:
    nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return nats.view(targets.shape).cpu().double()  # MPS has no float64


def rows_at_once(model: LanguageModel, length: int, most: int, device: torch.device) -> int:
    """Return how many sequences of `length` tokens are scored at once: at most `most`, within a limit on logits."""
    limit = _MOST_LOGITS_CPU if device.type == "cpu" else _MOST_LOGITS
    return max(1, min(most, limit // (length * model.architecture.vocab_size)))


def device_of(model: LanguageModel) -> torch.device:
    """Return the device of the weights."""
    return model.token_embedding.weight.device
