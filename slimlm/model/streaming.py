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

from slimlm.core.architecture import Architecture
from slimlm.model.device import Clock
from slimlm.model.experts import Experts, Matrices, Router
from slimlm.model.initialisation import CHUNK, OnInitialised, Weights, chunk_rows
from slimlm.model.language_model import LanguageModel
from slimlm.model.scales import scaled_embeddings, scaled_logits
from slimlm.model.streamed_work import StreamedWork
from slimlm.utils.progress import Progress

SLICE = 64 * CHUNK
"""Maximum number of elements of a matrix slice; a longer row is a slice of its own."""


_ALIGNED = 16
"""Tokens whose results do not depend on the number of tokens beside them: kernels treat the last few differently."""


def together(tokens: int) -> bool:
    """Return whether batches of so many tokens a sequence pass through slices together, with the bits of each alone."""
    return tokens % _ALIGNED == 0


def slice_rows(rows: int, columns: int) -> int:
    """Return the number of rows of a matrix slice: whole chunks."""
    step = chunk_rows(columns)
    return min(rows, max(1, SLICE // (step * columns)) * step)


def representative(architecture: Architecture) -> Architecture:
    """Return the architecture with one block of each kind: one, or with dense first layers two."""
    dense = min(1, architecture.n_dense_layers)
    return replace(architecture, n_layers=1 + dense, n_dense_layers=dense)


class StreamedModel:
    """A model whose block is initialised again for each layer as tokens pass through it.

    `model` has one block, which stands for all layers, or two, the first of which stands for dense first layers. It is
    on the meta device except for the module in use. The vocabulary-sized tables are initialised in slices; with
    `slices` the matrices of the blocks are, too, and experts one at a time. Each weight is initialised once for all
    batches, but again in each loop; in slices also for each batch, where these cannot pass `together`.
    `initialise_clock` and `forward_clock` count seconds, `forward_clock` those of one batch: the last one, or the mean
    of those that pass together.

    `work` knows the time left.

    run_cost: the expected time that all batches take through a matrix, in times that its initialisation takes; until
    it is measured, the share of the work that is done follows from it.
    """

    def __init__(
        self,
        architecture: Architecture,
        seed: int,
        device: torch.device,
        dtype: torch.dtype,
        *,
        slices: bool = False,
        run_cost: float = 1.0,
    ) -> None:
        self.architecture = architecture
        self.model = LanguageModel(representative(architecture), device="meta", dtype=dtype).eval()
        self.weights = Weights(self.model, seed, architecture.n_layers, architecture.n_dense_layers)
        self.device, self.dtype, self.slices = device, dtype, slices
        self.initialise_clock, self.forward_clock = Clock(device), Clock(device)
        self.work = StreamedWork(architecture, self.model, run_cost)
        self._together, self._streams, self._activity = 1, 1, ""

    def logits(self, batches: Sequence[Tensor], progress: Progress) -> Iterator[tuple[int, list[Tensor]]]:
        """Yield (v, logits (B, T, v…) of each batch) for each slice of the vocabulary, which starts at token v.

        Each batch is token ids (B, T) on the device; all have one shape. All batches pass through a block, or a slice,
        while its weights are there.
        """
        ids = torch.cat(list(batches))
        self._together = len(batches) if self.slices and together(ids.shape[1]) else 1
        self._streams = len(batches) // self._together
        in_embedding = self.weights.picked(ids, self.model.token_embedding.weight)
        with self.work.reporting(progress, in_embedding, passes=self._streams if self.slices else 1):
            streams = self._through_blocks(list(self._embed(ids).chunk(self._streams)))
            norm = self._materialised(self.model.final_norm, "final_norm")
            yield from self._head(self._pass(norm, list(torch.cat(streams).chunk(len(batches)))))

    def _embed(self, ids: Tensor) -> Tensor:
        arch, model = self.architecture, self.model
        report = self.work.reports_embedding()
        with self.initialise_clock.running():
            rows = self.weights.pick_rows("token_embedding.weight", ids, model.token_embedding.weight, report)
            x = scaled_embeddings(arch, rows)
            if arch.positions == "learned":
                rows = torch.arange(arch.position_offset, arch.position_offset + ids.shape[1], device=ids.device)
                table = model.position_embedding.weight
                x = x + self.weights.pick_rows("position_embedding.weight", rows, table, report)
        normed: Tensor = self._materialised(model.embedding_norm, "embedding_norm")(x)
        return normed

    def _through_blocks(self, streams: list[Tensor]) -> list[Tensor]:
        arch, blocks = self.architecture, self.model.blocks
        kinds = ((blocks[0], range(arch.n_dense_layers)), (blocks[-1], range(arch.n_dense_layers, arch.n_layers)))
        for loop in range(arch.n_loops):
            for block, layers in kinds:
                if layers:
                    streams = self._through_layers(block, layers, loop * arch.n_layers, streams)
        return streams

    def _through_layers(self, block: nn.Module, layers: range, done: int, streams: list[Tensor]) -> list[Tensor]:
        """Pass tokens through layers that one block stands for, after the `done` layers of earlier loops."""
        prepare = self._prepare_slices if self.slices else self._initialise
        with self._in_use(block):
            for number in layers:
                layer = f"block {done + number + 1:,} of {self.architecture.layers_run:,}"
                self._activity = f"running {layer}"
                with self.initialise_clock.running():
                    prepare(block, f"blocks.{number}.", self.work.reports(f"initialising {layer}"))
                positions = self.model.layer_positions(number, streams[0].shape[1], streams[0])
                streams = self._pass(partial(block, is_causal=True, **positions), streams, self._together)
        return streams

    @property
    def layers(self) -> list[int]:
        """The number of layers that each block of `model` stands for."""
        dense = self.architecture.n_dense_layers
        return [dense, self.architecture.n_layers - dense] if dense else [self.architecture.n_layers]

    @contextmanager
    def _in_use(self, block: nn.Module) -> Iterator[None]:
        """Report each matrix passed through, so that a large block can be cancelled; free the block at the end.

        Hooks are removed after exceptions, too: they refer to this model and would keep the block until the next
        garbage collection.
        """
        modules = [module for module in block.modules() if isinstance(module, nn.Linear | Experts | Router)]
        hooks = [] if self.slices else [module.register_forward_hook(self._on_run) for module in modules]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            for module in modules:
                vars(module).pop("forward", None)
            block.to("meta")

    def _on_run(self, module: nn.Module, *_: object) -> None:
        """Report a module that one stream has passed through."""
        self._ran(module, *module.parameters())

    def _ran(self, module: nn.Module, *matrices: Tensor | None) -> None:
        weights = sum(matrix.numel() for matrix in matrices if matrix is not None)
        self.work.ran(self._activity, module, weights / self._streams)

    def _initialise(self, block: nn.Module, prefix: str, on_initialised: OnInitialised) -> None:
        if next(block.parameters()).is_meta:
            block.to_empty(device=self.device)
        parameters = {prefix + name: parameter for name, parameter in block.named_parameters()}
        self.weights.initialise(parameters, on_initialised)

    def _prepare_slices(self, block: nn.Module, prefix: str, on_initialised: OnInitialised) -> None:
        """Initialise the vectors, and let each matrix be initialised in slices while tokens pass through it."""
        forward: Callable[..., object]
        for name, module in block.named_modules():
            if isinstance(module, nn.Linear):
                forward = partial(self._linear, f"{prefix}{name}.weight", module, on_initialised)
            elif isinstance(module, Experts):
                forward = partial(self._experts, f"{prefix}{name}", module, on_initialised)
            elif isinstance(module, Router):
                self._materialised(module, prefix + name, on_initialised)
                forward = partial(self._router, module)
            else:
                if list(module.parameters(recurse=False)):
                    self._materialised(module, prefix + name, on_initialised)
                continue
            module.forward = forward

    def _linear(self, name: str, module: nn.Linear, on_initialised: OnInitialised, x: Tensor) -> Tensor:
        """Map the tokens of the batches together by a matrix, whose biases are zero and left out."""
        parts = [list[Tensor]() for _ in range(self._together)]
        for _, rows in self._slices(name, module.weight.shape, on_initialised):
            for part, tokens in zip(parts, x.chunk(self._together), strict=True):
                part.append(F.linear(tokens, rows))
            self._ran(module, rows)
        return torch.cat([torch.cat(part, dim=-1) for part in parts])

    def _router(self, router: Router, x: Tensor) -> tuple[Tensor, Tensor]:
        """Route each batch alone, as without slices: sums in another order might choose other experts."""
        weights, chosen = zip(*(Router.forward(router, tokens) for tokens in x.chunk(self._together)), strict=True)
        self._ran(router, router.weight)
        return torch.cat(weights), torch.cat(chosen)

    def _experts(self, name: str, experts: Experts, on_initialised: OnInitialised, *routed: Tensor) -> Tensor:
        """Map the tokens of the batches together, with their weights and chosen experts."""
        batches = zip(*(part.chunk(self._together) for part in routed), strict=True)
        tokens, combine = zip(*(experts.split(*batch) for batch in batches), strict=True)
        found = [list[Tensor]() for _ in tokens]
        for number, matrices in enumerate(self._each_expert(name, experts, on_initialised)):
            for part, of_batch in zip(found, tokens, strict=True):
                part.append(experts.apply_one(of_batch[number], *matrices))
            self._ran(experts, *matrices)
        return torch.cat([finish(part) for finish, part in zip(combine, found, strict=True)])

    def _each_expert(self, name: str, experts: Experts, on_initialised: OnInitialised) -> Iterator[Matrices]:
        """Yield the matrices of each expert, all in the same memory."""
        stacks = {key: stack.shape[1:] for key, stack in experts.named_parameters()}
        memory = {key: torch.empty(1, *shape, device=self.device, dtype=self.dtype) for key, shape in stacks.items()}
        for number in range(experts.n_experts):
            with self.initialise_clock.running():
                for key, matrix in memory.items():
                    self.weights.initialise_rows(f"{name}.{key}", matrix, number, on_initialised)
            yield (
                memory["gate_proj"][0] if "gate_proj" in memory else None,
                memory["up_proj"][0],
                memory["down_proj"][0],
            )

    def _slices(self, name: str, shape: Sequence[int], on_initialised: OnInitialised) -> Iterator[tuple[int, Tensor]]:
        """Yield (first row, rows) of a matrix, all in the same memory."""
        step = slice_rows(*shape)
        memory = torch.empty(step, shape[1], device=self.device, dtype=self.dtype)
        for first in range(0, shape[0], step):
            rows = memory[: shape[0] - first]
            with self.initialise_clock.running():
                self.weights.initialise_rows(name, rows, first, on_initialised)
            yield first, rows

    def _head(self, streams: list[Tensor]) -> Iterator[tuple[int, list[Tensor]]]:
        arch = self.architecture
        name = "token_embedding.weight" if arch.tied_lm_head else "lm_head.weight"
        report = self.work.reports("initialising the LM head")
        for first, rows in self._slices(name, (arch.vocab_size, arch.d_model), report):
            yield first, [scaled_logits(arch, logits) for logits in self._pass(partial(F.linear, weight=rows), streams)]
            self.work.ran("running the LM head", None, rows.numel())

    def _pass(self, layer: Callable[[Tensor], Tensor], streams: list[Tensor], batches: int = 1) -> list[Tensor]:
        """Pass each stream through a layer, and count the time of one batch, of which the last stream has `batches`."""
        passed = [layer(x) for x in streams[:-1]]
        clock, initialised = Clock(self.device), self.initialise_clock.seconds
        with clock.running():
            passed.append(layer(streams[-1]))
        # Slices are initialised while tokens pass through them.
        self.forward_clock.seconds += (clock.seconds - (self.initialise_clock.seconds - initialised)) / batches
        return passed

    def _materialised(self, module: nn.Module, name: str, on_initialised: OnInitialised | None = None) -> nn.Module:
        module.to_empty(device=self.device)
        parameters = {f"{name}.{key}": parameter for key, parameter in module.named_parameters()}
        self.weights.initialise(parameters, on_initialised)
        return module
