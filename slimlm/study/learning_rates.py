"""Learning rates of a study's cells: searched in some, and interpolated by a law over width and depth in the others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from slimlm.core.architecture import Architecture
from slimlm.runs.lr_search import LearningRateSweep

MOST_ANCHORS = 6
"""Cells with a search of their own before the law is fitted; in larger grids the others are interpolated."""

VERIFIED = 2
"""Further cells that are searched to verify the law."""

LARGEST_ERROR = 1.5
"""Factor by which the law may miss the best rate of a verifying cell; beyond it every cell is searched."""

Origin = Literal["searched", "interpolated", "not bracketed"]


@dataclass(frozen=True)
class CellRate:
    """The learning rate of a cell, and how it is known."""

    rate: float | None
    """None where the optimum is not bracketed."""
    origin: Origin
    search: LearningRateSweep | None = None
    """The cell's own search; None where the rate is interpolated."""
    law: float | None = None
    """What the law says of the cell."""


@dataclass(frozen=True)
class RateLaw:
    """log₂ of the best learning rate, linear in the logs of width and depth."""

    constant: float
    width: float
    """Exponent of d_model."""
    depth: float
    """Exponent of n_layers."""

    def rate(self, architecture: Architecture) -> float:
        """Return the learning rate of an architecture."""
        x, y = math.log2(architecture.d_model), math.log2(architecture.n_layers)
        return tidy_rate(2.0 ** (self.constant + self.width * x + self.depth * y))


def tidy_rate(rate: float) -> float:
    """Return a rate of three digits, so that every machine trains with the same one."""
    return float(f"{rate:.3g}")


def fit_law(points: Sequence[tuple[Architecture, float]]) -> RateLaw:
    """Return the least-squares law through best rates of architectures.

    Width and depth of a grid at one total go together; where they leave a choice, the smallest exponents are taken.
    """
    import numpy as np

    inputs = np.log2([(architecture.d_model, architecture.n_layers) for architecture, _ in points])
    rates = np.log2([rate for _, rate in points])
    centre = inputs.mean(axis=0)
    exponents, *_ = np.linalg.lstsq(inputs - centre, rates - rates.mean(), rcond=1e-6)
    return RateLaw(float(rates.mean() - centre @ exponents), *map(float, exponents))


def law_holds(law: RateLaw, found: Mapping[Architecture, float]) -> bool:
    """Whether the law is within `LARGEST_ERROR` of the best rates of the cells that verify it."""
    return all(abs(math.log(law.rate(arch) / rate)) <= math.log(LARGEST_ERROR) for arch, rate in found.items())
