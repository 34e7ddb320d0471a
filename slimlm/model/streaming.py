"""Forward pass with the weights of one block, or of one slice of a matrix, in memory at a time.

Each weight is initialised when it is needed, from the seed alone (`slimlm.model.initialisation`), so that the logits
are those of the whole model of the same seed.

Shapes: B batch, T tokens, D d_model, V vocab_size.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.model.device import Clock
from slimlm.model.initialisation import CHUNK, OnInitialised, Weights, chunk_rows
from slimlm.model.language_model import LanguageModel
from slimlm.model.scales import scaled_embeddings, scaled_logits
from slimlm.utils.progress import Progress

SLICE = 64 * CHUNK
"""Maximum number of elements of a matrix slice; a longer row is a slice of its own."""


def slice_rows(rows: int, columns: int) -> int:
    """Return the number of rows of a matrix slice: whole chunks."""
    step = chunk_rows(columns)
    return min(rows, max(1, SLICE // (step * columns)) * step)


class StreamedModel:
    """A model whose single block is initialised again for each layer as tokens pass through it.

    `model` has one block, which stands for all layers. It is on the meta device except for the module in use. The
    vocabulary-sized tables are initialised in slices; with `slices` the matrices of the blocks are, too, again for
    each batch. `initialise_clock` and `forward_clock` count seconds, `forward_clock` those of the last batch alone.
    """

    def __init__(
        self, architecture: Architecture, seed: int, device: torch.device, dtype: torch.dtype, *, slices: bool = False
    ) -> None:
        self.architecture = architecture
        self.model = LanguageModel(replace(architecture, n_layers=1), device="meta", dtype=dtype).eval()
        self.weights = Weights(self.model, seed, architecture.n_layers)
        self.device, self.dtype, self.slices = device, dtype, slices
        self.initialise_clock, self.forward_clock = Clock(device), Clock(device)
        self._done = self._total = 0
        self._activity = ""

    def logits(self, batches: Sequence[Tensor], progress: Progress) -> Iterator[tuple[int, list[Tensor]]]:
        """Yield (v, logits (B, T, v…) of each batch) for each slice of the vocabulary, which starts at token v.

        Each batch is token ids (B, T) on the device. All batches pass through a block while its weights are there.
        """
        arch = self.architecture
        in_blocks, in_head = arch.n_layers * account(arch).layer_params, arch.vocab_size * arch.d_model
        self._done, self._total = 0, in_blocks * (1 + (len(batches) if self.slices else 1)) + 2 * in_head
        streams = self._through_blocks([self._embed(ids, progress) for ids in batches], progress)
        norm = self._materialised(self.model.final_norm, "final_norm")
        yield from self._head(self._pass(norm, streams), progress)

    def _embed(self, ids: Tensor, progress: Progress) -> Tensor:
        arch, model = self.architecture, self.model
        report = partial(self._report, progress, "initialising the embedding", of_work=False)
        with self.initialise_clock.running():
            rows = self.weights.pick_rows("token_embedding.weight", ids, model.token_embedding.weight, report)
            x = scaled_embeddings(arch, rows)
            if arch.positions == "learned":
                rows = torch.arange(arch.position_offset, arch.position_offset + ids.shape[1], device=ids.device)
                table = model.position_embedding.weight
                x = x + self.weights.pick_rows("position_embedding.weight", rows, table, report)
        normed: Tensor = self._materialised(model.embedding_norm, "embedding_norm")(x)
        return normed

    def _through_blocks(self, streams: list[Tensor], progress: Progress) -> list[Tensor]:
        arch, block = self.architecture, self.model.blocks[0]
        prepare = self._prepare_slices if self.slices else self._initialise
        size = account(arch).layer_params
        with self._in_use(block, progress):
            for number in range(arch.n_layers):
                layer = f"block {number + 1:,} of {arch.n_layers:,}"
                with self.initialise_clock.running():
                    prepare(block, f"blocks.{number}.", partial(self._report, progress, f"initialising {layer}"))
                self._activity = f"running {layer}"
                positions = self.model.layer_positions(number, streams[0].shape[1], streams[0])
                streams = self._pass(partial(block, is_causal=True, **positions), streams)
                self._report(progress, self._activity, size)
        return streams

    @contextmanager
    def _in_use(self, block: nn.Module, progress: Progress) -> Iterator[None]:
        """Report each matrix passed through, so that a large block can be cancelled; free the block at the end.

        Hooks are removed after exceptions, too: they refer to this model and would keep the block until the next
        garbage collection.
        """
        matrices = [module for module in block.modules() if isinstance(module, nn.Linear)]
        hooks = [
            matrix.register_forward_hook(lambda *_: self._report(progress, self._activity, 0)) for matrix in matrices
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            for matrix in matrices:
                vars(matrix).pop("forward", None)
            block.to("meta")

    def _initialise(self, block: nn.Module, prefix: str, on_initialised: OnInitialised) -> None:
        if next(block.parameters()).is_meta:
            block.to_empty(device=self.device)
        parameters = {prefix + name: parameter for name, parameter in block.named_parameters()}
        self.weights.initialise(parameters, on_initialised)

    def _prepare_slices(self, block: nn.Module, prefix: str, on_initialised: OnInitialised) -> None:
        """Initialise the vectors, and let each matrix be initialised in slices while tokens pass through it."""
        for name, module in block.named_modules():
            if isinstance(module, nn.Linear):
                module.forward = partial(self._linear, f"{prefix}{name}.weight", module.weight.shape, on_initialised)  # type: ignore[method-assign]
            elif list(module.parameters(recurse=False)):
                self._materialised(module, prefix + name)

    def _linear(self, name: str, shape: Sequence[int], on_initialised: OnInitialised, x: Tensor) -> Tensor:
        return torch.cat([F.linear(x, rows) for _, rows in self._slices(name, shape, on_initialised)], dim=-1)

    def _slices(self, name: str, shape: Sequence[int], on_initialised: OnInitialised) -> Iterator[tuple[int, Tensor]]:
        """Yield (first row, rows) of a matrix, all in the same memory. Its biases are zero and left out."""
        step = slice_rows(*shape)
        memory = torch.empty(step, shape[1], device=self.device, dtype=self.dtype)
        for first in range(0, shape[0], step):
            rows = memory[: shape[0] - first]
            with self.initialise_clock.running():
                self.weights.initialise_rows(name, rows, first, on_initialised)
            yield first, rows

    def _head(self, streams: list[Tensor], progress: Progress) -> Iterator[tuple[int, list[Tensor]]]:
        arch = self.architecture
        name = "token_embedding.weight" if arch.tied_lm_head else "lm_head.weight"
        report = partial(self._report, progress, "initialising the LM head")
        for first, rows in self._slices(name, (arch.vocab_size, arch.d_model), report):
            yield first, [scaled_logits(arch, logits) for logits in self._pass(partial(F.linear, weight=rows), streams)]
            self._report(progress, "running the LM head", rows.numel())

    def _pass(self, layer: Callable[[Tensor], Tensor], streams: list[Tensor]) -> list[Tensor]:
        passed = [layer(x) for x in streams[:-1]]
        before = self.initialise_clock.seconds
        with self.forward_clock.running():
            passed.append(layer(streams[-1]))
        # Slices are initialised while tokens pass through them.
        self.forward_clock.seconds -= self.initialise_clock.seconds - before
        return passed

    def _materialised(self, module: nn.Module, name: str) -> nn.Module:
        module.to_empty(device=self.device)
        self.weights.initialise({f"{name}.{key}": parameter for key, parameter in module.named_parameters()})
        return module

    def _report(self, progress: Progress, activity: str, weights: int, *, of_work: bool = True) -> None:
        self._done += weights * of_work
        progress(self._done / self._total, activity)
