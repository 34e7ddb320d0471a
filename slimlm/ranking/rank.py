"""The ranking of a study: cells that can be compared, their intervals, controls, remarks and verdict."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from slimlm.ranking.controls import losses_of, study_controls
from slimlm.ranking.remarks import mixtures, prediction_sentence, study_remarks
from slimlm.ranking.result import CellResult, Ranking
from slimlm.ranking.statistics import Comparison, compare
from slimlm.ranking.verdict import study_answer, study_verdict
from slimlm.ranking.wording import axis_names, cell_label
from slimlm.study.cells import StudyCell
from slimlm.study.outcome import Outcome
from slimlm.study.schedule import Schedule
from slimlm.study.study import Study

NOT_BRACKETED = "learning rate not bracketed"


def rank_study(study: Study, outcomes: Mapping[str, Outcome], problems: Sequence[str] = ()) -> Ranking:
    """Return what a study says, given the outcomes of its runs so far.

    A cell is ranked when its learning rate is bracketed or interpolated, and all of its runs ended and passed their
    checks. `problems` are sentences about records that cannot be read; they become remarks.
    """
    schedule = Schedule(study, outcomes)
    reasons = {cell.key: _reason(schedule, cell) for cell in study.cells}
    losses, seeds = _comparable(schedule, reasons)
    comparison = compare(losses) if losses else None
    unit = f"bits per {study.unit}"
    cells = tuple(_result(schedule, cell, reasons[cell.key], comparison) for cell in study.cells)
    own = [one for key, one in outcomes.items() if key in schedule.specs]
    ranking = Ranking(
        unit=unit,
        cells=cells,
        verdict="",
        remarks=study_remarks(schedule, comparison, cells, problems),
        controls=study_controls(schedule, comparison, unit),
        prediction=prediction_sentence(study, comparison),
        runs_done=len(own),
        runs_diverged=sum(one.diverged for one in own),
        runs_missing=len(schedule.wanted),
        seeds=study.request.seeds,
        tokens=sum(one.tokens for one in own),
        flops=sum(one.flops for one in own),
        seconds=math.fsum(one.seconds for one in own),
        devices=tuple(sorted({one.device for one in own})),
        axes=(study.request.x.name, study.request.y.name),
        axis_names=axis_names(study),
        seeds_used=seeds if comparison else 0,
        mixed=tuple(mixtures(own)),
    )
    if comparison:
        ranking = replace(
            ranking,
            pooled_sd=comparison.pooled_sd,
            degrees_of_freedom=comparison.degrees_of_freedom,
            equal_variance_p=comparison.equal_variance_p,
            least_difference=comparison.all_pairs,
            agreement=comparison.agreement,
            answer=study_answer(ranking, comparison),
        )
    return replace(ranking, verdict=study_verdict(ranking))


def _reason(schedule: Schedule, cell: StudyCell) -> str:
    """Say why a cell cannot be ranked whatever runs are still missing; empty when nothing is known against it."""
    rate = schedule.rates.get(cell.key)
    if rate is None:
        return "learning rate not known yet"
    if rate.rate is None:
        return NOT_BRACKETED
    specs = schedule.runs("ranking")[cell.key]
    ended = [schedule.outcomes[spec.key] for spec in specs if spec.key in schedule.outcomes]
    if failed := sorted({name for one in ended for name in one.failed_checks}):
        return f"failed checks: {', '.join(failed)}"
    if diverged := sum(one.diverged for one in ended):
        return f"{diverged} of {len(specs)} runs diverged"
    return ""


def _comparable(schedule: Schedule, reasons: dict[str, str]) -> tuple[dict[str, list[float]], int]:
    """Return the losses of the cells that can be compared, and the runs of each; complete `reasons` for the others.

    While runs are missing, the number of runs is the one that leaves the most degrees of freedom.
    """
    asked = schedule.study.request.seeds
    found = {key: losses_of(schedule, "ranking", key) for key, reason in reasons.items() if not reason}

    def freedom(seeds: int) -> tuple[int, int]:
        cells = sum(len(losses) >= seeds for losses in found.values())
        return (cells * (seeds - 1) if cells > 1 else 0), seeds

    seeds = max(range(2, asked + 1), key=freedom)
    losses = {key: runs[:seeds] for key, runs in found.items() if len(runs) >= seeds}
    if len(losses) < 2:
        losses, seeds = {}, asked
    for key in found.keys() - losses.keys():
        missing = asked - len(found[key])
        some = f"{missing} of {asked} runs missing" if missing < asked else "runs missing"
        reasons[key] = some if missing else "no other cell to compare with"
    return losses, seeds


def _result(schedule: Schedule, cell: StudyCell, reason: str, comparison: Comparison | None) -> CellResult:
    arch, key = cell.architecture, cell.key
    ended = [schedule.outcomes[spec.key] for spec in schedule.runs("ranking").get(key, ())
             if spec.key in schedule.outcomes]  # fmt: skip
    result = CellResult(
        key=key,
        label=cell_label(schedule.study, cell),
        x=cell.x,
        y=cell.y,
        d_model=arch.d_model,
        d_ff=arch.d_ff,
        n_layers=arch.n_layers,
        total_params=cell.subject.total_params,
        embedding_ratio=cell.subject.account.embedding_ratio,
        glu_expansion=arch.glu_expansion,
        tokens=cell.tokens,
        flops=cell.flops,
        seconds=_mean(one.seconds for one in ended),
        rate=schedule.rates.get(key),
        losses=tuple(one.loss if not one.diverged else math.inf for one in ended),
        reason=reason,
    )
    if comparison is None or reason:
        return result
    return replace(
        result,
        mean=comparison.means[key],
        half_width=comparison.all_pairs / 2,
        may_be_best=key in comparison.may_be_best,
        p_best=comparison.p_best[key],
        ranks=comparison.ranks[key],
    )


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None
