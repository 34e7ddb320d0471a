"""What qualifies the answer of a study: mixed machines, unequal variances, what the axes really vary."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from slimlm.core.design import Design, TargetActual
from slimlm.ranking.result import CellResult
from slimlm.ranking.statistics import Comparison, kendall
from slimlm.ranking.wording import cell_label, cells_of, field_name, some_cells
from slimlm.study.cells import StudyCell, predicted_order
from slimlm.study.outcome import Outcome
from slimlm.study.schedule import Group, Schedule
from slimlm.study.study import Study
from slimlm.utils.formatting import format_bytes, format_count, format_ratio, format_share
from slimlm.utils.text import listed, one_line

UNEQUAL_VARIANCE = 0.05
"""P value of Bartlett's test below which the variances are said to be unequal."""

_MOST_PROBLEMS = 3
_LONGEST_PROBLEM = 300
_LONGEST_PREDICTION = 300


def study_remarks(
    schedule: Schedule,
    comparison: Comparison | None,
    cells: Sequence[CellResult],
    problems: Sequence[str],
) -> tuple[str, ...]:
    """Return one sentence for everything that qualifies the answer, the gravest first."""
    known = {key: schedule.outcomes[key] for key in schedule.specs if key in schedule.outcomes}
    found = [
        *_records(schedule, known, problems),
        *_cells(cells),
        _diverged(schedule, known),
        *_mixed(known.values()),
        *_statistics(schedule, comparison),
        _interpolated(cells),
        *_axes(schedule.study),
        *_budgets(schedule.study, cells),
        *_misses(schedule.study),
    ]
    return tuple(filter(None, found))


# Records.


def _records(schedule: Schedule, known: Mapping[str, Outcome], problems: Sequence[str]) -> list[str]:
    found = [one_line(problem, _LONGEST_PROBLEM).rstrip(".") + "." for problem in problems[:_MOST_PROBLEMS]]
    if more := len(problems) - len(found):
        found.append(f"{more:,} more records cannot be read.")
    if foreign := len(schedule.outcomes) - len(known):
        subject = "1 record belongs" if foreign == 1 else f"{foreign:,} records belong"
        found.append(f"{subject} to no run of this study (other data, or another request): left out.")
    failed = {name for one in known.values() for name in one.failed_checks}
    if failed:
        count = sum(bool(one.failed_checks) for one in known.values())
        found.append(
            f"{_runs(count)} failed a check ({', '.join(sorted(failed))}): {'its' if count == 1 else 'their'} losses "
            "mean nothing."
        )
    return found


def _cells(cells: Sequence[CellResult]) -> list[str]:
    """Name the cells that are not ranked because of their learning rate or of diverged runs."""
    found = []
    unbracketed = [cell.label for cell in cells if cell.rate and cell.rate.rate is None]
    if unbracketed:
        found.append(
            f"The learning rate is not bracketed in {some_cells(unbracketed)}: the best one is the lowest or the "
            "highest that was tried."
        )
    diverged = [_apart(cell) for cell in cells if any(map(math.isinf, cell.losses))]
    if diverged:
        found.append(f"Not stable at the best learning rate, and therefore not ranked: {some_cells(diverged)}.")
    return found


def _apart(cell: CellResult) -> str:
    """Return a cell with the number of its runs that diverged, and the mean loss of the others."""
    rest = [loss for loss in cell.losses if math.isfinite(loss)]
    mean = f"; the mean of the others is {sum(rest) / len(rest):.4g}" if rest else ""
    return f"{cell.label} ({len(cell.losses) - len(rest)} of {len(cell.losses)} runs diverged{mean})"


def _diverged(schedule: Schedule, known: Mapping[str, Outcome]) -> str:
    """Count the runs that diverged while a learning rate was searched."""
    compared = {spec.key for group in get_args(Group) for specs in schedule.runs(group).values() for spec in specs}
    count = sum(one.diverged for key, one in known.items() if key not in compared)
    return f"{_runs(count)} diverged in the search for a learning rate." if count else ""


def mixtures(outcomes: Iterable[Outcome]) -> dict[str, list[str]]:
    """Return what the runs do not have in common though a comparison needs it: "devices", "versions of torch", ….

    Each with the names that occur.
    """
    known = list(outcomes)
    names = {"devices": [one.device for one in known], "precisions": [one.precision for one in known]}
    for name in sorted({name for one in known for name in one.versions}):
        names[f"versions of {one_line(name, 60)}"] = [one.versions.get(name, "none") for one in known]
    distinct = {name: sorted({one_line(value, 60) for value in values}) for name, values in names.items()}
    return {name: values for name, values in distinct.items() if len(values) > 1}


def _mixed(outcomes: Iterable[Outcome]) -> list[str]:
    return [f"Mixed {name}: {listed(values)}." for name, values in mixtures(outcomes).items()]


# Statistics.


def _statistics(schedule: Schedule, comparison: Comparison | None) -> list[str]:
    if comparison is None:
        return []
    found = []
    asked, p = schedule.study.request.seeds, comparison.equal_variance_p
    if comparison.seeds < asked:
        found.append(f"{comparison.seeds} of {asked} seeds are done: the intervals are wider than planned.")
    if p is not None and p < UNEQUAL_VARIANCE:
        words = "< 0.001" if p < 0.001 else f"= {p:.2g}"
        found.append(
            f"The cells do not have one variance (Bartlett's test, p {words}): the intervals, which pool it, are "
            "approximate."
        )
    return found


