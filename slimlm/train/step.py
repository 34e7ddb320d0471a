"""One training step: forward and backward passes, clipping and update, without waiting for the device.

Shapes: S sequences of a batch, M sequences of a micro-batch, T tokens of a sequence, V vocab_size.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from slimlm.model.language_model import LanguageModel
from slimlm.model.layers import MultiHeadAttention
from slimlm.runs.recipe import TrainRecipe
from slimlm.train.optimizers import Optimizers
from slimlm.train.processes import Processes

EAGER_STEPS = 3
"""Steps before a CUDA graph is captured: kernels are compiled and states allocated in them."""


class Totals(NamedTuple):
    """Means over the steps since the last reading."""

    loss: float
    """Nats per token."""
    gradient_norm: float
    """Before clipping."""
    first_bad: int | None
    """The first step, from 1, whose loss or gradient was not finite."""


def split_windows(windows: Tensor) -> tuple[Tensor, Tensor]:
    """Return inputs and targets (S, T) of windows (S, T + 1): each target is the token after its input."""
    return windows[:, :-1], windows[:, 1:]


def token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross entropy in nats, computed in float32; logits (S, T, V), targets (S, T)."""
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


@contextmanager
def working_stream(device: torch.device) -> Iterator[None]:
    """Do the work inside on a CUDA stream of its own, since nothing can be captured on the default stream."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)


def resolve_precision(recipe: TrainRecipe, device: torch.device) -> str:
    """Return "float32" or "bfloat16", the precision of matrix products on a device."""
    if recipe.precision != "auto":
        return recipe.precision
    return "bfloat16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"


class TrainStep:
    """A model and its optimizers, which take one step after another."""

    def __init__(
        self, model: LanguageModel, recipe: TrainRecipe, *, sequences: int, processes: Processes | None = None
    ) -> None:
        self.model, self.recipe = model, recipe
        self.device = model.token_embedding.weight.device
        self.optimizers = Optimizers(model, recipe)
        self.precision = resolve_precision(recipe, self.device)
        self.notes: list[str] = []
        """Why something that the recipe allows is not done."""
        self._processes = processes or Processes()
        self._micro = recipe.micro_batch or sequences
        self._loss: Callable[[Tensor, Tensor], Tensor] = token_loss
        self._parameters = list(model.parameters())
        self._reset_totals()
        # Each step of a mixture has other numbers of tokens per expert, for which code would be compiled anew.
        static = self.device.type == "cuda" and not model.architecture.is_mixture
        self.compiles = recipe.compile == "on" or (recipe.compile == "auto" and static)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._wants_graph = self._may_capture()
        self._windows: Tensor | None = None
        self._eager_steps, self._has_run = 0, False
        model.train()
        set_dropout(model, recipe.dropout)
        if self.compiles:
            self._compile()

    def _compile(self) -> None:
        torch._dynamo.config.cache_size_limit = max(64, torch._dynamo.config.cache_size_limit)
        for block in self.model.blocks:
            block.compile(dynamic=False)
        self._loss = torch.compile(token_loss, dynamic=False)

    def _may_capture(self) -> bool:
        reasons = {
            "the device is not CUDA": self.device.type != "cuda",
            "several processes exchange gradients": self._processes.count > 1,
            "Muon reads its learning rate on the CPU": self.recipe.optimizer == "muon",
            "the tokens of each expert are counted on the CPU": self.model.architecture.is_mixture,
        }
        reason = next((text for text, applies in reasons.items() if applies), None)
        if reason and (self.recipe.cuda_graph == "on" or self.device.type == "cuda"):
            self.notes.append(f"no CUDA graph: {reason}")
        return reason is None and self.recipe.cuda_graph != "off"

    def _reset_totals(self) -> None:
        self._loss_sum = torch.zeros((), device=self.device)
        self._norm_sum = torch.zeros((), device=self.device)
        self._steps = torch.zeros((), device=self.device, dtype=torch.int64)
        self._first_bad = torch.zeros((), device=self.device, dtype=torch.int64)
        self._read_steps = self._taken = 0

    @property
    def taken(self) -> int:
        """Steps taken, or counted by `begin_at`."""
        return self._taken

    def begin_at(self, step: int) -> None:
        """Count steps from here on, with nothing to read yet."""
        for total in (self._loss_sum, self._norm_sum, self._first_bad):
            total.zero_()
        self._steps.fill_(step)
        self._taken = self._read_steps = step

    def __call__(self, windows: Tensor, factor: float) -> None:
        """Take one step on windows (S, T + 1) of token ids, with a factor of the highest learning rate.

        Nothing waits for the device; windows in pinned memory are copied while it works.
        """
        self.optimizers.set_factor(factor)
        self._taken += 1
        if not self._wants_graph:
            self._run_first(windows.to(self.device, non_blocking=True))
            return
        if self._windows is None:
            self._windows = torch.empty(windows.shape, dtype=windows.dtype, device=self.device)
        self._windows.copy_(windows, non_blocking=True)
        if self._graph is not None:
            self._graph.replay()
            return
        self._run_first(self._windows)
        self._eager_steps += 1
        if self._eager_steps == EAGER_STEPS:
            self._capture(self._windows)

    def _run_first(self, windows: Tensor) -> None:
        """Run a step; where compilation is optional and fails, which it does before any update, run it as written."""
        if self._has_run or not self.compiles or self.recipe.compile == "on":
            self._run(windows)
            return
        generator = torch.get_rng_state()
        on_cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        try:
            self._run(windows)
        except Exception as error:  # compilers fail in many ways; what fails without them too is raised below
            torch.set_rng_state(generator)
            if on_cuda is not None:
                torch.cuda.set_rng_state(on_cuda, self.device)
            self._stop_compiling(error)
            self._run(windows)

    def _stop_compiling(self, error: Exception) -> None:
        self.compiles, self._loss = False, token_loss
        for block in self.model.blocks:
            block._compiled_call_impl = None
        self.notes.append(f"not compiled: {' '.join(str(error).split())[:200]}")

    def _run(self, windows: Tensor) -> None:
        for parameter in self._parameters:
            parameter.grad = None
        loss = self._accumulate(windows)
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        self._processes.average([*gradients, loss])
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self.recipe.clip, foreach=self._foreach)
        self.optimizers.step()
        self._add(loss, norm)
        self._has_run = True

    @property
    def _foreach(self) -> bool | None:
        return True if self.device.type == "cuda" else None

    def _accumulate(self, windows: Tensor) -> Tensor:
        """Add up gradients over micro-batches and return the mean loss of the batch."""
        parts = torch.split(windows, self._micro)
        total = torch.zeros((), device=self.device)
        for part in parts:
            inputs, targets = split_windows(part)
            with self.autocast():
                logits, _ = self.model(inputs)
            loss = self._loss(logits, targets) / len(parts)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def autocast(self) -> torch.autocast:
        """Return the context of the forward pass."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def _add(self, loss: Tensor, norm: Tensor) -> None:
        self._steps += 1
        self._loss_sum += loss
        self._norm_sum += norm
        bad = ~(torch.isfinite(loss) & torch.isfinite(norm)) & (self._first_bad == 0)
        self._first_bad += self._steps * bad

    def _capture(self, windows: Tensor) -> None:
        graph = torch.cuda.CUDAGraph()
        for parameter in self._parameters:
            parameter.grad = None  # gradients of the graph are in its own memory
        try:
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
                self._run(windows)
            self._graph = graph
        except RuntimeError as error:
            torch.cuda.synchronize()
            self._wants_graph = False
            self.notes.append(f"no CUDA graph: {' '.join(str(error).split())[:200]}")

    @property
    def is_graph(self) -> bool:
        """Whether steps are replayed as a CUDA graph by now."""
        return self._graph is not None

    def read(self) -> Totals:
        """Return means since the last reading; waits for the device."""
        count = max(1, self._taken - self._read_steps)
        loss, norm, bad = torch.stack([self._loss_sum, self._norm_sum, self._first_bad.float()]).tolist()
        self._loss_sum.zero_()
        self._norm_sum.zero_()
        self._read_steps = self._taken
        return Totals(loss / count, norm / count, int(bad) or None)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Run compiled blocks as they are written: other shapes would have to be compiled for few uses."""
        if not self.compiles:
            yield
            return
        with torch.compiler.set_stance("force_eager"):
            yield


def set_dropout(model: LanguageModel, dropout: float | None) -> None:
    """Set every dropout probability, that of attention weights included; None leaves the design's."""
    if dropout is None:
        return
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = dropout
        if isinstance(module, MultiHeadAttention):
            module.attention_dropout = dropout
