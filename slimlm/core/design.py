"""Design: a request, the architecture found for it, and how far it is from each target."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from slimlm.core.accounting import Account, account
from slimlm.core.architecture import Architecture, ModelDims
from slimlm.core.config import ModelConfig
from slimlm.core.describe import shape_line

TOLERANCE = 0.005
"""A design's total lies within this share of the request."""

OFF_TARGET = 0.05
"""A knob that misses its target by more than this share of it is off target."""


@dataclass(frozen=True)
class TargetActual:
    """The target of one knob, and the actual value in a design."""

    name: str
    target: float
    actual: float

    @property
    def miss(self) -> float:
        """Relative miss: actual / target − 1."""
        return self.actual / self.target - 1

    @property
    def off_target(self) -> bool:
        """Whether the miss is more than 5 %."""
        return abs(self.miss) > OFF_TARGET

    @property
    def asked(self) -> float:
        """Earlier name of `target`."""
        return self.target

    @property
    def got(self) -> float:
        """Earlier name of `actual`."""
        return self.actual

    @property
    def bent(self) -> bool:
        """Earlier name of `off_target`."""
        return self.off_target


AskedGot = TargetActual
"""Earlier name of `TargetActual`."""


@dataclass(frozen=True)
class Design:
    """A request, the architecture that `slimlm.solve` found for it, and its account."""

    config: ModelConfig
    architecture: Architecture

    notebook_view: ClassVar[Callable[["Design"], dict[str, str]]]
    """MIME bundle of a design. `slimlm` fills it in, because the core knows neither tables nor charts."""

    @cached_property
    def account(self) -> Account:
        """The components of the architecture."""
        return account(self.architecture)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Return what a notebook shows."""
        return type(self).notebook_view(self)

    @property
    def dims(self) -> ModelDims:
        """(d_model, d_ff, n_layers)."""
        return ModelDims(self.architecture.d_model, self.architecture.d_ff, self.architecture.n_layers)

    @property
    def total_params(self) -> int:
        """Parameters of the architecture."""
        return self.account.total_params

    @property
    def cost(self) -> float:
        """Distance from the request, which the solver minimises (see `distance`)."""
        return distance(self.config, self.architecture.d_model, self.architecture.d_ff)

    @cached_property
    def targets(self) -> tuple[TargetActual, TargetActual, TargetActual]:
        """Total, embedding ratio and GLU expansion: target and actual value."""
        config = self.config
        return (
            TargetActual("total_params", config.total_params, self.total_params),
            TargetActual("embedding_ratio", config.embedding_ratio, self.account.embedding_ratio),
            TargetActual("glu_expansion", config.glu_expansion, self.architecture.glu_expansion),
        )

    @property
    def off_target(self) -> tuple[TargetActual, ...]:
        """The knobs that miss their target by more than 5 %."""
        return tuple(knob for knob in self.targets if knob.off_target)

    @property
    def asked_got(self) -> tuple[TargetActual, TargetActual, TargetActual]:
        """Earlier name of `targets`."""
        return self.targets

    @property
    def bent(self) -> tuple[TargetActual, ...]:
        """Earlier name of `off_target`."""
        return self.off_target

    @property
    def title(self) -> str:
        """The design in a few words.

        >>> from slimlm import solve
        >>> solve(ModelConfig()).title
        '10.05M parameters · 12 layers × d_model 216 · d_ff 544 · 8 heads'
        """
        return shape_line(self.account)


def distance(config: ModelConfig, d_model: int, d_ff: int) -> float:
    """Return how far a width and a feed-forward width are from a request: 0 when both knobs are met.

    cost = ln(c·vocab_size·d_model / (total_params·embedding_ratio))² + ln((d_ff/d_model) / glu_expansion)²,
    with c = 1 for a tied head and 2 for an untied one.
    """
    return ratio_cost(config, d_model) + math.log(d_ff / d_model / config.glu_expansion) ** 2


def ratio_cost(config: ModelConfig, d_model: int) -> float:
    """Return the part of `distance` that the width alone decides."""
    target = config.total_params * config.embedding_ratio
    return math.log(config.vocabulary_tables * config.vocab_size * d_model / target) ** 2
