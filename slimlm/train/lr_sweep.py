"""Learning rate sweep: whole runs on the grid of `slimlm.runs.lr_search`."""

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.data.token_data import TokenData
from slimlm.runs.lr_search import EXTENSIONS, LearningRateSweep, search_minimum
from slimlm.runs.recipe import TrainRecipe
from slimlm.train.loop import train
from slimlm.train.result import RunResult
from slimlm.utils.progress import Progress
from slimlm.utils.validation import check_whole


def sweep_learning_rates(
    source: ModelConfig | Design | Architecture,
    recipe: TrainRecipe,
    data: TokenData,
    out: Path | None = None,
    *,
    seeds: int = 1,
    extensions: int = EXTENSIONS,
    device: torch.device | str | None = None,
    progress: Progress | None = None,
) -> LearningRateSweep:
    """Train whole runs around the recipe's learning rate, and further ones until the minimum is inside.

    With `out`, each run has a folder of its own there, and a sweep that was interrupted goes on.

    Raises ValueError as `train` does.
    """
    check_whole(seeds=seeds, extensions=extensions)
    for factor in (0.5, 2.0):  # before any run
        replace(recipe, learning_rate=recipe.learning_rate * factor, seed=recipe.seed + seeds - 1)

    def run(rate: float, number: int) -> float:
        own = replace(recipe, learning_rate=rate, seed=recipe.seed + number)
        folder = None if out is None else out / f"lr-{rate:.6g}-seed-{own.seed}"
        told = None if progress is None else partial(_named, progress, f"learning rate {rate:.3g}, ")
        return final_loss(train(source, own, data, folder, resume=True, device=device, progress=told))

    return search_minimum(recipe.learning_rate, lambda rate: [run(rate, n) for n in range(seeds)], extensions)


def _named(progress: Progress, name: str, fraction: float, text: str) -> None:
    progress(fraction, name + text)


def final_loss(result: RunResult) -> float:
    """Return the held-out loss of the first split, or the training loss without one; infinite after divergence."""
    if result.status == "diverged" or result.loss is None:
        return math.inf
    heldout = (value for name, value in result.evaluation.items() if name.endswith(".nats_per_token"))
    return next(heldout, result.loss)
