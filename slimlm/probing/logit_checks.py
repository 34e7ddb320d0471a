"""What the logits of two forward passes say, gathered from one slice of the vocabulary after the other."""

import torch
from torch import Tensor


class Findings:
    """Loss, finiteness and causality of two passes, the later tokens of which differ.

    `ids` (B, T) are the tokens of the first pass, which its logits are scored against; from position `changed` on, the
    second pass had others.
    """

    def __init__(self, ids: Tensor, changed: int) -> None:
        self.ids, self._changed = ids, changed
        self._labels = ids[:, 1:]
        self._width = 0
        self._finite = torch.tensor(True, device=ids.device)
        self._leak, self._change = (torch.zeros((), device=ids.device) for _ in range(2))
        self._normaliser = torch.full(self._labels.shape, -torch.inf, device=ids.device)
        self._scored = torch.zeros(self._labels.shape, device=ids.device)
        self._leading: tuple[int, ...] = ()

    def add(self, first: int, logits: Tensor, other: Tensor) -> None:
        """Take in both passes' logits (B, T, v) of the vocabulary from token `first` on."""
        width, half = logits.shape[-1], self._changed
        self._leading, self._width = tuple(logits.shape[:-1]), self._width + width
        self._finite &= logits.isfinite().all()
        self._leak = torch.maximum(self._leak, _largest_change(logits[:, :half], other[:, :half]))
        self._change = torch.maximum(self._change, _largest_change(logits[:, half:], other[:, half:]))
        scored = logits[:, :-1]
        self._normaliser = torch.logaddexp(self._normaliser, scored.float().logsumexp(-1))
        places = self._labels - first
        labelled = scored.gather(-1, places.clamp(0, width - 1)[..., None])[..., 0].float()
        self._scored = torch.where((places >= 0) & (places < width), labelled, self._scored)

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
        """Mean loss in nats of the first pass, shifted by one; None for one token, which has no next one to score."""
        return (self._normaliser - self._scored).mean().item() if self._labels.numel() else None

    @property
    def causal_leak(self) -> float:
        """Largest change of a logit before the first token that differs."""
        return self._leak.item()

    @property
    def later_change(self) -> float:
        """Largest change of a logit from there on."""
        return self._change.item()


def _largest_change(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).abs().max().float() if one.numel() else one.new_zeros((), dtype=torch.float32)