def _interpolated(cells: Sequence[CellResult]) -> str:
    rates = [cell.rate for cell in cells if cell.rate]
    count = sum(rate.origin == "interpolated" for rate in rates)
    factors = [
        max(rate.rate / rate.law, rate.law / rate.rate)
        for rate in rates
        if rate.origin == "searched" and rate.rate and rate.law
    ]
    if not count:
        return ""
    return (
        f"The learning rate of {cells_of(count)} is interpolated by a law over width and depth, which misses those "
        f"that were searched by a factor of up to {max(factors, default=1.0):.2f}."
    )


# What the axes vary.


def _axes(study: Study) -> list[str]:
    names = {study.request.x.name, study.request.y.name}
    cells = [cell for cell in study.cells if cell.in_grid]
    found = []
    if "embedding_ratio" in names and not names & {"total_params", "vocab_size"}:
        ordered = sorted(cells, key=lambda cell: cell.architecture.d_model)
        low, high = ordered[0].architecture.d_model, ordered[-1].architecture.d_model
        narrow, wide = (_depths(cells, width) for width in (low, high))
        found.append(
            "At a fixed total and vocabulary the embedding ratio is the width, and with it the depth: from d_model "
            f"{low:,} with {narrow} layers to d_model {high:,} with {wide}."
        )
    if len({cell.architecture.vocab_size for cell in study.cells}) > 1:
        found.append(_text(study))
    return found


def _depths(cells: Sequence[StudyCell], d_model: int) -> str:
    """Return the range of the depths of the cells of one width."""
    found = {cell.architecture.n_layers for cell in cells if cell.architecture.d_model == d_model}
    return f"{min(found):,}" if len(found) == 1 else f"{min(found):,} to {max(found):,}"


def _text(study: Study) -> str:
    """Say that equal tokens are not equal text when vocabularies differ."""
    units = [
        cell.tokens * per
        for cell in study.cells
        if (per := study.data[cell.architecture.vocab_size].units_per_token) is not None
    ]
    amount = ""
    if study.unit == "byte" and len(units) == len(study.cells):
        amount = f": a run reads from {format_bytes(min(units))} to {format_bytes(max(units))} of it"
    return f"Vocabularies differ, so that equal tokens are not equal text{amount}."


def _budgets(study: Study, cells: Sequence[CellResult]) -> list[str]:
    """Say how much the cells differ in what is not held equal."""
    tokens, flops = ([getattr(cell, name) for cell in study.cells] for name in ("tokens", "flops"))
    if study.request.equal == "tokens":
        held, spread = f"All cells train on {format_count(tokens[0])} tokens", _excess(flops)
        other = f"the operations of a run differ by {spread}" if spread else ""
    else:
        held = "All cells train with equal operations"
        other = f"the tokens of a run differ by {_excess(tokens)}" if _excess(tokens) else ""
    seconds = [cell.seconds for cell in cells if cell.seconds]
    if len(seconds) > 1 and max(seconds) > 1.1 * min(seconds):
        time = f"the time by a factor of {format_ratio(max(seconds) / min(seconds))}"
        other = f"{other}, {time}" if other else time.replace("the time", "the time of a run differs", 1)
    return [f"{held}; {other}."] if other else []


def _excess(values: Sequence[int]) -> str:
    """Return by how much the largest value exceeds the smallest; empty below 1 %."""
    share = max(values) / min(values) - 1
    return format_share(share) if share >= 0.01 else ""


def _misses(study: Study) -> list[str]:
    missed = [
        f"{cell_label(study, cell)} ({listed([_actual(study, knob) for knob in cell.subject.off_target])})"
        for cell in study.cells
        if isinstance(cell.subject, Design) and cell.subject.off_target
    ]
    if not missed:
        return []
    verb = "misses its target" if len(missed) == 1 else "miss their targets"
    return [f"{some_cells(missed)} {verb} by more than 5 %."]


def _actual(study: Study, knob: TargetActual) -> str:
    return f"{field_name(study, knob.name)} {format_ratio(knob.actual)}"


# The prediction.


def prediction_sentence(study: Study, comparison: Comparison | None) -> str:
    """Return what was predicted before the first run, and how far the measured order agrees with it.

    The words of who asked stand first, as they were given, on one line.
    """
    words = one_line(study.request.prediction, _LONGEST_PREDICTION)
    given = f"Predicted: {words.rstrip('.')}. " if words else ""
    order = predicted_order(study.cells)
    labels = {cell.key: cell_label(study, cell) for cell in study.cells}
    law = f"The shapes of published models suggest {labels[order[0]]} as the best cell"
    if comparison is None:
        return f"{given}{law}."
    ranked = [key for key in order if key in comparison.means]
    tau = kendall(range(len(ranked)), [comparison.means[key] for key in ranked])
    first = "is among those that may be best" if ranked[0] in comparison.may_be_best else "is not best"
    if ranked[0] != order[0]:
        law = f"{law}, and {labels[ranked[0]]} of those that are ranked"
    agreement = "" if tau is None else f"; the order agrees with Kendall τ = {f'{tau:.2f}'.replace('-', '−')}"
    return f"{given}{law}, which {first}{agreement}."


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"
