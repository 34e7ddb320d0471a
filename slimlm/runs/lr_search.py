"""Search for a learning rate: losses on a grid of factors of 2, and the minimum of a parabola in log₂ of the rate."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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


def search_minimum(
    centre: float, losses_at: Callable[[float], Sequence[float]], extensions: int = EXTENSIONS
) -> LearningRateSweep:
    """Find the minimum over centre · 2ⁿ: from n = −1, 0, 1 towards the lower end, until a worse rate lies beyond."""
    by_seed: dict[int, tuple[float, ...]] = {}
    while wanted := wanted_exponents({n: _mean(found) for n, found in by_seed.items()}, extensions):
        by_seed |= {n: tuple(losses_at(centre * 2.0**n)) for n in wanted}
    return sweep_of(centre, by_seed)


def wanted_exponents(losses: Mapping[int, float], extensions: int = EXTENSIONS) -> tuple[int, ...]:
    """Return the exponents n of centre · 2ⁿ whose losses are needed next; empty when the search is over.

    >>> wanted_exponents({}), wanted_exponents({-1: 3.0, 0: 2.0, 1: 1.0}), wanted_exponents({-1: 3.0, 0: 2.0, 1: 3.0})
    ((-1, 0, 1), (2,), ())
    """
    if missing := tuple(n for n in (-1, 0, 1) if n not in losses):
        return missing
    lowest = min(sorted(losses), key=losses.__getitem__)
    if min(losses) < lowest < max(losses) or len(losses) >= 3 + extensions:
        return ()
    return (min(losses) - 1,) if lowest == min(losses) else (max(losses) + 1,)


def sweep_of(centre: float, by_seed: Mapping[int, Sequence[float]]) -> LearningRateSweep:
    """Return the sweep of the losses of each seed at each centre · 2ⁿ, by n."""
    ordered = sorted(by_seed)
    mean = {n: _mean(by_seed[n]) for n in ordered}
    best, parabola = _minimum(centre, mean)
    rates = {n: centre * 2.0**n for n in ordered}
    return LearningRateSweep(
        {rates[n]: mean[n] for n in ordered}, {rates[n]: tuple(by_seed[n]) for n in ordered}, best, parabola
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


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
