"""Positions in attention: rotary angles and ALiBi biases, and their tables kept between forward passes.

Rotary positions in halves, as in GPT-NeoX and Llama (Su et al. 2021, "RoFormer", section 3.2.2); ALiBi (Press et al.
2021, "Train Short, Test Long", section 3).

Shapes: B batch, T tokens, H n_heads, K head_dim.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from slimlm.utils.validation import check_whole

Rotary = tuple[Tensor, Tensor]
"""Cosines and sines of the rotary angles, each (T, K); the sines of the first half are negative."""

KEPT_TABLES = 16
KEPT_BYTES = 64 * 2**20
"""Bytes of all kept tables; the latest table is kept even where it alone is larger."""

_Key = tuple[int, torch.device, torch.dtype]


def rotary_angles(
    tokens: int, head_dim: int, theta: float, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> Rotary:
    """Return cosines and sines of position · theta^(−2i / head_dim) (Su et al. 2021, eq. 15), for both halves.

    Raises ValueError for fewer than one token and for a head_dim that is not even.
    """
    check_whole(tokens=tokens, head_dim=head_dim)
    if head_dim % 2:
        raise ValueError(f"head_dim={head_dim} must be even: RoPE rotates pairs; head_dim={head_dim + 1} would work")
    pairs = torch.arange(0, head_dim, 2, device=device, dtype=torch.float32)
    positions = torch.arange(tokens, device=device, dtype=torch.float32)
    angles = torch.outer(positions, theta ** (-pairs / head_dim))
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((cos, cos), dim=-1).to(dtype), torch.cat((-sin, sin), dim=-1).to(dtype)


def rotate(x: Tensor, rotary: Rotary) -> Tensor:
    """Rotate queries or keys (B, T, H, K) by their positions: elements i and i + R / 2 are a pair.

    R is the width of the angles: K, or less where only the start of each head is rotated.
    """
    cos, sin = (angles[:, None] for angles in rotary)  # (T, 1, R)
    width = cos.shape[-1]
    if width < x.shape[-1]:
        return torch.cat((rotate(x[..., :width], rotary), x[..., width:]), dim=-1)
    return torch.addcmul(x * cos, x.roll(width // 2, dims=-1), sin)


def alibi_bias(
    n_heads: int, tokens: int, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """Return the ALiBi biases of the scores, (1, H, T, T): −slope · distance, and −∞ for later tokens.

    The slopes are a geometric sequence of powers of 2 (Press et al. 2021, section 3). Where the number of heads is not
    a power of two, they are those of the next lower power and every other one of the next higher, as in the paper's
    code.

    Raises ValueError for fewer than one head or token.
    """
    check_whole(n_heads=n_heads, tokens=tokens)
    power = 2 ** math.floor(math.log2(n_heads))
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    slopes += [2 ** (-4 * (2 * i + 1) / power) for i in range(n_heads - power)]
    positions = torch.arange(tokens, device=device)
    distance = (positions[:, None] - positions[None, :]).to(torch.float32)
    # Not created on the device: that would wait for it.
    per_head = torch.tensor(slopes, device="cpu", dtype=torch.float32).to(distance.device, non_blocking=True)
    scores = -per_head[:, None, None] * distance  # (H, T, T)
    return scores.masked_fill(distance < 0, -math.inf).to(dtype)[None]


def in_reach(window: int, tokens: int, device: torch.device | None = None, dtype: torch.dtype | None = None) -> Tensor:
    """Return which keys (columns) each query attends to, boolean (1, 1, T, T): itself and `window` − 1 tokens before.

    `dtype` is that of the model, which the table does not depend on. Raises ValueError for a window or tokens below 1.
    """
    check_whole(window=window, tokens=tokens)
    positions = torch.arange(tokens, device=device)
    distance = positions[:, None] - positions[None, :]
    return ((distance >= 0) & (distance < window))[None, None]


def windowed_alibi_bias(
    n_heads: int, window: int, tokens: int, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """Return `alibi_bias` with −∞ for keys outside a window as well.

    Raises ValueError as `alibi_bias` and `in_reach` do.
    """
    return alibi_bias(n_heads, tokens, device, dtype).masked_fill(~in_reach(window, tokens, device), -math.inf)


class PositionTables:
    """Computes the tables of a sequence length, device and dtype once, and keeps the latest of them.

    They are not part of a model's state: copies and pickles of a model start without them. `make(tokens, device=…,
    dtype=…)` returns a table or a tuple of tables.
    """

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make
        self._kept: OrderedDict[_Key, Any] = OrderedDict()

    def __call__(self, tokens: int, like: Tensor) -> Any:
        """Return the tables of a sequence length with the device and dtype of `like`."""
        # Tables made while a compiler traces, or under a mode such as FakeTensorMode, are not ordinary tensors.
        if torch.compiler.is_compiling() or type(like) is not Tensor:
            return self._make(tokens, device=like.device, dtype=like.dtype)
        key = (tokens, like.device, like.dtype)
        kept = self._kept.pop(key, None)
        if kept is None:
            with torch.inference_mode(False):  # inference tensors could not be used in training later
                kept = self._make(tokens, device=like.device, dtype=like.dtype)
        self._kept[key] = kept
        self._drop_oldest()
        return kept

    def clear(self) -> None:
        """Forget every table."""
        self._kept.clear()

    def _drop_oldest(self) -> None:
        while len(self._kept) > KEPT_TABLES or (len(self._kept) > 1 and self._bytes() > KEPT_BYTES):
            self._kept.pop(next(iter(self._kept)), None)

    def _bytes(self) -> int:
        return sum(part.nbytes for tables in list(self._kept.values()) for part in tables)

    def __getstate__(self) -> dict[str, Any]:
        return {"_make": self._make, "_kept": OrderedDict()}
