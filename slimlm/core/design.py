"""Design: a request, the architecture found for it, and what the one bends of the other."""

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

BENT = 0.05
"""A knob that is missed by more than this share of the request counts as bent."""


@dataclass(frozen=True)
class AskedGot:
    """One knob of a request beside what a design makes of it."""

    name: str
    asked: float
    got: float

    @property
    def miss(self) -> float:
        """Relative miss: got / asked − 1."""
        return self.got / self.asked - 1

    @property
    def bent(self) -> bool:
        """Whether the miss is more than 5 %."""
        return abs(self.miss) > BENT


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
    def asked_got(self) -> tuple[AskedGot, AskedGot, AskedGot]:
        """Total, embedding ratio and GLU expansion: asked and got."""
        config = self.config
        return (
            AskedGot("total_params", config.total_params, self.total_params),
            AskedGot("embedding_ratio", config.embedding_ratio, self.account.embedding_ratio),
            AskedGot("glu_expansion", config.glu_expansion, self.architecture.glu_expansion),
        )

    @property
    def bent(self) -> tuple[AskedGot, ...]:
        """The knobs that are missed by more than 5 %."""
        return tuple(knob for knob in self.asked_got if knob.bent)

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
    asked = config.total_params * config.embedding_ratio
    return math.log(config.vocabulary_tables * config.vocab_size * d_model / asked) ** 2
