"""Batches of a run, each prepared while the device works on the one before."""

import numpy as np
import torch
from torch import Tensor

from slimlm.data.token_data import TokenData
from slimlm.train.processes import Processes


class Batches:
    """Rows of one process in each step's batch, (S, T + 1); on CUDA in pinned memory, copied without waiting."""

    def __init__(
        self,
        data: TokenData,
        *,
        seed: int,
        sequences: int,
        length: int,
        device: torch.device,
        processes: Processes | None = None,
    ) -> None:
        self._data, self._seed, self._sequences, self._length = data, seed, sequences, length
        self._rows = (processes or Processes()).rows(sequences)
        self._pinned = device.type == "cuda"
        self._next: tuple[int, Tensor] | None = None

    def __getitem__(self, step: int) -> Tensor:
        """Return the windows of a step."""
        if self._next is not None and self._next[0] == step:
            return self._next[1]
        found = self._data.batch(self._seed, step, self._sequences, self._length)[self._rows]
        windows = torch.from_numpy(np.ascontiguousarray(found))
        return windows.pin_memory() if self._pinned else windows

    def prepare(self, step: int) -> None:
        """Prepare the windows of a step that will be asked for next."""
        self._next = (step, self[step])
