"""Weights drawn on all cores, and any part of a model's weights without the rest.

Each matrix is cut into chunks of whole rows, and each chunk is drawn from a generator of its own, whose seed follows
from the model's seed and the chunk's number in the model. So the weights depend neither on the number of threads nor on
what else is drawn; float32 and bfloat16 weights of one seed are the same numbers, rounded.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import torch
from torch import Tensor, nn

INIT_STD = 0.02
"""Standard deviation of every weight matrix at initialisation."""

CHUNK = 2**20
"""Elements that are drawn from one seed, at most, where a row is no longer."""

_SEEDS = 2**32  # what the CPU's generator tells apart

Drawn = Callable[[int], object]
"""Called with the number of elements of each vector and chunk that was drawn; what it raises ends the drawing."""


def random_seed() -> int:
    """Return a seed from torch's global generator, which `torch.manual_seed` sets."""
    return int(torch.randint(_SEEDS, (), device="cpu"))


def chunk_rows(columns: int) -> int:
    """Return how many rows of a matrix a chunk has."""
    return max(1, CHUNK // max(1, columns))


class Weights:
    """The weights of a model as its seed decides them: matrices normal with std 0.02, norms one, biases zero.

    The model may lie on the meta device: only the names and shapes of its parameters are read.
    """

    def __init__(self, model: nn.Module, seed: int) -> None:
        # Numbers that follow each other: no two chunks of a model share a seed, as hashes of 32 bits might.
        number = seed * 0x9E3779B97F4A7C15 >> 32
        self._first: dict[str, int] = {}
        for name, parameter in model.named_parameters():
            self._first[name] = number
            if parameter.ndim > 1:
                number += -(-parameter.shape[0] // chunk_rows(parameter.shape[1]))

    def draw(self, parameters: Mapping[str, Tensor], on_drawn: Drawn | None = None) -> None:
        """Draw whole parameters in place; the keys are their names in the model."""
        for name, vector in parameters.items():
            if vector.ndim == 1:
                vector.detach().fill_(0.0 if name.endswith("bias") else 1.0)
                if on_drawn:
                    on_drawn(vector.numel())
        matrices = {name: tensor for name, tensor in parameters.items() if tensor.ndim > 1}
        _draw_all((job for name, matrix in matrices.items() for job in self._jobs(name, matrix)), on_drawn)

    def draw_rows(self, name: str, rows: Tensor, first: int, on_drawn: Drawn | None = None) -> None:
        """Draw the rows of a matrix from number `first`, with which a chunk has to begin, in place."""
        _draw_all(self._jobs(name, rows, first), on_drawn)

    def pick_rows(self, name: str, numbers: Tensor, like: Tensor, on_drawn: Drawn | None = None) -> Tensor:
        """Return the rows (*N, columns) of a matrix at `numbers` (*N), with the device and dtype of `like`.

        Only the chunks that these rows lie in are drawn. `like` is the matrix, which may lie on the meta device.
        """
        wanted, places = torch.unique(numbers, return_inverse=True)
        step, height = chunk_rows(like.shape[1]), like.shape[0]
        found = torch.empty(len(wanted), like.shape[1], device=numbers.device, dtype=like.dtype)
        for chunk in torch.unique(wanted // step).tolist():
            rows = torch.empty(min(step, height - chunk * step), like.shape[1], device=found.device, dtype=found.dtype)
            self.draw_rows(name, rows, chunk * step, on_drawn)
            inside = wanted // step == chunk
            found[inside] = rows[wanted[inside] - chunk * step]
        return found[places]

    def _jobs(self, name: str, rows: Tensor, first: int = 0) -> Iterator[tuple[Tensor, int]]:
        step = chunk_rows(rows.shape[1])
        start = self._first[name] + first // step
        for number, chunk in enumerate(torch.split(rows.detach(), step)):
            yield chunk, (start + number) % _SEEDS


def _draw_all(jobs: Iterable[tuple[Tensor, int]], on_drawn: Drawn | None) -> None:
    """Draw chunks on all cores, a few ahead of the one that is waited for."""
    report, ahead = on_drawn or (lambda elements: None), 2 * torch.get_num_threads()
    pending = deque[Future[int]]()
    try:
        for job in jobs:
            pending.append(_pool(torch.get_num_threads()).submit(_draw_chunk, *job))
            if len(pending) > ahead:
                report(pending.popleft().result())
        while pending:
            report(pending.popleft().result())
    finally:
        for future in pending:  # none is left to write into memory that its owner has given up
            if not future.cancel():
                future.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    # Kept: threads that come and go would each leave torch a team of threads of its own.
    return ThreadPoolExecutor(threads, thread_name_prefix="drawing")


@torch.inference_mode()
def _draw_chunk(chunk: Tensor, seed: int) -> int:
    generator = torch.Generator(chunk.device).manual_seed(seed)
    if chunk.dtype == torch.float32:
        chunk.normal_(std=INIT_STD, generator=generator)
    else:  # drawn as they are in float32, and rounded
        drawn = torch.empty(chunk.shape, device=chunk.device).normal_(std=INIT_STD, generator=generator)
        chunk.copy_(drawn)
    return chunk.numel()
