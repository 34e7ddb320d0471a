"""RunSpec: one training run of a study, and the name of its folder."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cached_property
from typing import Any

from slimlm.core.architecture import Architecture
from slimlm.core.config import written
from slimlm.runs.recipe import TrainRecipe

_FIRST_FIELDS = frozenset(
    """
    vocab_size max_seq_length d_model d_ff n_layers n_heads n_kv_heads head_dim norm positions ffn bias qk_norm
    block rope_theta tied_lm_head lm_head_bias embedding_norm position_offset dropout attention_dropout
    layer_norm_eps tokens sequence_length batch_tokens learning_rate schedule warmup_share decay_share
    weight_decay beta1 beta2 eps clip micro_batch precision optimizer parametrisation embedding_std output_std
    seed compile cuda_graph deterministic log_every evaluate_every evaluate_tokens checkpoint_every keep
    """.split()  # noqa: SIM905
)
"""Fields of architectures and recipes when the first studies were trained.

A later field is left out of a run's key at its default, so that the runs of earlier versions keep their names.
"""


@dataclass(frozen=True)
class RunSpec:
    """Everything that determines a run. Equal specs are one run, wherever they are trained."""

    architecture: Architecture
    recipe: TrainRecipe
    data_digest: str
    flops: int
    """Operations of the run: engines start the longest runs first."""

    @cached_property
    def key(self) -> str:
        """Name of the run's folder: the start of the sha256 of its architecture, recipe and data."""
        content = {
            "architecture": _identity(Architecture, self.architecture.concrete()),
            "recipe": _identity(TrainRecipe, asdict(self.recipe)),
            "data": self.data_digest,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def to_record(self) -> dict[str, Any]:
        """Return the spec as data for JSON, for another process or machine."""
        return {
            "architecture": written(self.architecture.concrete()),
            "recipe": asdict(self.recipe),
            "data_digest": self.data_digest,
            "flops": self.flops,
        }


def _identity(kind: type[Architecture] | type[TrainRecipe], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without those of later fields that are at their default."""
    usual = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
    return {
        name: value
        for name, value in values.items()
        if name in _FIRST_FIELDS or name not in usual or value != usual[name]
    }


def spec_from_record(record: dict[str, Any]) -> RunSpec:
    """Return the spec that `RunSpec.to_record` wrote; raises ValueError for fields that are not allowed."""
    return RunSpec(
        Architecture(**record["architecture"]),
        TrainRecipe(**record["recipe"]),
        record["data_digest"],
        record["flops"],
    )
