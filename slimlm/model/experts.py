"""Mixture of experts: a router, the routed experts with stacked weights, and shared experts.

Shazeer et al. 2017 (arXiv 1701.06538); shared experts: Dai et al. 2024, DeepSeekMoE (arXiv 2401.06066), section 3.2;
sigmoid scores and groups: DeepSeek-V3 (arXiv 2412.19437), section 2.1.2. Nothing balances the load of the experts: the
model has no auxiliary loss and no bias on its choices.

Shapes: N tokens of all sequences, D d_model, E n_experts, F d_ff, S experts_per_token.
"""

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from slimlm.model.feed_forwards import FEED_FORWARDS, GatedFeedForward
from slimlm.utils.validation import check_whole

_grouped_mm: Any = getattr(F, "grouped_mm", None) or getattr(torch, "_grouped_mm", None)

Matrices = tuple[Tensor | None, Tensor, Tensor]
"""Gate, up and down projection of one expert; no gate in a plain feed-forward."""

_FEW = 8
"""Rows from which on kernels give each the same bits: 2 in bfloat16 and 4 in float32, measured with oneDNN and MKL."""

Combine = Callable[[list[Tensor]], Tensor]
"""Maps what each expert made of its tokens (n, D) to the sum for each token (N, D)."""

_ALIGNED = 8
"""The grouped kernel needs rows of whole 16 bytes."""


class Router(nn.Module):
    """Choose experts for each token, and their weights; `weight` (E, D) has no bias.

    With groups, a token uses experts of its best groups alone. A group's score is that of its best expert, with sigmoid
    scores that of its best two together, as in DeepSeek-V2 and DeepSeek-V3.

    Raises ValueError for an integer below 1, and for groups that do not divide the experts.
    """

    def __init__(
        self,
        d_model: int,
        n_experts: int,
        experts_per_token: int,
        *,
        kind: str = "softmax",
        normalise: bool = True,
        scale: float = 1.0,
        n_groups: int = 1,
        groups_per_token: int = 1,
    ) -> None:
        check_whole(d_model=d_model, n_experts=n_experts, experts_per_token=experts_per_token, n_groups=n_groups)
        if n_experts % n_groups:
            raise ValueError(f"n_groups={n_groups} must divide n_experts={n_experts}")
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_experts, d_model))
        self.experts_per_token, self.kind, self.normalise, self.scale = experts_per_token, kind, normalise, scale
        self.n_groups, self.groups_per_token = n_groups, groups_per_token

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, D) to the weights (N, S), in float32, and the numbers (N, S) of each token's experts."""
        logits = F.linear(x, self.weight).float()
        scores = logits.softmax(dim=-1) if self.kind == "softmax" else logits.sigmoid()  # (N, E)
        chosen = self._of_best_groups(scores).topk(self.experts_per_token, dim=-1).indices
        weights = scores.gather(-1, chosen)
        if self.normalise:
            weights = weights / (weights.sum(dim=-1, keepdim=True) + 1e-20)
        return weights * self.scale, chosen

    def _of_best_groups(self, scores: Tensor) -> Tensor:
        """Return the scores with those outside each token's best groups below all others."""
        if self.n_groups == self.groups_per_token:
            return scores
        grouped = scores.view(*scores.shape[:-1], self.n_groups, -1)
        counted = min(2, grouped.shape[-1]) if self.kind == "sigmoid" else 1
        groups = grouped.topk(counted, dim=-1).values.sum(dim=-1).topk(self.groups_per_token, dim=-1).indices
        used = torch.zeros(*scores.shape[:-1], self.n_groups, dtype=torch.bool, device=scores.device)
        used = used.scatter(-1, groups, True)
        below: Tensor = grouped.masked_fill(~used[..., None], -1.0).flatten(-2)
        return below


