"""What others have published: models that they have built, and laws that they have fitted to theirs."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from slimlm.accounting import Account, account
from slimlm.architecture import Architecture
from slimlm.units import shown

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
        """Share of all parameters in vocabulary-sized matrices: `slimlm.accounting.EMBEDDING_RATIO_DEFINITION`."""
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

    >>> from slimlm.units import format_share
    >>> {model.name: format_share(model.embedding_ratio) for model in published_models()}["gpt2"]
    '31.0 %'
    """
    with _TABLE.open(encoding="utf-8", newline="") as lines:
        return tuple(_model(row) for row in csv.DictReader(lines))


def published_model(name: str) -> PublishedModel:
    """Return the model with this name.

    >>> published_model("SmolLM2-135M").total_params
    134515008

    Raises ValueError, with the reason or with names like it, when there is none.
    """
    models = {model.name: model for model in published_models()}
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        raise ValueError(f"name={shown(name)} is no name of a published model; name='gpt2' would work")
    if name in models:
        return models[name]
    names = {known.lower(): known for known in models}
    near = [names[known] for known in get_close_matches(name.lower(), names)] or ["gpt2"]
    rule = (
        f"is left out: {LEFT_OUT[name]}"
        if name in LEFT_OUT
        else f"is not one of the {len(models)} published models known here"
    )
    raise ValueError(f"name={name!r} {rule}; {' or '.join(f'name={known!r}' for known in near)} would work")


def published_near(total_params: int, factor: float = 3.0) -> tuple[PublishedModel, ...]:
    """Return the models within a factor of a total, the nearest (in the logarithm) first; there may be none.

    Raises ValueError for a factor below 1.
    """
    if not factor >= 1:
        raise ValueError(f"factor={factor!r} is not allowed: it must be at least 1; factor=3 would work")
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
        architecture=Architecture(**{name: _value(field.type, row[name]) for name, field in given.items()}),
        published_params=int(row["published_params"]),
        confirmed_by=row["confirmed_by"],
        note=row["note"],
    )


def _value(kind: Any, text: str) -> Any:
    """Read a cell as a field's type says; a choice is a word."""
    if kind is bool:
        return {"true": True, "false": False}[text]
    return kind(text) if kind in (int, float) else text


TAO_SMALLEST = 33e6
"""Fewest non-vocabulary parameters of a model that Tao et al. 2024 fitted."""

_LEVINE_A, _LEVINE_B = 5.039, 5.55e-2


def tao_vocabulary_params(non_vocabulary_params: float) -> float:
    """Return the compute-optimal parameters of one vocab_size · d_model table (Tao et al. 2024, sec. 4.2).

    N_v = 3,145,728 · (N_nv / 33M)^0.8354: V·d is counted once, also for their untied models. Fitted from 33M upwards.

    >>> round(tao_vocabulary_params(125e6) / 1e6, 1)
    9.6
    """
    return float(3_145_728 * (non_vocabulary_params / TAO_SMALLEST) ** 0.8354)


def levine_shape(non_embedding_params: float) -> tuple[float, float]:
    """Return the depth and the width that Levine et al. 2020 predict for a number of non-embedding parameters.

    They fit d_model = e^(a + b·L) to optimal models of N = 12·L·d_model² parameters, with 6 to 48 layers.

    >>> [round(value, 1) for value in levine_shape(10e6)]
    [10.7, 279.2]
    """
    target = math.log(non_embedding_params / 12) - 2 * _LEVINE_A
    low, high = 0.0, 1000.0
    for _ in range(60):  # ln L + 2bL rises with L: bisection ends at the last bits of a float
        depth = (low + high) / 2
        low, high = (depth, high) if math.log(depth) + 2 * _LEVINE_B * depth < target else (low, depth)
    return low, math.exp(_LEVINE_A + _LEVINE_B * low)


def critical_depths(d_model: int) -> tuple[float, float]:
    """Return the depth beyond which loss rises, by both approximations of Fahim & Karim 2026: the lower one first.

    W^0.44 and 2.43·ln W. The paper gives the power law up to a constant, which is taken as 1: then both meet the
    optimum of 16 layers that it measures at W = 512.
    """
    low, high = sorted((d_model**0.44, 2.43 * math.log(d_model)))
    return low, high
