"""The share of its work that a streamed model has done: weights initialised, and weights that tokens passed through."""

from functools import partial

from torch import Tensor, nn

from slimlm.core.architecture import Architecture
from slimlm.model.experts import Experts, Router
from slimlm.model.initialisation import OnInitialised
from slimlm.model.language_model import LanguageModel
from slimlm.utils.progress import Progress


class StreamedWork:
    """Reports the share of the work that is done, in times that the initialisation of a weight takes.

    run_cost: the time that all batches take through a weight of a matrix; through one of an expert, the share of it
    that the average expert's tokens are of all.
    """

    def __init__(self, architecture: Architecture, model: LanguageModel, run_cost: float) -> None:
        self._run_cost = run_cost
        self._used = architecture.experts_per_token / architecture.n_experts if architecture.is_mixture else 1.0
        dense, usual = (self._of_block(block) for block in (model.blocks[0], model.blocks[-1]))
        n_dense = architecture.n_dense_layers
        blocks = n_dense * dense + (architecture.n_layers - n_dense) * usual
        head = architecture.vocab_size * architecture.d_model * (1 + run_cost)
        self._done, self._total = 0.0, architecture.n_loops * blocks + head

    def _of_block(self, block: nn.Module) -> float:
        return sum(map(Tensor.numel, block.parameters())) + sum(
            self._cost(module) * sum(map(Tensor.numel, module.parameters(recurse=False)))
            for module in block.modules()
            if isinstance(module, nn.Linear | Experts | Router)
        )

    def _cost(self, module: nn.Module | None) -> float:
        return self._run_cost * (self._used if isinstance(module, Experts) else 1.0)

    def start(self, progress: Progress) -> None:
        """Begin from nothing, and report to `progress` from now on."""
        self._done, self._progress = 0.0, progress

    def reports(self, activity: str, *, cost: float = 1.0) -> OnInitialised:
        """Return what reports initialised weights."""
        return partial(self._report, activity, cost)

    def ran(self, activity: str, module: nn.Module | None, weights: float) -> None:
        """Report weights of a module that all batches have passed through; None is the LM head."""
        self._report(activity, self._cost(module), weights)

    def _report(self, activity: str, cost: float, weights: float) -> None:
        self._done += weights * cost
        self._progress(min(1.0, self._done / self._total), activity)
