"""A forward pass through a model of which only one block's weights are in memory at a time, or one slice of a matrix.

Every weight is drawn when it is needed, from the seed alone (`slimlm.model.initialisation`), so that the logits are
those of the whole model of the same seed.

Shapes: B batch, T tokens, D d_model, V vocab_size.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.model.device import Clock
from slimlm.model.initialisation import CHUNK, Weights, chunk_rows
from slimlm.model.language_model import LanguageModel

Tell = Callable[[float, str], object]
"""Called with the share of the work that is done and what is being done; what it raises ends the pass."""

SLICE = 64 * CHUNK
"""Elements of a matrix that are drawn at once, at most, where it is drawn in slices and a row is no longer."""


def slice_rows(rows: int, columns: int) -> int:
    """Return how many rows of a matrix are drawn at once where it is drawn in slices: whole chunks."""
    step = chunk_rows(columns)
    return min(rows, max(1, SLICE // (step * columns)) * step)


class StreamedModel:
    """A model without weights, whose blocks are drawn one at a time as tokens pass through.

    The vocabulary-sized tables are drawn in slices; with `slices` the matrices of the blocks are, too, anew for every
    batch. `model` lies on the meta device but for what is in use. `drawing` and `running` count seconds, `running`
    those of the last batch alone.
    """

    def __init__(
        self, architecture: Architecture, seed: int, device: torch.device, dtype: torch.dtype, *, slices: bool = False
    ) -> None:
        self.model = LanguageModel(architecture, device="meta", dtype=dtype).eval()
        self.weights = Weights(self.model, seed)
        self.device, self.dtype, self.slices = device, dtype, slices
        self.drawing, self.running = Clock(device), Clock(device)
        self._done = self._in_all = 0
        self._doing = ""

    def logits(self, batches: Sequence[Tensor], tell: Tell) -> Iterator[tuple[int, list[Tensor]]]:
        """Yield (v, logits (B, T, v…) of every batch) for one slice of the vocabulary after the other.

        Each batch is token ids (B, T) on the device. All batches pass through a block while its weights are there.
        """
        arch = self.model.architecture
        in_blocks, in_head = arch.n_layers * account(arch).layer_params, arch.vocab_size * arch.d_model
        self._done, self._in_all = 0, in_blocks * (1 + (len(batches) if self.slices else 1)) + 2 * in_head
        streams = self._through_blocks([self._embed(ids, tell) for ids in batches], tell)
        norm = self._materialised(self.model.final_norm, "final_norm")
        yield from self._head(self._pass(norm, streams), tell)

    def _embed(self, ids: Tensor, tell: Tell) -> Tensor:
        arch, model = self.model.architecture, self.model
        listen = partial(self._did, tell, "drawing the embedding", of_work=False)
        with self.drawing.running():
            x = self.weights.pick_rows("token_embedding.weight", ids, model.token_embedding.weight, listen)
            if arch.positions == "learned":
                rows = torch.arange(arch.position_offset, arch.position_offset + ids.shape[1], device=ids.device)
                table = model.position_embedding.weight
                x = x + self.weights.pick_rows("position_embedding.weight", rows, table, listen)
        normed: Tensor = self._materialised(model.embedding_norm, "embedding_norm")(x)
        return normed

    def _through_blocks(self, streams: list[Tensor], tell: Tell) -> list[Tensor]:
        blocks, positions = self.model.blocks, self.model.attention_positions(streams[0].shape[1], streams[0])
        block = blocks[0]  # all have its shapes, and are drawn into its memory
        draw = self._lay_out if self.slices else self._draw
        size = account(self.model.architecture).layer_params
        with self._in_use(block, tell):
            for number in range(len(blocks)):
                of_all = f"block {number + 1:,} of {len(blocks):,}"
                with self.drawing.running():
                    draw(block, f"blocks.{number}.", partial(self._did, tell, f"drawing {of_all}"))
                self._doing = f"running {of_all}"
                streams = self._pass(lambda x: block(x, is_causal=True, **positions), streams)
                self._did(tell, self._doing, size)
        return streams

    @contextmanager
    def _in_use(self, block: nn.Module, tell: Tell) -> Iterator[None]:
        """Tell of each matrix passed through, so that a large block can be given up midway; free the block at the end.

        Whatever ends the pass: hooks that refer to this model would keep the block until the next collection.
        """
        matrices = [module for module in block.modules() if isinstance(module, nn.Linear)]
        hooks = [matrix.register_forward_hook(lambda *_: self._did(tell, self._doing, 0)) for matrix in matrices]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            for matrix in matrices:
                vars(matrix).pop("forward", None)
            block.to("meta")

    def _draw(self, block: nn.Module, prefix: str, drawn: Callable[[int], object]) -> None:
        if next(block.parameters()).is_meta:
            block.to_empty(device=self.device)
        self.weights.draw({prefix + name: parameter for name, parameter in block.named_parameters()}, drawn)

    def _lay_out(self, block: nn.Module, prefix: str, drawn: Callable[[int], object]) -> None:
        """Draw what is small, and let each matrix be drawn in slices while tokens pass through it."""
        for name, module in block.named_modules():
            if isinstance(module, nn.Linear):
                module.forward = partial(self._linear, f"{prefix}{name}.weight", module.weight.shape, drawn)  # type: ignore[method-assign]
            elif list(module.parameters(recurse=False)):
                self._materialised(module, prefix + name)

    def _linear(self, name: str, shape: Sequence[int], drawn: Callable[[int], object], x: Tensor) -> Tensor:
        return torch.cat([F.linear(x, rows) for _, rows in self._slices(name, shape, drawn)], dim=-1)

    def _slices(self, name: str, shape: Sequence[int], drawn: Callable[[int], object]) -> Iterator[tuple[int, Tensor]]:
        """Yield (first row, rows) of a matrix, all in the same memory. Its biases are zero and left out."""
        step = slice_rows(*shape)
        memory = torch.empty(step, shape[1], device=self.device, dtype=self.dtype)
        for first in range(0, shape[0], step):
            rows = memory[: shape[0] - first]
            with self.drawing.running():
                self.weights.draw_rows(name, rows, first, drawn)
            yield first, rows

    def _head(self, streams: list[Tensor], tell: Tell) -> Iterator[tuple[int, list[Tensor]]]:
        arch = self.model.architecture
        name = "token_embedding.weight" if arch.tied_lm_head else "lm_head.weight"
        drawn = partial(self._did, tell, "drawing the LM head")
        for first, rows in self._slices(name, (arch.vocab_size, arch.d_model), drawn):
            yield first, self._pass(partial(F.linear, weight=rows), streams)
            self._did(tell, "running the LM head", rows.numel())

    def _pass(self, layer: Callable[[Tensor], Tensor], streams: list[Tensor]) -> list[Tensor]:
        passed = [layer(x) for x in streams[:-1]]
        drawn = self.drawing.seconds
        with self.running.running():
            passed.append(layer(streams[-1]))
        self.running.seconds -= self.drawing.seconds - drawn  # slices are drawn while tokens pass through them
        return passed

    def _materialised(self, module: nn.Module, name: str) -> nn.Module:
        module.to_empty(device=self.device)
        self.weights.draw({f"{name}.{key}": parameter for key, parameter in module.named_parameters()})
        return module

    def _did(self, tell: Tell, what: str, weights: int, *, of_work: bool = True) -> None:
        self._done += weights * of_work
        tell(self._done / self._in_all, what)
