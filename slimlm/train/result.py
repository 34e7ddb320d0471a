"""How a run ended, in memory and in result.json."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from slimlm.model.language_model import LanguageModel
from slimlm.runs.plan import RunPlan
from slimlm.runs.record import METRICS, SPEED, damaged_result, read_rows, read_speed
from slimlm.train.checks import Check

Status = Literal["finished", "diverged"]


@dataclass(frozen=True)
class RunResult:
    """How a run ended. A diverged run is a result too: it has a step, but no weights worth keeping."""

    status: Status
    step: int
    """Steps taken; of a diverged run, the first with a loss or gradient that is not finite, or the last."""
    tokens: int
    loss: float | None
    """Mean training loss over the last logged steps, in nats per token; None when it is not finite."""
    evaluation: Mapping[str, float]
    """Figures of the last evaluation: whole held-out splits, and hooks."""
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    """Why something that the recipe allows was not done."""
    plan: RunPlan
    metrics: list[dict[str, Any]]
    speed: list[dict[str, Any]]
    model: LanguageModel | None
    """The trained model; None after divergence."""
    folder: Path | None

    @property
    def failed_checks(self) -> tuple[Check, ...]:
        """Checks that failed: with any of them, the figures mean nothing."""
        return tuple(check for check in self.checks if not check.passed)


def result_record(result: RunResult) -> dict[str, Any]:
    """Return the content of result.json."""
    plain = ("status", "step", "tokens", "loss", "evaluation", "notes")
    work = {"total_params": result.plan.total_params, "flops": result.tokens * result.plan.flops_per_token}
    return (
        {name: getattr(result, name) for name in plain} | work | {"checks": [asdict(check) for check in result.checks]}
    )


def past_result(folder: Path, record: Mapping[str, Any], plan: RunPlan, device: torch.device) -> RunResult:
    """Return the result of a run that is over, from its folder.

    Raises ValueError for a damaged record, and for weights that cannot be read.
    """
    try:
        return _past_result(folder, record, plan, device)
    except (AttributeError, KeyError, TypeError):
        raise damaged_result(folder) from None


def _check_figures(record: Mapping[str, Any]) -> None:
    """Raise TypeError for a field that is of another type than `result_record` writes."""
    figures = [record["loss"], *record["evaluation"].values()]
    fits = all(figure is None or type(figure) in (int, float) for figure in figures)
    fits &= all(type(record[name]) is int for name in ("step", "tokens"))
    fits &= record["status"] in ("finished", "diverged") and all(isinstance(note, str) for note in record["notes"])
    if not fits:
        raise TypeError


def _past_result(folder: Path, record: Mapping[str, Any], plan: RunPlan, device: torch.device) -> RunResult:
    from slimlm.model.pretrained import from_pretrained

    _check_figures(record)
    return RunResult(
        status=record["status"],
        step=record["step"],
        tokens=record["tokens"],
        loss=record["loss"],
        evaluation=record["evaluation"],
        checks=tuple(map(Check.from_record, record["checks"])),
        notes=tuple(record["notes"]),
        plan=plan,
        metrics=list(read_rows(folder / METRICS)),
        speed=read_speed(folder / SPEED),
        model=from_pretrained(folder, device) if record["status"] == "finished" else None,
        folder=folder,
    )
