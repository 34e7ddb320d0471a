"""RunSpec: one training run of a study, and the name of its folder."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from slimlm.core.architecture import Architecture
from slimlm.runs.recipe import TrainRecipe


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
            "architecture": self.architecture.concrete(),
            "recipe": asdict(self.recipe),
            "data": self.data_digest,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def to_record(self) -> dict[str, Any]:
        """Return the spec as data for JSON, for another process or machine."""
        return {
            "architecture": self.architecture.concrete(),
            "recipe": asdict(self.recipe),
            "data_digest": self.data_digest,
            "flops": self.flops,
        }


def spec_from_record(record: dict[str, Any]) -> RunSpec:
    """Return the spec that `RunSpec.to_record` wrote; raises ValueError for fields that are not allowed."""
    return RunSpec(
        Architecture(**record["architecture"]),
        TrainRecipe(**record["recipe"]),
        record["data_digest"],
        record["flops"],
    )
