"""Learning rate range test: an interval of learning rates in which training starts well (Smith 2017, arXiv 1506.01186).

The learning rates of all groups rise exponentially, each by its own factor of the recipe's. The test finds the edge of
divergence cheaply, but not the best learning rate of a whole run: a sweep does that (`slimlm.train.lr_sweep`).
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

import torch

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.data.token_data import TokenData
from slimlm.model.language_model import LanguageModel
from slimlm.runs.plan import plan_run
from slimlm.runs.recipe import TrainRecipe
from slimlm.train.batches import Batches
from slimlm.train.initial_weights import initialise
from slimlm.train.setting import own_generators, training_device
from slimlm.train.step import TrainStep
from slimlm.utils.progress import Progress, Reporter
from slimlm.utils.validation import FieldError, check_positive, check_whole

SMOOTHING = 0.9
RISE = 0.25
"""Share of the loss's fall by which it rises again at the edge."""


@dataclass(frozen=True)
class RangeCurve:
    """The range test of one seed."""

    seed: int
    learning_rates: tuple[float, ...]
    losses: tuple[float, ...]
    """Loss of each step before its update, in nats; the last one may not be finite."""
    smoothed: tuple[float, ...]
    """Exponential moving average of the losses, corrected for its start."""

    @property
    def steepest(self) -> float:
        """The learning rate at which the smoothed loss falls fastest."""
        lowest = max(2, self._lowest)
        falls = [self.smoothed[n + 1] - self.smoothed[n - 1] for n in range(1, min(lowest, len(self.smoothed) - 1))]
        return self.learning_rates[1 + falls.index(min(falls))] if falls else self.learning_rates[0]

    @property
    def edge(self) -> float | None:
        """The learning rate at which the loss has risen again by a quarter of its fall; None when it never has."""
        bottom = self.smoothed[self._lowest]
        limit = bottom + max(0.1, RISE * (self.smoothed[0] - bottom))
        later = zip(self.learning_rates[self._lowest :], self.smoothed[self._lowest :], strict=True)
        return next((rate for rate, loss in later if not loss <= limit), None)

    @property
    def _lowest(self) -> int:
        finite = [loss if math.isfinite(loss) else math.inf for loss in self.smoothed]
        return finite.index(min(finite))


@dataclass(frozen=True)
class LearningRateRange:
    """The interval that the range test recommends, and the curves of all seeds."""

    low: float
    """Median of the steepest descents, and at most a third of `high`."""
    high: float
    """A third of the lowest edge, or of the highest learning rate tried when no seed diverged."""
    has_edge: bool
    """Whether a seed diverged: otherwise `high` is only a bound of what was tried."""
    curves: tuple[RangeCurve, ...]


def find_learning_rate(
    source: ModelConfig | Design | Architecture,
    recipe: TrainRecipe,
    data: TokenData,
    *,
    low: float = 1e-5,
    high: float = 1.0,
    steps: int = 100,
    seeds: int = 3,
    device: torch.device | str | None = None,
    progress: Progress | None = None,
) -> LearningRateRange:
    """Run the range test from `low` to `high` on new models of several seeds.

    Raises ValueError for bounds in the wrong order, fewer than 10 steps, and what `plan_run` refuses.
    """
    check_positive(low=low, high=high)
    check_whole(steps=steps, seeds=seeds)
    if low >= high:
        raise FieldError("low", low, f"it must be below high={high}", (("low", high / 1000),))
    if steps < 10:
        raise FieldError("steps", steps, "fewer than 10 give no curve", (("steps", 100),))
    target, report = training_device(device), Reporter(progress)
    plain = replace(recipe, compile="off", cuda_graph="off")
    replace(plain, seed=recipe.seed + seeds - 1)  # before any work
    rates = [low * (high / low) ** (number / (steps - 1)) for number in range(steps)]
    curves = []
    for number in range(seeds):
        own = replace(plain, seed=recipe.seed + number)
        with own_generators(target, own.seed):
            step, batches = _prepared(source, own, data, target)
            report(number / seeds, "learning rate range test", f": seed {number + 1} of {seeds}")
            curves.append(range_curve(step, batches, rates))
    report(1.0, "learning rate range test")
    return recommended(curves)


def _prepared(
    source: ModelConfig | Design | Architecture, recipe: TrainRecipe, data: TokenData, device: torch.device
) -> tuple[TrainStep, Batches]:
    model = LanguageModel(source, device=device, initialise=False)
    plan = plan_run(model.architecture, recipe, train_tokens=len(data.train), vocab_size=data.vocab_size)
    initialise(model, recipe)
    batches = Batches(data, seed=recipe.seed, sequences=plan.sequences, length=plan.length, device=device)
    return TrainStep(model, recipe, sequences=plan.sequences), batches


def recommended(curves: Sequence[RangeCurve]) -> LearningRateRange:
    """Return the interval for the curves of some seeds."""
    edges = [curve.edge for curve in curves]
    found = [edge for edge in edges if edge is not None]
    high = min(found, default=max(curves[0].learning_rates)) / 3
    low = min(median(curve.steepest for curve in curves), high / 3)
    return LearningRateRange(low, high, bool(found), tuple(curves))


def range_curve(step: TrainStep, batches: Batches, rates: Sequence[float]) -> RangeCurve:
    """Train with one learning rate after another, then restore model, optimizers and random numbers exactly.

    It ends early when a loss is not finite or far above the first.
    """
    losses: list[float] = []
    smoothed: list[float] = []
    average = 0.0
    with preserved(step):
        step.begin_at(0)
        for number, rate in enumerate(rates):
            step(batches[number], rate / step.recipe.learning_rate)
            losses.append(step.read().loss)
            average = SMOOTHING * average + (1 - SMOOTHING) * losses[-1]
            smoothed.append(average / (1 - SMOOTHING ** (number + 1)))
            if not smoothed[-1] <= 2 * losses[0]:
                break
    return RangeCurve(step.recipe.seed, tuple(rates[: len(losses)]), tuple(losses), tuple(smoothed))


@contextmanager
def preserved(step: TrainStep) -> Iterator[None]:
    """Restore weights, optimizer states, learning rates, gradients and random number generators bit for bit."""
    weights = {name: weight.detach().clone() for name, weight in step.model.named_parameters()}
    gradients = {name: weight.grad for name, weight in step.model.named_parameters()}
    state = {name: value.detach().clone() for name, value in step.optimizers.state().items()}
    factor, taken = step.optimizers.factor, step.taken
    devices = [step.device] if step.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        with torch.no_grad():
            for name, weight in step.model.named_parameters():
                weight.copy_(weights[name])
                weight.grad = gradients[name]
        step.optimizers.restore(state)
        step.optimizers.set_factor(factor)
        step.begin_at(taken)
