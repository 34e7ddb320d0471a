"""Outcome: what the record of one run says, as far as a study needs it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slimlm.runs.record import RunRecord

VALIDATION = "validation"


@dataclass(frozen=True)
class Outcome:
    """A run that is over."""

    key: str
    status: str
    """ "finished" or "diverged"."""
    loss: float
    """Held-out loss in bits per unit (byte or symbol); infinite after divergence."""
    evaluation: Mapping[str, float] = field(repr=False)
    tokens: int
    flops: int
    seconds: float
    """Of training, without evaluation and the start."""
    device: str
    precision: str
    versions: Mapping[str, str] = field(repr=False)
    failed_checks: tuple[str, ...] = ()
    metrics: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @property
    def diverged(self) -> bool:
        """Whether the run has no loss to compare."""
        return self.status != "finished"


def outcome_of(key: str, record: RunRecord) -> Outcome | None:
    """Return the outcome of a run; None while it is not over.

    Raises ValueError for a record that slimlm does not write.
    """
    if record.result is None:
        return None
    try:
        return _outcome(key, record, record.result)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the record of run {key} is damaged ({error}): deleting its folder would work") from None


def _outcome(key: str, record: RunRecord, result: Mapping[str, Any]) -> Outcome:
    unit = record.run["data"]["unit"]
    evaluation = {str(name): float(value) for name, value in result["evaluation"].items() if value is not None}
    finished = result["status"] == "finished"
    loss = evaluation[f"{VALIDATION}.bits_per_{unit}"] if finished else math.inf
    setting = record.run["setting"]
    return Outcome(
        key,
        str(result["status"]),
        loss,
        evaluation,
        int(result["tokens"]),
        int(result["flops"]),
        float(sum(row["seconds"] for row in record.speed)),
        str(setting["device"]),
        str(setting["precision"]),
        {str(name): str(value) for name, value in record.run["versions"].items()},
        tuple(str(check["name"]) for check in result["checks"] if not check["passed"]),
        tuple(record.metrics),
    )
