"""Text of `slimlm rank`: the plan of a study before it starts, and its ranking."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from slimlm.ranking.result import CellResult, Ranking
from slimlm.study.cells import predicted_order
from slimlm.study.plan import PURPOSES, StudyPlan
from slimlm.study.study import Study
from slimlm.utils.formatting import format_count, format_flops, format_seconds, format_share
from slimlm.utils.text import listed, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence


_LONGEST, _LONGEST_PREDICTION = 100, 300


def format_study_plan(study: Study, plan: StudyPlan, seconds: float | None, least: str) -> str:
    """Return what a study will do; `seconds` is the expected time, `least` the smallest difference that it can show."""
    cells = study.cells
    depths, widths = ([getattr(cell.architecture, name) for cell in cells] for name in ("n_layers", "d_model"))
    counts = [f"{len(specs)} {PURPOSES[purpose]}" for purpose, specs in plan.runs.items() if specs]
    rows = {
        "cells": f"{len(cells)}, with {len({cell.architecture for cell in cells})} distinct architectures: "
        f"{_range(depths)} {'layer' if max(depths) == 1 else 'layers'} × d_model {_range(widths)}{_held(study)}",
        "data": "; ".join(
            f"{one_line(one.name, _LONGEST)}: {one.train_tokens:,} training tokens of {one.vocab_size:,} ids"
            for one in study.data.values()
        ),
        "runs": f"at least {plan.count}: {listed(counts)}",
        "tokens": f"{_tokens(study)} a run of the ranking; {format_count(plan.tokens)} in all",
        "compute": f"{format_flops(plan.flops)}; {_flops_apart(study)}",
        "time": "not known before the first runs" if seconds is None else f"about {format_seconds(seconds)}",
        "can show": least,
        "predicted": " > ".join(one_line(key, _LONGEST) for key in predicted_order(cells)[:3])
        + " > …, by the shapes of published models",
    }
    if study.request.prediction:
        rows["you say"] = one_line(study.request.prediction, _LONGEST_PREDICTION)
    return "\n".join(f"{name:<10}{text}" for name, text in rows.items())


def _range(values: "Sequence[int]") -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _held(study: Study) -> str:
    return f", head_dim {study.request.head_dim}" if study.request.head_dim else ""


def _tokens(study: Study) -> str:
    found = sorted({cell.tokens for cell in study.cells})
    low, high = (format_count(value) for value in (found[0], found[-1]))
    return low if low == high else f"{low} to {high}"


def _flops_apart(study: Study) -> str:
    flops = [cell.flops for cell in study.cells]
    return f"the cells' runs are within {format_share(max(flops) / min(flops) - 1)} of each other"


def format_ranking(ranking: Ranking) -> str:
    """Return the verdict, a table of the cells, the controls and the remarks."""
    return "\n".join(
        [
            ranking.verdict,
            "",
            *_table(ranking),
            "",
            *(f"{control.name}: {control.sentence}" for control in ranking.controls),
            *([f"Prediction: {ranking.prediction}"] if ranking.prediction else []),
            *(f"Note: {remark}" for remark in ranking.remarks),
            _cost(ranking),
        ]
    )


def _cost(ranking: Ranking) -> str:
    if not ranking.runs_done:
        return "Cost: nothing yet."
    work = f"{ranking.runs_done} runs, {format_count(ranking.tokens)} tokens, {format_flops(ranking.flops)}"
    time = f"{format_seconds(ranking.seconds)} of training" if ranking.seconds else "no time measured"
    return f"Cost: {work}, {time} on {listed(ranking.devices)}."


_HEAD = ("cell", "layers × width", f"{'loss':>8}", "± half", "rank", "P(best)", "learning rate")


def _table(ranking: Ranking) -> Iterator[str]:
    order = sorted(ranking.cells, key=lambda cell: math.inf if cell.mean is None else cell.mean)
    rows = [_HEAD, *map(_row, order)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEAD))]
    yield f"Held-out loss in {ranking.unit}; * may be best"
    for row in rows:
        yield "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()


def _row(cell: CellResult) -> tuple[str, ...]:
    key, shape = one_line(cell.key, _LONGEST), f"{cell.n_layers} × {cell.d_model}"
    rate = f"{cell.rate.rate:.3g} ({cell.rate.origin})" if cell.rate and cell.rate.rate else ""
    if cell.mean is None or cell.half_width is None or cell.ranks is None or cell.p_best is None:
        return (key, shape, cell.reason, "", "", "", rate)
    low, high = cell.ranks
    return (
        key + " *" * cell.may_be_best,
        shape,
        f"{cell.mean:8.4f}",
        f"{cell.half_width:.4f}",
        f"{low}" if low == high else f"{low}–{high}",
        format_share(cell.p_best),
        rate,
    )
