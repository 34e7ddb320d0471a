"""Outcome: what the record of one run says, as far as a study needs it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slimlm.runs.record import RunRecord
from slimlm.utils.text import one_line, shown

VALIDATION = "validation"

_LONGEST_REASON, _LONGEST_NAME, _LONGEST_TEXT = 200, 60, 200
_MOST_TOKENS, _MOST_FLOPS, _LARGEST = 10**15, 10**30, 1e15


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
        why = one_line(str(error), _LONGEST_REASON)
        name = one_line(key, _LONGEST_NAME)
        raise ValueError(f"the record of run {name} is damaged ({why}): deleting its folder would work") from None


def metrics_of(record: RunRecord) -> tuple[Mapping[str, Any], ...]:
    """Return the rows of a run's metrics; raises ValueError where tokens or a loss is no figure."""
    try:
        return tuple(map(_row, record.metrics))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(one_line(str(error), _LONGEST_REASON)) from None


def _outcome(key: str, record: RunRecord, result: Mapping[str, Any]) -> Outcome:
    if result["status"] not in ("finished", "diverged"):
        raise ValueError(f"status={shown(result['status'])}")
    finished = result["status"] == "finished"
    evaluation = {
        _text("evaluation", name): _real(name, value)
        for name, value in result["evaluation"].items()
        if value is not None
    }
    setting = record.run["setting"]
    return Outcome(
        key,
        result["status"],
        evaluation[f"{VALIDATION}.bits_per_{record.run['data']['unit']}"] if finished else math.inf,
        evaluation,
        _whole("tokens", result["tokens"], _MOST_TOKENS),
        _whole("flops", result["flops"], _MOST_FLOPS),
        math.fsum(_real("seconds", row["seconds"]) for row in record.speed),
        _text("device", setting["device"]),
        _text("precision", setting["precision"]),
        {_text("version", name): _text("version", value) for name, value in record.run["versions"].items()},
        tuple(_text("check", check["name"]) for check in result["checks"] if not check["passed"]),
        tuple(map(_row, record.metrics)),
    )


def _row(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row of the metrics whose tokens and evaluation, if it has one, are figures."""
    for name, value in row.get("evaluation", {}).items():
        if value is not None:
            _real(name, value)
        _whole("tokens", row["tokens"], _MOST_TOKENS)
    return row


def _text(name: str, value: object) -> str:
    """Return a text that can stand in a sentence as it is."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > _LONGEST_TEXT:
        raise ValueError(f"{name}={shown(value)}")
    return value


def _whole(name: str, value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{name}={shown(value)}")
    return value


def _real(name: str, value: object) -> float:
    """Return a figure that sums and squares stay finite with."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise ValueError(f"{one_line(name, _LONGEST_NAME)}={shown(value)}")
    return float(value)
