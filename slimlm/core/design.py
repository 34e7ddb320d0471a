"""Design: a request, the architecture found for it, and how far it is from each target."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import ClassVar

from slimlm.core.accounting import Account, account
from slimlm.core.architecture import Architecture, Choices, ModelDims
from slimlm.core.budget import counted_params, in_budget_unit, table_params, target_table_params, total_at, window
from slimlm.core.budget_text import budget_noun
from slimlm.core.config import ModelConfig
from slimlm.core.shape_law import published_aspect_ratio
from slimlm.utils.validation import FieldError

TOLERANCE = 0.005
"""Largest relative miss of a design's total."""

OFF_TARGET = 0.05
"""Relative miss above which a value is off target."""


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
    """A request and an architecture that meets it, usually the one that `slimlm.solve` finds.

    Raises FieldError for an architecture whose total misses the target by more than 0.5 %, or whose depth or choices
    are not those of the request.
    """

    config: ModelConfig
    architecture: Architecture
    solved: bool = field(default=False, compare=False, repr=False, kw_only=True)
    """Whether the solver found this architecture for this request, so that the request alone reproduces the design.

    Designs with the same request and architecture are equal whether they were solved or made by hand.
    """

    notebook_view: ClassVar[Callable[["Design"], dict[str, str]]]
    """MIME bundle of a design. `slimlm` assigns it, because `core` must not import charts."""

    def __post_init__(self) -> None:
        if not self.solved:
            self._check_choices()
            self._check_total()

    def _check_choices(self) -> None:
        config, actual = self.config, self.architecture.concrete()
        target = {spec.name: getattr(config, spec.name) for spec in fields(Choices)} | {"n_layers": config.n_layers}
        if config.n_heads == "auto":
            del target["n_heads"], target["head_dim"]
        elif config.head_dim is None:
            target["head_dim"] = self.architecture.d_model / config.n_heads
        for name in ("d_shared", "d_dense", "v_head_dim"):
            target[name] = actual[name] if target[name] is None else target[name]
        target["n_kv_heads"] = config.n_kv_heads or self.architecture.n_heads
        for name, value in target.items():
            if value != actual[name] and not (name == "n_layers" and value is None):
                rule = "it must be that of the architecture"
                raise FieldError(name, getattr(config, name), rule, ((name, actual[name]),))

    def _check_total(self) -> None:
        counted, (low, high) = counted_params(self.account, self.config.budget), window(self.config)
        if not low <= counted <= high:
            actual, noun = in_budget_unit(self.config, counted), budget_noun(self.config)
            rule = f"a design is within ±{100 * TOLERANCE:g} % of it, and the architecture has {actual:,} {noun}"
            raise FieldError("total_params", self.config.total_params, rule, (("total_params", math.ceil(actual)),))

    @cached_property
    def account(self) -> Account:
        """The components of the architecture."""
        return account(self.architecture)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Return the MIME bundle that a notebook displays."""
        return type(self).notebook_view(self)

    @property
    def dims(self) -> ModelDims:
        """(d_model, d_ff, n_layers)."""
        return self.architecture.dims

    @property
    def total_params(self) -> int:
        """Parameters of the architecture."""
        return self.account.total_params

    @property
    def cost(self) -> float:
        """Distance from the request, which the solver minimises (see `distance`)."""
        return distance(self.config, self.dims)

    @cached_property
    def targets(self) -> tuple[TargetActual, TargetActual, TargetActual]:
        """Total, embedding ratio (or aspect ratio, see `targets_of`) and GLU expansion: target and actual value."""
        return targets_of(self.config, self.account)

    @property
    def shape_leads(self) -> bool:
        """Whether the request leaves the embedding ratio to the shape."""
        return self.config.embedding_ratio == "auto"

    @property
    def off_target(self) -> tuple[TargetActual, ...]:
        """Knobs that miss their target by more than 5 %."""
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
        """Size and shape on one line.

        >>> from slimlm import solve
        >>> solve(ModelConfig()).title
        '10.05M parameters · 12 layers × d_model 216 · d_ff 544 · 8 heads'
        """
        from slimlm.core.describe import shape_line  # words, which `import slimlm` need not wait for

        return shape_line(self.account)


def targets_of(config: ModelConfig, account: Account) -> tuple[TargetActual, TargetActual, TargetActual]:
    """Return target and actual value of total, embedding ratio and GLU expansion.

    The total is what the budget counts: perhaps non-embedding parameters or bytes.
    With embedding_ratio="auto" the aspect ratio d_model / n_layers takes the place of the embedding ratio.
    """
    arch, counted = account.architecture, counted_params(account, config.budget)
    if config.embedding_ratio == "auto":
        aspect_ratio = arch.d_model / arch.n_layers
        law = published_aspect_ratio(total_at(config, arch.d_model))
        shape = TargetActual("aspect_ratio", law, aspect_ratio)
    else:
        actual = account.embedding_params / counted if config.budget == "active" else account.embedding_ratio
        shape = TargetActual("embedding_ratio", config.embedding_ratio, actual)
    return (
        TargetActual("total_params", config.total_params, in_budget_unit(config, counted)),
        shape,
        TargetActual("glu_expansion", config.glu_expansion, arch.glu_expansion),
    )


def distance(config: ModelConfig, dims: ModelDims) -> float:
    """Return the cost of dimensions, which the solver minimises: 0 when shape and GLU expansion meet their targets.

    cost = ln(c·vocab_size·d_model / (total_params·embedding_ratio))² + ln((d_ff/d_model) / glu_expansion)²,
    with c = 1 for a tied head and 2 for an untied one; a budget of N non-embedding parameters takes N·r / (1 − r) for
    total_params·embedding_ratio (`target_table_params`). With embedding_ratio="auto" the first term is
    ln((d_model/n_layers) / a)², where a is the aspect ratio of published models (`published_aspect_ratio`).
    """
    if config.embedding_ratio == "auto":
        shape = aspect_cost(dims.d_model / dims.n_layers, published_aspect_ratio(total_at(config, dims.d_model)))
    else:
        shape = ratio_cost(table_params(config, dims.d_model), target_table_params(config))
    return shape + expansion_cost(config, dims.d_model, dims.d_ff)


def aspect_cost(aspect_ratio: float, law: float) -> float:
    """Return the part of the cost that is due to the aspect ratio, beside that of published models."""
    return math.log(aspect_ratio / law) ** 2


def ratio_cost(tables: int, target_tables: float) -> float:
    """Return the part of the cost that is due to the embedding ratio: to the parameters of the vocabulary's tables."""
    return math.log(tables / target_tables) ** 2


def expansion_cost(config: ModelConfig, d_model: int, d_ff: int) -> float:
    """Return the part of the cost that is due to the expansion."""
    return math.log(d_ff / d_model / config.glu_expansion) ** 2
