"""Published models with independent parameter counts."""

import csv
import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from slimlm.core.architecture import Architecture
from slimlm.core.named_model import NamedModel
from slimlm.utils.validation import FieldError, is_real

_TABLE, _EXPERTS, _LARGE = (
    Path(__file__).with_name(f"{name}.csv") for name in ("published", "published_experts", "published_large")
)

LEFT_OUT = {
    "opt-350m": "its embeddings are 512 wide and projected to d_model 1024 and back, its blocks normalise after the "
    "residual sum, and it has no final norm",
}
"""Published models that no `Architecture` describes: name → reason."""


@dataclass(frozen=True, kw_only=True)
class PublishedModel(NamedModel):
    """A published model with an independent parameter count.

    vocab_size of its architecture is that of the embedding table, padding included: not always the tokenizer's size.
    """

    family: str
    """Model family: "Pythia", "Llama"."""
    year: int
    """Year of release."""
    published_params: int
    """Parameter count from outside slimlm; the account of `architecture` gives the same."""
    confirmed_by: str
    """Source of that count."""

    @property
    def note(self) -> str:
        """What the architecture leaves out, or what the name or the configuration gets wrong; may be empty."""
        return "; ".join(self.remarks)

    @property
    def embedding_ratio(self) -> float:
        """Share of all parameters in vocabulary-sized matrices: `slimlm.core.accounting.EMBEDDING_RATIO_DEFINITION`."""
        return self.account.embedding_ratio

    @property
    def aspect_ratio(self) -> float:
        """d_model / n_layers."""
        return self.architecture.d_model / self.architecture.n_layers


_LONGEST_NAME = 200
"""Longest name for which similar names are searched: the search time grows with the length."""


@cache
def published_models() -> tuple[PublishedModel, ...]:
    """Return the published dense models with plain attention, smallest first: laws and notes compare with them.

    >>> from slimlm.utils.formatting import format_share
    >>> {model.name: format_share(model.embedding_ratio) for model in published_models()}["gpt2"]
    '31.0 %'
    """
    return _read(_TABLE)


@cache
def published_experts() -> tuple[PublishedModel, ...]:
    """Return the published models with a mixture of experts or with latent attention, smallest first.

    >>> {model.name: model.account.active_params for model in published_experts()}["Mixtral-8x7B"]
    12879925248
    """
    return _read(_EXPERTS)


@cache
def published_large() -> tuple[PublishedModel, ...]:
    """Return the published dense models of more than 100B parameters; laws are not fitted to them.

    >>> [model.name for model in published_large()]
    ['Llama-3.1-405B']
    """
    return _read(_LARGE)


@cache
def all_published() -> tuple[PublishedModel, ...]:
    """Return all published models, smallest first."""
    return tuple(
        sorted((*published_models(), *published_experts(), *published_large()), key=lambda model: model.total_params)
    )


def _read(table: Path) -> tuple[PublishedModel, ...]:
    with table.open(encoding="utf-8", newline="") as lines:
        return tuple(_model(row) for row in csv.DictReader(lines))


def published_model(name: str) -> PublishedModel:
    """Return the model with this name.

    >>> published_model("SmolLM2-135M").total_params
    134515008

    Raises FieldError, with similar names as remedies, when there is none.
    """
    models = {model.name: model for model in all_published()}
    rule = f"it must be one of the {len(models)} published models known here"
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        raise FieldError("name", name, rule, (("name", "gpt2"),))
    if name in models:
        return models[name]
    names = {known.lower(): known for known in models}
    near = [names[known] for known in get_close_matches(name.lower(), names)] or ["gpt2"]
    reason = f"it is left out, because {LEFT_OUT[name]}" if name in LEFT_OUT else rule
    raise FieldError("name", name, reason, tuple(("name", known) for known in near))


def published_near(total_params: int, factor: float = 3.0) -> tuple[PublishedModel, ...]:
    """Return the dense models whose size is within a factor of a total, nearest (in log size) first; possibly none.

    Raises FieldError for a factor below 1.
    """
    if not factor >= 1:
        raise FieldError("factor", factor, "it must be at least 1", (("factor", 3),))
    near = [
        model for model in published_models() if total_params / factor <= model.total_params <= total_params * factor
    ]
    return tuple(sorted(near, key=lambda model: abs(math.log(model.total_params / total_params))))


def _model(row: Mapping[str, str]) -> PublishedModel:
    """Read one row of the table; a blank column of `Architecture` has its default."""
    given = {field.name: field for field in fields(Architecture) if row.get(field.name)}
    return PublishedModel(
        name=row["name"],
        family=row["family"],
        year=int(row["year"]),
        architecture=Architecture(**{name: _value(field, row[name]) for name, field in given.items()}),
        published_params=int(row["published_params"]),
        confirmed_by=row["confirmed_by"],
        origin=f"Published {row['year']}",
        remarks=(row["note"],) if row["note"] else (),
    )


def _value(field: Field[Any], text: str) -> Any:
    """Parse a cell by the type of its field: switch, choice, real or whole number."""
    if field.type is bool:
        return {"true": True, "false": False}[text]
    if isinstance(field.default, str):
        return text
    return float(text) if is_real(Architecture, field.name) else int(text)
