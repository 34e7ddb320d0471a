"""What others have published: models that they have built, and laws that they have fitted to theirs."""

import csv
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_TABLE = Path(__file__).with_name("published.csv")


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """One public model: its dimensions as its configuration gives them, and its parameters as counted."""

    name: str
    vocab_size: int
    """Rows of the embedding table, padding included: not always the size of the tokenizer."""
    d_model: int
    d_ff: int
    n_layers: int
    n_heads: int
    head_dim: int
    """Width of one attention head: not always d_model / n_heads."""
    tied_lm_head: bool
    total_params: int
    token_embedding_params: int
    """vocab_size · d_model, but for OPT-350M, whose table is 512 wide."""
    lm_head_params: int
    """0 when tied, else vocab_size · d_model; the Phi models add a bias of vocab_size."""

    @property
    def embedding_ratio(self) -> float:
        """Share of all parameters in token embedding and LM head: `slimlm.accounting.EMBEDDING_RATIO_DEFINITION`."""
        return (self.token_embedding_params + self.lm_head_params) / self.total_params

    @property
    def aspect_ratio(self) -> float:
        """d_model / n_layers."""
        return self.d_model / self.n_layers


@cache
def published_models() -> tuple[PublishedModel, ...]:
    """Return every model of the table, from the smallest to the largest.

    >>> from slimlm.units import format_share
    >>> {model.name: format_share(model.embedding_ratio) for model in published_models()}["gpt2"]
    '31.0 %'
    """
    with _TABLE.open(encoding="utf-8", newline="") as lines:
        return tuple(_model(row) for row in csv.DictReader(lines))


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


def _model(row: dict[str, str]) -> PublishedModel:
    counts = {key: int(value) for key, value in row.items() if key not in ("name", "tied_lm_head")}
    return PublishedModel(name=row["name"], tied_lm_head=row["tied_lm_head"] == "1", **counts)


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