class Experts(nn.Module):
    """Feed-forwards of equal shape with stacked weights: up_proj (E, F, D), down_proj (E, D, F), and gate_proj.

    Tokens are sorted by expert. Their products are one grouped product on devices that have it, else one for each
    expert.

    Raises ValueError for a size below 1.
    """

    def __init__(self, d_model: int, d_ff: int, n_experts: int, *, ffn: str = "swiglu") -> None:
        check_whole(d_model=d_model, d_ff=d_ff, n_experts=n_experts)
        super().__init__()
        kind = FEED_FORWARDS[ffn]
        self.activation, self.n_experts = kind.activation, n_experts
        self.gate_proj = (
            nn.Parameter(torch.empty(n_experts, d_ff, d_model)) if issubclass(kind, GatedFeedForward) else None
        )
        self.up_proj = nn.Parameter(torch.empty(n_experts, d_ff, d_model))
        self.down_proj = nn.Parameter(torch.empty(n_experts, d_model, d_ff))

    def forward(self, x: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
        """Map (N, D) to (N, D): the sum of each token's experts, with its weights (N, S) for the chosen ones (N, S)."""
        flat = chosen.flatten()
        order = flat.argsort(stable=True)
        rows = x[order // chosen.shape[-1]]  # (N · S, D), by expert
        found = self._grouped(rows, flat) if self._can_group(rows) else self._looped(rows, flat)
        return _combined(found, order, weights)

    def split(self, x: Tensor, weights: Tensor, chosen: Tensor) -> tuple[tuple[Tensor, ...], Combine]:
        """Return the tokens of each expert, and what makes `forward` of the same tokens passed through `apply_one`."""
        flat = chosen.flatten()
        order = flat.argsort(stable=True)
        rows = x[order // chosen.shape[-1]]
        return torch.split(rows, self._loads(flat)), lambda found: _combined(torch.cat(found), order, weights)

    def _can_group(self, rows: Tensor) -> bool:
        """Return whether the device has a grouped product for these weights: bfloat16 on Hopper and later."""
        if _grouped_mm is None or not (rows.is_cuda and self.up_proj.is_cuda):
            return False
        if torch.cuda.get_device_capability(rows.device) < (9, 0):
            return False
        return _product_dtype(rows) == torch.bfloat16 and all(size % _ALIGNED == 0 for size in self.up_proj.shape[1:])

    def _grouped(self, rows: Tensor, flat: Tensor) -> Tensor:
        # Not by bincount, which waits for the device.
        loads = torch.zeros(self.n_experts, dtype=torch.int64, device=flat.device)
        ends = loads.scatter_add(0, flat, torch.ones_like(flat)).cumsum(0).to(torch.int32)
        dtype = _product_dtype(rows)

        def product(x: Tensor, weight: Tensor) -> Tensor:
            found: Tensor = _grouped_mm(x.to(dtype), weight.to(dtype).transpose(-2, -1), offs=ends)
            return found

        if self.gate_proj is None:
            inner = self.activation(product(rows, self.up_proj))
        else:
            inner = self.activation(product(rows, self.gate_proj)) * product(rows, self.up_proj)
        return product(inner, self.down_proj)

    def _looped(self, rows: Tensor, flat: Tensor) -> Tensor:
        parts = zip(torch.split(rows, self._loads(flat)), self.each_expert(), strict=True)
        return torch.cat([self.apply_one(part, *matrices) for part, matrices in parts])

    def each_expert(self) -> Iterator[Matrices]:
        """Yield the gate, if there is one, the up and the down projection of each expert."""
        # Unbound at once: selecting each expert would give its gradient the memory of all.
        gates = repeat(None) if self.gate_proj is None else self.gate_proj.unbind()
        yield from zip(gates, self.up_proj.unbind(), self.down_proj.unbind(), strict=False)

    def apply_one(self, x: Tensor, gate: Tensor | None, up: Tensor, down: Tensor) -> Tensor:
        """Map tokens (n, D) to (n, D) by the matrices of one expert.

        Products of few rows have other kernels, whose sums round differently: with rows of zeros beside them, a token's
        result does not depend on how many later tokens chose the same expert. Training needs no such care.
        """
        n = len(x)
        if 0 < n < _FEW and not (torch.is_grad_enabled() or x.is_meta):
            x = F.pad(x, (0, 0, 0, _FEW - n))
        inner = F.linear(x, up)
        inner = self.activation(inner) if gate is None else self.activation(F.linear(x, gate)) * inner
        return F.linear(inner, down)[:n]

    def _loads(self, flat: Tensor) -> list[int]:
        """Return the number of tokens of each expert; on the meta device, where nothing is routed, as equal as can."""
        if flat.is_meta:
            each, more = divmod(flat.numel(), self.n_experts)
            return [each + (number < more) for number in range(self.n_experts)]
        loads: list[int] = torch.bincount(flat, minlength=self.n_experts).tolist()
        return loads


class MixtureOfExperts(nn.Module):
    """Feed-forward of routed experts and of shared ones, which every token uses.

    `d_shared` is the width of all shared experts together; 0: there are none. `shared_gate` multiplies their output by
    a sigmoid of the token (Qwen1.5-MoE).
    """

    def __init__(
        self,
        d_model: int,
        d_ff: int,
        router: Router,
        dropout: float = 0.0,
        *,
        ffn: str = "swiglu",
        d_shared: int = 0,
        shared_gate: bool = False,
    ) -> None:
        super().__init__()
        self.router = router
        self.experts = Experts(d_model, d_ff, router.weight.shape[0], ffn=ffn)
        self.shared_experts = FEED_FORWARDS[ffn](d_model, d_shared) if d_shared else None
        self.shared_expert_gate = nn.Linear(d_model, 1, bias=False) if shared_gate else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        tokens = x.flatten(0, -2)
        found = self.experts(tokens, *self.router(tokens)).view(x.shape)
        if self.shared_experts is not None:
            shared = self.shared_experts(x)
            gate = self.shared_expert_gate
            found = found + (shared if gate is None else gate(x).sigmoid() * shared)
        out: Tensor = self.dropout(found)
        return out


def _combined(found: Tensor, order: Tensor, weights: Tensor) -> Tensor:
    """Return (N, D) of what experts made, (N · S, D) in the order of the experts, with the weights (N, S)."""
    by_token = found[order.argsort()].view(*weights.shape, -1)  # (N, S, D)
    return (by_token * weights[..., None].to(by_token.dtype)).sum(dim=-2)


def _product_dtype(x: Tensor) -> torch.dtype:
    """Return the type in which a product with `x` is computed."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
