"""Learning rate sweep: whole runs on a grid of factors of 2, and the minimum of a parabola in log₂ of the rate."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.data.token_data import TokenData
from slimlm.runs.recipe import TrainRecipe
from slimlm.train.loop import train
from slimlm.train.result import RunResult
from slimlm.utils.progress import Progress
from slimlm.utils.validation import check_whole

EXTENSIONS = 5
"""Most learning rates that are added on the sides of the first three."""


@dataclass(frozen=True)
class LearningRateSweep:
    """Losses by learning rate, and the best rate if the minimum lies inside."""

    losses: Mapping[float, float]
    """Mean final loss over the seeds by learning rate, ascending; infinite where a seed diverged."""
    by_seed: Mapping[float, tuple[float, ...]]
    best: float | None
    """Vertex of the parabola through the minimum and its neighbours, in log₂ of the rate; None when the minimum is at
    an end of the grid. Beside a rate that diverged there is no parabola: the minimum itself."""
    parabola: tuple[float, float, float] | None
    """Coefficients a, b, c of a · x² + b · x + c, where x is log₂ of the rate."""

    @property
    def is_bracketed(self) -> bool:
        """Whether a lower and a higher rate were worse: otherwise no rate can be called the best."""
        return self.best is not None

    @property
    def verdict(self) -> str:
        """The outcome in a sentence."""
        lowest = min(self.losses, key=self.losses.__getitem__)
        if self.best is None:
            end = "lowest" if lowest == min(self.losses) else "highest"
            return f"not bracketed: the best learning rate, {lowest:.3g}, is the {end} that was tried"
        return f"the best learning rate is {self.best:.3g}"


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


def search_minimum(
    centre: float, losses_at: Callable[[float], Sequence[float]], extensions: int = EXTENSIONS
) -> LearningRateSweep:
    """Find the minimum over centre · 2ⁿ: from n = −1, 0, 1 towards the lower end, until a worse rate lies beyond."""
    by_seed = {n: tuple(losses_at(centre * 2.0**n)) for n in (-1, 0, 1)}
    mean = {n: sum(found) / len(found) for n, found in by_seed.items()}
    for _ in range(extensions):
        lowest = min(mean, key=mean.__getitem__)
        if min(mean) < lowest < max(mean):
            break
        beyond = min(mean) - 1 if lowest == min(mean) else max(mean) + 1
        by_seed[beyond] = tuple(losses_at(centre * 2.0**beyond))
        mean[beyond] = sum(by_seed[beyond]) / len(by_seed[beyond])
    ordered = sorted(mean)
    best, parabola = _minimum(centre, mean)
    return LearningRateSweep(
        {centre * 2.0**n: mean[n] for n in ordered}, {centre * 2.0**n: by_seed[n] for n in ordered}, best, parabola
    )


def _minimum(centre: float, mean: Mapping[int, float]) -> tuple[float | None, tuple[float, float, float] | None]:
    lowest = min(mean, key=mean.__getitem__)
    if not min(mean) < lowest < max(mean) or not math.isfinite(mean[lowest]):
        return None, None
    left, middle, right = (mean[lowest + side] for side in (-1, 0, 1))
    if not (math.isfinite(left) and math.isfinite(right)):
        return centre * 2.0**lowest, None
    x, curvature, slope = math.log2(centre) + lowest, (left + right) / 2 - middle, (right - left) / 2
    if curvature <= 0:  # three equal losses
        return centre * 2.0**lowest, None
    coefficients = curvature, slope - 2 * curvature * x, middle - slope * x + curvature * x * x
    return 2.0 ** (x - slope / (2 * curvature)), coefficients
