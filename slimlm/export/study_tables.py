"""Tables of a study: its cells, costs and controls as text, and cells and runs as CSV."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from slimlm.charts.study_text import (
    cell_label,
    decimals_of,
    difference,
    interval,
    lowest_of,
    operations,
    order_of,
    per_unit,
    tidy,
)
from slimlm.export.comparison_tables import spreadsheet_text
from slimlm.ranking.result import CellResult, Ranking
from slimlm.study.cells import StudyCell
from slimlm.study.outcome import Outcome
from slimlm.study.schedule import Group, Schedule
from slimlm.study.spec import RunSpec
from slimlm.study.study import Study
from slimlm.utils.formatting import format_count, format_seconds, format_share
from slimlm.utils.text import listed

COST_HEAD = ("Cell", "Tokens", "Operations", "Time of a run", "Runs")
CONTROL_HEAD = ("Control", "Passed", "Outcome")

_GROUPS: tuple[Group, ...] = ("ranking", "again", "bad", "second_recipe", "second_horizon")
_CELL_FIELDS = (
    "key",
    "label",
    "x",
    "y",
    "d_model",
    "d_ff",
    "n_layers",
    "total_params",
    "embedding_ratio",
    "glu_expansion",
    "tokens",
    "flops",
    "seconds",
)
_CELL_HEAD = (
    *_CELL_FIELDS,
    "learning_rate",
    "learning_rate_origin",
    "losses",
    "mean",
    "half_width",
    "may_be_best",
    "p_best",
    "lowest_rank",
    "highest_rank",
    "reason",
)
_RUN_HEAD = (
    "key",
    "group",
    "cell",
    "learning_rate",
    "seed",
    "status",
    "loss",
    "tokens",
    "flops",
    "seconds",
    "device",
    "precision",
)


# Text.


def cell_head(ranking: Ranking) -> tuple[str, ...]:
    """Return the head of the table of cells."""
    loss = f"Loss ({per_unit(ranking)})"
    return ("Cell", "Layers × width", "Learning rate", loss, "Above the lowest", "May be best", "P(best)", "Rank")


def cell_rows(ranking: Ranking) -> list[tuple[str, ...]]:
    """Return a row for each cell, the lowest mean first; a cell that is not ranked gives its reason."""
    return [_cell_row(cell, ranking) for cell in order_of(ranking.cells)]


def _cell_row(cell: CellResult, ranking: Ranking) -> tuple[str, ...]:
    places, lowest = decimals_of(ranking), lowest_of(ranking)
    rate = "" if cell.rate is None or cell.rate.rate is None else f"{cell.rate.rate:.3g}"
    head = (cell_label(cell), f"{cell.n_layers:,} × {cell.d_model:,}", rate)
    if cell.mean is None:
        return (*head, f"not ranked: {tidy(cell.reason, 120) or 'running'}", "", "", "", "")
    return (
        *head,
        interval(cell, places),
        difference(cell, lowest, places),
        "yes" if cell.may_be_best else "no",
        "" if cell.p_best is None else format_share(cell.p_best),
        _rank(cell.ranks),
    )


def _rank(ranks: tuple[int, int] | None) -> str:
    if ranks is None:
        return ""
    low, high = ranks
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def cost_rows(ranking: Ranking) -> list[tuple[str, ...]]:
    """Return what one run of each cell costs, and in the last row all runs of the study."""
    rows = [
        (
            cell_label(cell),
            format_count(cell.tokens),
            operations(cell.flops),
            "" if cell.seconds is None else format_seconds(cell.seconds),
            f"{len(cell.losses):,}",
        )
        for cell in ranking.cells
    ]
    total = (format_count(ranking.tokens), operations(ranking.flops), format_seconds(ranking.seconds))
    return [*rows, ("All runs, searches and controls", *total, f"{ranking.runs_done:,}")]


def cost_line(ranking: Ranking) -> str:
    """Return the cost of the whole study on one line: runs, tokens, operations, time and devices."""
    devices = listed(tidy(name, 60) for name in ranking.devices) if ranking.devices else "no device yet"
    runs = f"{ranking.runs_done:,} run{'' if ranking.runs_done == 1 else 's'}"
    tokens, time = format_count(ranking.tokens), format_seconds(ranking.seconds)
    return f"{runs} · {tokens} tokens · {operations(ranking.flops)} · {time} of training on {devices}"


def control_rows(ranking: Ranking) -> list[tuple[str, ...]]:
    """Return a row for each control."""
    said = {True: "yes", False: "no", None: "not tested"}
    return [(tidy(one.name), said[one.passed], tidy(one.sentence)) for one in ranking.controls]


def statistics_lines(ranking: Ranking) -> list[str]:
    """Return the statistics behind the intervals, a sentence each."""
    lines = []
    if ranking.pooled_sd is not None:
        freedom = "" if ranking.degrees_of_freedom is None else f" ({ranking.degrees_of_freedom:,} degrees of freedom)"
        lines.append(f"Standard deviation between seeds, pooled: {ranking.pooled_sd:.2g} {per_unit(ranking)}{freedom}.")
    if ranking.equal_variance_p is not None:
        lines.append(f"Test of equal variances: p = {ranking.equal_variance_p:.2g}.")
    if ranking.least_difference is not None:
        lines.append(
            f"Smallest significant difference of two cells, all pairs at once: {ranking.least_difference:.2g}."
        )
    if ranking.agreement is not None:
        lines.append(f"Agreement between the orders of two seeds: Kendall's τ = {ranking.agreement:.2f}.")
    return lines


# CSV.


def cells_csv(ranking: Ranking) -> str:
    """Return everything the study says of its cells as CSV (RFC 4180), one cell per line, as plain numbers."""
    return _csv(_CELL_HEAD, (_cell_values(cell) for cell in ranking.cells))


def _cell_values(cell: CellResult) -> Iterator[object]:
    yield from (getattr(cell, field) for field in _CELL_FIELDS)
    yield cell.rate.rate if cell.rate else None
    yield cell.rate.origin if cell.rate else None
    yield "; ".join(repr(loss) if math.isfinite(loss) else "diverged" for loss in cell.losses)
    yield from (cell.mean, cell.half_width, cell.may_be_best, cell.p_best, *(cell.ranks or (None, None)))
    yield cell.reason


def runs_csv(study: Study, outcomes: Mapping[str, Outcome]) -> str:
    """Return the runs that are over as CSV (RFC 4180): a line for each purpose of each run."""
    schedule = Schedule(study, outcomes)
    rows = ((group, cell, spec) for group, cell, spec in _purposes(schedule) if spec.key in outcomes)
    return _csv(_RUN_HEAD, (_run_values(group, cell, spec, outcomes[spec.key]) for group, cell, spec in rows))


def _purposes(schedule: Schedule) -> Iterator[tuple[str, str, RunSpec]]:
    """Yield purpose, cell and run: the searches for learning rates, then the groups."""
    request = schedule.study.request
    for cell in schedule.study.cells:
        yield from (("search", cell.key, spec) for spec in _searched(schedule, cell, second=False))
    for cell in schedule.control_cells if request.controls else ():
        yield from (("second_recipe_search", cell.key, spec) for spec in _searched(schedule, cell, second=True))
    for group in _GROUPS:
        for key, specs in schedule.runs(group).items():
            yield from ((group, key, spec) for spec in specs)


def _searched(schedule: Schedule, cell: StudyCell, *, second: bool) -> Iterator[RunSpec]:
    request = schedule.study.request
    recipe = request.other_recipe if second else request.recipe
    digest = schedule.study.data[cell.architecture.vocab_size].digest
    batch = recipe.batch_tokens
    tokens = max(1, round(cell.tokens / batch)) * batch
    for rate in schedule.partial_search(cell, recipe):
        own = replace(recipe, learning_rate=rate, tokens=tokens)
        yield RunSpec(cell.architecture, own, digest, tokens * cell.flops_per_token)


def _run_values(group: str, cell: str, spec: RunSpec, outcome: Outcome) -> Sequence[object]:
    return (
        spec.key,
        group,
        cell,
        spec.recipe.learning_rate,
        spec.recipe.seed,
        outcome.status,
        outcome.loss if math.isfinite(outcome.loss) else None,
        outcome.tokens,
        outcome.flops,
        outcome.seconds,
        outcome.device,
        outcome.precision,
    )


def _csv(head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([_plain(value) for value in row] for row in rows)
    return text.getvalue()


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return spreadsheet_text(tidy(value)) if isinstance(value, str) else repr(value)
