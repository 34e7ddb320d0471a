"""The share of its work that a streamed model has done: weights initialised, and weights that tokens passed through."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from torch import nn

from slimlm.core.architecture import Architecture
from slimlm.model.experts import Experts, Router
from slimlm.model.initialisation import OnInitialised
from slimlm.model.language_model import LanguageModel
from slimlm.utils.progress import Progress, Recent

_MEASURED = 0.02
"""Share of a kind of work after which its cost is as measured, no longer as expected."""


@dataclass
class _Kind:
    """Work of one kind: weights in all, those done, and the seconds that they took."""

    total: float
    expected_cost: float
    """Of a weight, in times that the initialisation of one takes."""
    done: float = 0.0
    seconds: float = 0.0


class StreamedWork:
    """Reports the share of the work that is done; its parts weigh as much as they are measured to take.

    `seconds_left` follows from the recent speed; None before it is known.

    run_cost: the expected time that all batches take through a weight of a matrix, in times that its initialisation
    takes. An expert's weights are expected to take the share of it that its tokens are of all.
    """

    def __init__(self, architecture: Architecture, model: LanguageModel, run_cost: float) -> None:
        self._layers = [(model.blocks[-1], architecture.n_layers - architecture.n_dense_layers)]
        if architecture.n_dense_layers:
            self._layers += [(model.blocks[0], architecture.n_dense_layers)]
        self._loops, self._head = architecture.n_loops, architecture.vocab_size * architecture.d_model
        self._run_cost = run_cost
        self.seconds_left: float | None = None
        self._used = architecture.experts_per_token / architecture.n_experts if architecture.is_mixture else 0.0

    @contextmanager
    def reporting(self, progress: Progress, embedding: int, passes: int) -> Iterator[None]:
        """Report to `progress` meanwhile; it is let go at the end, since it may refer to the model.

        embedding: the weights of the token embedding that will be initialised; passes: how often matrices of a block.
        """
        self._progress, self._fraction, self.seconds_left = progress, 0.0, None
        self._started = self._now = time.perf_counter()
        self._embedding = _Kind(embedding, 1.0)
        vectors = self._in_layers(nn.Module, most_dimensions=1)
        self._initialised = _Kind(passes * (self._in_layers(nn.Module) - vectors) + vectors + self._head, 1.0)
        self._experts = _Kind(self._in_layers(Experts), self._used * self._run_cost)
        self._ran = _Kind(self._in_layers((nn.Linear, Router)) + self._head, self._run_cost)
        self._kinds = (self._embedding, self._initialised, self._experts, self._ran)
        self._recent = Recent(*(0.0 for _ in self._kinds))
        try:
            yield
        finally:
            del self._progress

    def _in_layers(self, kinds: type[nn.Module] | tuple[type[nn.Module], ...], most_dimensions: int = 3) -> int:
        """Return the weights of modules of some kinds in all layers run."""
        return self._loops * sum(
            layers * parameter.numel()
            for block, layers in self._layers
            for module in block.modules()
            if isinstance(module, kinds)
            for parameter in module.parameters(recurse=False)
            if parameter.ndim <= most_dimensions
        )

    def reports(self, activity: str) -> OnInitialised:
        """Return what reports initialised weights."""
        return partial(self._report, self._initialised, activity)

    def reports_embedding(self) -> OnInitialised:
        """Return what reports initialised weights of the token embedding."""
        return partial(self._report, self._embedding, "initialising the embedding")

    def ran(self, activity: str, module: nn.Module | None, weights: float) -> None:
        """Report weights of a module that all batches have passed through; None is the LM head."""
        self._report(self._experts if isinstance(module, Experts) else self._ran, activity, weights)

    def _report(self, kind: _Kind, activity: str, weights: float) -> None:
        before, self._now = self._now, time.perf_counter()
        kind.done += weights
        kind.seconds += self._now - before
        costs = [self._cost(kind) for kind in self._kinds]
        done = sum(cost * kind.done for cost, kind in zip(costs, self._kinds, strict=True))
        left = sum(cost * max(0.0, kind.total - kind.done) for cost, kind in zip(costs, self._kinds, strict=True))
        seconds, earlier = self._recent.since(self._now - self._started, *(kind.done for kind in self._kinds))
        recently = done - sum(cost * then for cost, then in zip(costs, earlier, strict=True))
        self.seconds_left = left * seconds / recently if recently > 0 else None
        # Costs change as they are measured: what has been told of the share is not taken back.
        self._fraction = max(self._fraction, done / (done + left))
        self._progress(self._fraction, activity)

    def _cost(self, kind: _Kind) -> float:
        unit = self._initialised
        if not (kind.seconds and unit.seconds):
            return kind.expected_cost
        measured = (kind.seconds / kind.done) / (unit.seconds / unit.done)
        known = min(1.0, kind.done / (_MEASURED * kind.total))
        return known * measured + (1 - known) * kind.expected_cost
