"""Parallel weight initialisation; any block or any rows of a matrix can be initialised alone.

Each matrix is divided into chunks of whole rows. Each chunk has a random generator of its own, seeded by the model's
seed and the chunk's number in the model. So the weights do not depend on the number of threads, on the order, or on
which other weights are initialised. The generators run on the CPU: one seed gives the same weights on every device.
The bfloat16 weights of a seed are its float32 weights, rounded.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

INIT_STD = 0.02
"""Standard deviation of every weight matrix at initialisation."""

CHUNK = 2**20
"""Maximum number of elements of a chunk; a longer row is a chunk of its own."""

_SEEDS = 2**32  # the CPU generator uses 32 bits of its seed

OnInitialised = Callable[[int], object]
"""Called with the number of elements of each vector and chunk when it is done; exceptions it raises cancel the work."""


def random_seed() -> int:
    """Return a seed from torch's global generator, which `torch.manual_seed` sets."""
    return int(torch.randint(_SEEDS, (), device="cpu"))


def chunk_rows(columns: int) -> int:
    """Return the number of rows of a chunk."""
    return max(1, CHUNK // max(1, columns))


class Weights:
    """The initial weights of a model and a seed: matrices normal with std 0.02, norms one, biases zero.

    Only the names and shapes of the model's parameters are read: it may be on the meta device. Its first block stands
    for the first `n_dense_layers` of `n_layers` layers, and its last block for the others. Stacked matrices count as
    that many matrices: no chunk has rows of two.
    """

    def __init__(self, model: nn.Module, seed: int, n_layers: int = 1, n_dense_layers: int = 0) -> None:
        # Multiplicative hashing: nearby seeds start far apart. Chunks count up from there, so that no two chunks of a
        # model share a seed, as hashes of 32 bits might.
        number = seed * 0x9E3779B97F4A7C15 >> 32
        parameters = dict(model.named_parameters())
        last = max((layer for name in parameters if (layer := _layer(name)) is not None), default=0)
        self._blocks = _BlockChunks.of(parameters, 0), _BlockChunks.of(parameters, last)
        self._n_dense, self._first_of_blocks = n_dense_layers, 0
        self._first: dict[str, int] = {}
        for name, parameter in parameters.items():
            if _layer(name) is None:
                self._first[name] = number
                number += _count_chunks(parameter)
            elif not self._first_of_blocks:
                self._first_of_blocks = number
                number += self._before(n_layers)

    def _before(self, layer: int) -> int:
        """Return the number of chunks in the blocks before a layer."""
        dense, usual = self._blocks
        n_dense = min(layer, self._n_dense)
        return n_dense * dense.total + (layer - n_dense) * usual.total

    def initialise(self, parameters: Mapping[str, Tensor], on_initialised: OnInitialised | None = None) -> None:
        """Initialise whole parameters in place; the keys are their names in the model."""
        for name, vector in parameters.items():
            if vector.ndim == 1:
                vector.detach().fill_(0.0 if name.endswith("bias") else 1.0)
                if on_initialised:
                    on_initialised(vector.numel())
        matrices = {name: tensor for name, tensor in parameters.items() if tensor.ndim > 1}
        jobs = (job for name, matrix in matrices.items() for job in self._jobs(name, matrix))
        _initialise_chunks(jobs, on_initialised)

    def initialise_rows(self, name: str, rows: Tensor, first: int, on_initialised: OnInitialised | None = None) -> None:
        """Initialise the rows of a matrix from row `first` in place; a chunk must begin there.

        Of stacked matrices, `rows` are whole matrices from number `first`.
        """
        _initialise_chunks(self._jobs(name, rows, first), on_initialised)

    def pick_rows(
        self, name: str, numbers: Tensor, like: Tensor, on_initialised: OnInitialised | None = None
    ) -> Tensor:
        """Return the rows (*N, columns) of a matrix at `numbers` (*N), on their device.

        Only the chunks that contain these rows are initialised. `like` has the shape and the dtype of the matrix and
        may be on the meta device.
        """
        wanted, places = torch.unique(numbers, return_inverse=True)
        step, height = chunk_rows(like.shape[1]), like.shape[0]
        found = torch.empty(len(wanted), like.shape[1], device=numbers.device, dtype=like.dtype)
        for chunk in torch.unique(wanted // step).tolist():
            rows = torch.empty(min(step, height - chunk * step), like.shape[1], device=found.device, dtype=found.dtype)
            self.initialise_rows(name, rows, chunk * step, on_initialised)
            inside = wanted // step == chunk
            found[inside] = rows[wanted[inside] - chunk * step]
        return found[places]

    @staticmethod
    def picked(numbers: Tensor, like: Tensor) -> int:
        """Return the number of elements that `pick_rows` initialises, about: whole chunks."""
        step = chunk_rows(like.shape[1])
        return len(torch.unique(numbers // step)) * min(step, like.shape[0]) * like.shape[1]

    def _jobs(self, name: str, rows: Tensor, first: int = 0) -> Iterator[tuple[Tensor, int]]:
        """Yield chunks and their seeds of the rows of a matrix, or of the matrices of a stack, from number `first`."""
        step = chunk_rows(rows.shape[-1])
        start = self._first_chunk(name) + (first // step if rows.ndim == 2 else first * _count_chunks(rows[0]))
        matrices = [rows] if rows.ndim == 2 else list(rows.detach().unbind())
        chunks = (chunk for matrix in matrices for chunk in torch.split(matrix.detach(), step))
        for number, chunk in enumerate(chunks):
            yield chunk, (start + number) % _SEEDS

    def _first_chunk(self, name: str) -> int:
        layer = _layer(name)
        if layer is None:
            return self._first[name]
        inside = self._blocks[layer >= self._n_dense].first[_within_block(name)]
        return self._first_of_blocks + self._before(layer) + inside


class _BlockChunks(NamedTuple):
    """Chunks of one block: the first of each parameter, by its name within the block, and their number."""

    first: dict[str, int]
    total: int

    @classmethod
    def of(cls, parameters: Mapping[str, Tensor], layer: int) -> "_BlockChunks":
        first, number = {}, 0
        for name, parameter in parameters.items():
            if _layer(name) == layer:
                first[_within_block(name)] = number
                number += _count_chunks(parameter)
        return cls(first, number)


def _within_block(name: str) -> str:
    return name.split(".", 2)[2]


def _layer(name: str) -> int | None:
    """Return the number of the block that a parameter belongs to."""
    return int(name.split(".", 2)[1]) if name.startswith("blocks.") else None


def _count_chunks(parameter: Tensor) -> int:
    if parameter.ndim < 2:
        return 0
    *stack, rows, columns = parameter.shape
    return prod(stack) * -(-rows // chunk_rows(columns))


def _initialise_chunks(jobs: Iterable[tuple[Tensor, int]], on_initialised: OnInitialised | None) -> None:
    """Initialise chunks on all cores, a few ahead of the one that is waited for."""
    report, ahead = on_initialised or (lambda elements: None), 2 * torch.get_num_threads()
    pending = deque[Future[int]]()
    try:
        for job in jobs:
            pending.append(_pool(torch.get_num_threads()).submit(_initialise_chunk, *job))
            if len(pending) > ahead:
                report(pending.popleft().result())
        while pending:
            report(pending.popleft().result())
    finally:
        for future in pending:  # after an exception, no thread may write into memory that its owner has released
            if not future.cancel():
                future.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    # Kept: each new thread would leave torch a thread team of its own.
    return ThreadPoolExecutor(threads, thread_name_prefix="initialisation")


@torch.inference_mode()
def _initialise_chunk(chunk: Tensor, seed: int) -> int:
    generator = torch.Generator("cpu").manual_seed(seed)
    if chunk.device.type == "cpu" and chunk.dtype == torch.float32:
        chunk.normal_(std=INIT_STD, generator=generator)
    else:  # rounded on the CPU: half the bytes to copy
        values = torch.empty(chunk.shape, device="cpu", dtype=torch.float32).normal_(std=INIT_STD, generator=generator)
        chunk.copy_(values.to(chunk.dtype))
    return chunk.numel()
