"""ModelConfig: the request that the solver meets."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from slimlm.core.architecture import NEWEST_FIELDS, Choices
from slimlm.core.precision import Precision
from slimlm.utils.validation import choice, documented, real, whole

Budget = Literal["total", "non_embedding", "active", "bytes"]

UNWRITTEN_FIELDS = NEWEST_FIELDS | {"budget", "budget_precision"}
"""Fields that links and files leave out at their default, so that those of earlier versions stay as they were."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Choices):
    """A request: a budget, how to spend it, and the fixed choices. `slimlm.solve` finds the architecture.

    >>> ModelConfig(total_params=125_000_000, vocab_size=32_000).glu_expansion
    2.66

    Raises ValueError, with name, value, rule and what would work, for a field outside its limits.
    """

    total_params: int = documented(
        "Target for the number of trainable parameters; a design is within ±0.5 % of it.",
        whole(10_000_000, 1, 10**15),
    )

    budget: Budget = documented(
        "What the target counts: all parameters; those outside the vocabulary-sized tables (non-embedding); those that "
        "one token uses (active), which are all but where a model has experts; or the bytes of all at a precision.",
        choice("total", "non_embedding", "active", "bytes"),
    )

    budget_precision: Precision = documented(
        "Precision of every parameter where the budget is in bytes: 1 byte each in int8, 2 in bf16, 4 in fp32, half a "
        "byte in int4. Scales are not counted.",
        choice("int8", "bf16", "fp32", "int4"),
    )

    embedding_ratio: float | Literal["auto"] = documented(
        "Share of all parameters in vocabulary-sized matrices: the token embedding, and the LM head if it is untied. "
        'Position embeddings do not count. "auto" lets the shape lead: depth and width are in the proportion of '
        "published models of this size, and the ratio follows.",
        real(0.35, 0.0001, 0.9999, "auto"),
    )

    glu_expansion: float = documented(
        "Width of the feed-forward relative to the width of the model: d_ff / d_model.",
        real(2.66, 0.01, 1000.0),
    )

    n_layers: int | None = documented(
        "Pinned number of transformer blocks; None lets the solver choose.",
        whole(None, 1, 10**12),
    )

    multiple_of: int = documented(
        "Hardware alignment: d_model and d_ff are multiples of it (8 or 64 suit tensor cores).",
        whole(1, 1, 65_536),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_layers is not None:
            self.check_depth(self.n_layers)

    @property
    def choices(self) -> Choices:
        """The fixed choices alone, which were checked with the request."""
        found = object.__new__(Choices)
        vars(found).update(self.chosen())
        return found


FREE_FIELDS = frozenset({"total_params", "vocab_size", "embedding_ratio", "glu_expansion"})
"""Fields that no rule ties to others: a request stays valid with any value within the limits of one."""


def written(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request or an architecture that a file holds: not `UNWRITTEN_FIELDS` at their default.

    >>> written({"d_model": 64, "n_loops": 1}), written({"n_loops": 3})
    ({'d_model': 64}, {'n_loops': 3})
    """
    return {name: value for name, value in values.items() if name not in UNWRITTEN_FIELDS or value != _usual(name)}


def _usual(name: str) -> Any:
    return next(field.default for field in fields(ModelConfig) if field.name == name)
