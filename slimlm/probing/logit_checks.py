"""Loss, finiteness and causality, accumulated over vocabulary slices."""

import torch
from torch import Tensor


class LogitChecks:
    """Loss, finiteness and causality of two forward passes whose later tokens differ.

    `ids` (B, T) are the tokens of the first pass, against which its logits are scored. From position `changed` on, the
    second pass had other tokens.
    """

    def __init__(self, ids: Tensor, changed: int) -> None:
        self.ids, self._changed = ids, changed
        self._labels = ids[:, 1:]
        self._width = 0
        self._finite = torch.tensor(True, device=ids.device)
        self._leak, self._change = (torch.zeros((), device=ids.device) for _ in range(2))
        self._normaliser = torch.full(self._labels.shape, -torch.inf, device=ids.device)
        self._label_logits = torch.zeros(self._labels.shape, device=ids.device)
        self._leading: tuple[int, ...] = ()

    def add(self, first: int, logits: Tensor, other: Tensor) -> None:
        """Add the logits (B, T, v) of both passes for a slice of the vocabulary that starts at token `first`."""
        width, half = logits.shape[-1], self._changed
        self._leading, self._width = tuple(logits.shape[:-1]), self._width + width
        self._finite &= logits.isfinite().all()
        self._leak = torch.maximum(self._leak, _largest_change(logits[:, :half], other[:, :half]))
        self._change = torch.maximum(self._change, _largest_change(logits[:, half:], other[:, half:]))
        scored = logits[:, :-1]
        self._normaliser = torch.logaddexp(self._normaliser, scored.float().logsumexp(-1))
        places = self._labels - first
        labelled = scored.gather(-1, places.clamp(0, width - 1)[..., None])[..., 0].float()
        self._label_logits = torch.where((places >= 0) & (places < width), labelled, self._label_logits)

    @property
    def logits_shape(self) -> tuple[int, ...]:
        """The shape of all logits, (B, T, V)."""
        return (*self._leading, self._width)

    @property
    def finite(self) -> bool:
        """Whether every logit of the first pass is finite."""
        return bool(self._finite)

    @property
    def loss(self) -> float | None:
        """Mean shifted loss of the first pass in nats; None for one token, which has no next token to score."""
        return (self._normaliser - self._label_logits).mean().item() if self._labels.numel() else None

    @property
    def causal_leak(self) -> float:
        """Largest change of a logit before the first changed token."""
        return self._leak.item()

    @property
    def later_change(self) -> float:
        """Largest change of a logit from the first changed token on."""
        return self._change.item()


def _largest_change(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).abs().max().float() if one.numel() else one.new_zeros((), dtype=torch.float32)
