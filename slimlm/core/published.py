"""Published models, with parameter counts confirmed outside slimlm."""

import csv
import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from slimlm.core.accounting import Account, account
from slimlm.core.architecture import Architecture
from slimlm.utils.validation import FieldError

_TABLE = Path(__file__).with_name("published.csv")

LEFT_OUT = {
    "opt-350m": "its embeddings are 512 wide and projected to d_model 1024 and back, its blocks normalise after the "
    "residual sum, and it has no final norm",
}
"""Published models that no `Architecture` describes, by name, with the reason."""


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """One public model, as its configuration and its counted parameters give it."""

    name: str
    family: str
    """The models that it was made with, or after: "Pythia", "Llama"."""
    year: int
    """When it was released."""
    architecture: Architecture
    """Its vocab_size is that of the embedding table, padding included: not always the size of the tokenizer."""
    published_params: int
    """Its parameters as counted outside slimlm: the account of `architecture` gives the same."""
    confirmed_by: str
    """Who has counted them."""
    note: str
    """What the architecture leaves out, or what the name or the configuration gets wrong; may be empty."""

    @cached_property
    def account(self) -> Account:
        """The components of the architecture."""
        return account(self.architecture)

    @property
    def total_params(self) -> int:
        """Parameters of the architecture."""
        return self.account.total_params

    @property
    def embedding_ratio(self) -> float:
        """Share of all parameters in vocabulary-sized matrices: `slimlm.core.accounting.EMBEDDING_RATIO_DEFINITION`."""
        return self.account.embedding_ratio

    @property
    def aspect_ratio(self) -> float:
        """d_model / n_layers."""
        return self.architecture.d_model / self.architecture.n_layers


_LONGEST_NAME = 200
"""Characters up to which names like it are looked for: the time for that grows with its length."""


@cache
def published_models() -> tuple[PublishedModel, ...]:
    """Return every model of the table, from the smallest to the largest.

    >>> from slimlm.utils.formatting import format_share
    >>> {model.name: format_share(model.embedding_ratio) for model in published_models()}["gpt2"]
    '31.0 %'
    """
    with _TABLE.open(encoding="utf-8", newline="") as lines:
        return tuple(_model(row) for row in csv.DictReader(lines))


def published_model(name: str) -> PublishedModel:
    """Return the model with this name.

    >>> published_model("SmolLM2-135M").total_params
    134515008

    Raises FieldError, with similar names as remedies, when there is none.
    """
    models = {model.name: model for model in published_models()}
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
    """Return the models within a factor of a total, the nearest (in the logarithm) first; there may be none.

    Raises FieldError for a factor below 1.
    """
    if not factor >= 1:
        raise FieldError("factor", factor, "it must be at least 1", (("factor", 3),))
    near = [
        model for model in published_models() if total_params / factor <= model.total_params <= total_params * factor
    ]
    return tuple(sorted(near, key=lambda model: abs(math.log(model.total_params / total_params))))


def _model(row: Mapping[str, str]) -> PublishedModel:
    """Read a line of the table; a column of `Architecture` that is blank has its default."""
    given = {field.name: field for field in fields(Architecture) if row.get(field.name)}
    return PublishedModel(
        name=row["name"],
        family=row["family"],
        year=int(row["year"]),
        architecture=Architecture(**{name: _value(field, row[name]) for name, field in given.items()}),
        published_params=int(row["published_params"]),
        confirmed_by=row["confirmed_by"],
        note=row["note"],
    )


def _value(field: Field[Any], text: str) -> Any:
    """Read a cell as its field declares: a switch, a choice (one of a few words), a real or a whole number."""
    if field.type is bool:
        return {"true": True, "false": False}[text]
    if "options" in field.metadata:
        return text
    return float(text) if field.type is float else int(text)
