"""Processes that train one model together, as `torchrun` starts them: each takes its rows of every batch."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class Processes:
    """One process among those that train together."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the records."""
        return self.rank == 0

    def rows(self, sequences: int) -> slice:
        """Return the rows of a batch that are this process's."""
        share = sequences // self.count
        return slice(self.rank * share, (self.rank + 1) * share)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their means over all processes, in one exchange."""
        if self.count == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        flat /= self.count
        for tensor, mean in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """Return the tensors of all processes, which have the same shape."""
        if self.count == 1:
            return [tensor]
        found = [torch.empty_like(tensor) for _ in range(self.count)]
        distributed.all_gather(found, tensor)
        return found

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def joined_processes(device_type: str) -> Iterator[Processes]:
    """Join the processes that torchrun started; outside torchrun, the one process is alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    begun = not distributed.is_initialized()
    if begun:
        distributed.init_process_group("nccl" if device_type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        if begun:
            distributed.destroy_process_group()


def local_device(device: torch.device) -> torch.device:
    """Return the device of this process: under torchrun, each has a CUDA device of its own."""
    number = os.environ.get("LOCAL_RANK")
    if device.type == "cuda" and device.index is None and number is not None:
        return torch.device("cuda", int(number))
    return device
