"""The map of a study: the held-out loss of every cell with its interval, and which cells may be best."""

import math
from collections.abc import Iterator, Sequence

from slimlm.charts.heatmap import as_line, with_wide_heading
from slimlm.charts.heatmap_layers import hatch_layers, hatching
from slimlm.charts.study_grid import Tile, in_grid, tile_grid
from slimlm.charts.study_map_layers import model_name_layers, star_layers, tile_layers, tile_text_layers
from slimlm.charts.study_text import (
    axis_labels,
    axis_names,
    by_axes,
    cell_label,
    decimals_of,
    difference,
    first_clause,
    interval,
    lowest_of,
    per_unit,
    runs_line,
    setting_line,
    tidy,
)
from slimlm.charts.theme import Figure, Row, figure, text_width, wrap
from slimlm.ranking.result import CellResult, Ranking
from slimlm.study.study import Study
from slimlm.utils.formatting import format_flops, format_seconds

_NARROWEST_PX, _ROW_PX, _LEAST_ROW_PX, _MOST_HEIGHT_PX = 560, 98, 44, 640


def study_map(study: Study, ranking: Ranking) -> Figure:
    """Show the mean held-out loss of every cell with its simultaneous interval and its difference from the lowest.

    Columns are the values of x, rows those of y; models beside the grid have rows of their own below it. A star marks
    the cells that may be best; a cell that is not ranked is hatched and gives its reason. The parameter "pick" selects
    a cell and reports its index `i` among the ranking's cells.
    """
    grid = tile_grid(study, ranking)
    row_px = max(_LEAST_ROW_PX, min(_ROW_PX, _MOST_HEIGHT_PX / grid.rows))
    marks = _rows(study, ranking, grid.tiles, row_px)
    starred = [row for row in marks if row["best"]]
    hatched = [line for row in marks if row["u"] is None for line in _hatching(row)]
    groups = [({"values": marks}, tile_layers(*axis_names(study)))]
    if hatched:
        groups.append(({"values": hatched}, hatch_layers(odd=False)))
    groups += [({"values": marks}, tile_text_layers()), ({"values": starred}, star_layers())]
    if beside := [row for row in marks if row["name"]]:
        groups.append(({"values": beside}, model_name_layers()))
    chart = figure(
        *groups,
        title=first_clause(ranking.verdict),
        subtitle=_subtitle(study, ranking, marks),
        description=describe_study_map(study, ranking),
        height=round(row_px * grid.rows),
        values=grid.values | {"lines": 3 if row_px >= 72 else 2 if row_px >= 52 else 1},
    )
    return with_wide_heading(chart, upwards=grid.values["y_tick_labels"], marks=len(marks))


def describe_study_map(study: Study, ranking: Ranking) -> str:
    """Describe the verdict and the lowest and highest means, for screen readers."""
    decimals = decimals_of(ranking)
    ranked = sorted((cell for cell in ranking.cells if cell.mean is not None), key=lambda cell: cell.mean or 0.0)
    head = f"{tidy(ranking.verdict)} Held-out loss in {per_unit(ranking)} by {by_axes(study)}"
    if not ranked:
        return f"{head}: no cell is ranked yet."
    low, high = (f"{interval(cell, decimals)} of {cell_label(cell)}" for cell in (ranked[0], ranked[-1]))
    return f"{head}: from {low} to {high}."


def _rows(study: Study, ranking: Ranking, tiles: Sequence[Tile], row_px: float) -> list[Row]:
    decimals, lowest, shades = decimals_of(ranking), lowest_of(ranking), _shades(ranking)
    found = []
    for place, (cell, tile) in enumerate(zip(ranking.cells, tiles, strict=True)):
        beside = not in_grid(study, cell)
        tip = _facts(study, ranking, cell)
        room = tile.width * _NARROWEST_PX / len(study.request.x.values) - 16
        found.append(
            {
                "i": place,
                "c": tile.left,
                "c2": tile.left + tile.width,
                "r": tile.bottom,
                "r2": tile.bottom + 1,
                "u": shades[place],
                "best": cell.may_be_best and cell.mean is not None,
                "value": interval(cell, decimals) if cell.mean is not None else "",
                "short": f"{cell.mean:.{decimals}f}" if cell.mean is not None else "",
                "apart": difference(cell, lowest, decimals),
                "why": (why := [] if cell.mean is not None else _reason(cell, room, 2 if row_px >= 72 else 1)),
                "half": max((text_width(line, 12) for line in why), default=0) / 2 + 8,
                "shape": f"{cell.n_layers:,} × {cell.d_model:,}",
                "name": cell_label(cell) if beside else "",
                "tip": tip,
                "spoken": "; ".join(f"{name}: {words}" for name, words in tip.items()),
            }
        )
    return found


def _reason(cell: CellResult, room: float, most: int) -> list[str]:
    lines = wrap(reason_of(cell), room, 12)
    return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1].rstrip(',;: ')} …"]


def reason_of(cell: CellResult) -> str:
    """Return why a cell is not ranked, in words that fit a tile."""
    reason = tidy(cell.reason, 120) or "running"
    return reason.replace("learning rate", "LR").replace("Learning rate", "LR").rstrip(".")


def _shades(ranking: Ranking) -> list[float | None]:
    """Scale means to 0…1; they span the whole range only where they differ by more than the error of a difference."""
    means = [cell.mean for cell in ranking.cells if cell.mean is not None]
    if not means:
        return [None] * len(ranking.cells)
    low = min(means)
    span = max(max(means) - low, ranking.least_difference or 0.0) or 1.0
    return [None if cell.mean is None else round((cell.mean - low) / span, 4) for cell in ranking.cells]


def _hatching(row: Row) -> list[Row]:
    """Return the hatching of one tile, whose width need not be 1."""
    width = row["c2"] - row["c"]
    across = ("a", "a2")
    return [
        {key: row["c"] + width * value if key in across else row["r"] + value for key, value in line.items()}
        for line in hatching([(0, 0)])
    ]


def _facts(study: Study, ranking: Ranking, cell: CellResult) -> dict[str, str]:
    return dict(_named_facts(study, ranking, cell))


def _named_facts(study: Study, ranking: Ranking, cell: CellResult) -> Iterator[tuple[str, str]]:
    decimals, lowest = decimals_of(ranking), lowest_of(ranking)
    yield from _identity(study, cell)
    if cell.mean is not None:
        yield f"Loss, {per_unit(ranking)}", interval(cell, decimals)
        yield "Above the lowest", difference(cell, lowest, decimals)
        yield "May be best", "yes" if cell.may_be_best else "no"
    else:
        yield "Not ranked", tidy(cell.reason, 200) or "running"
    if cell.p_best is not None:
        yield "Probability of being best", f"{100 * cell.p_best:.0f} %"
    if cell.ranks:
        low, high = cell.ranks
        yield "Rank", f"{low}" if low == high else f"{low} to {high}"
    if cell.losses:
        yield "By seed", ", ".join(f"{x:.{decimals}f}" if math.isfinite(x) else "diverged" for x in cell.losses)
    if cell.rate and cell.rate.rate is not None:
        yield "Learning rate", f"{cell.rate.rate:.3g} ({cell.rate.origin})"
    yield "Layers × width", f"{cell.n_layers:,} × {cell.d_model:,}"
    yield "Feed-forward width", f"{cell.d_ff:,}"
    yield "Parameters", f"{cell.total_params:,}"
    yield "Tokens", f"{cell.tokens:,}"
    seconds = "" if cell.seconds is None else f", {format_seconds(cell.seconds)}"
    yield "One run", f"{format_flops(cell.flops)}{seconds}"


def _identity(study: Study, cell: CellResult) -> Iterator[tuple[str, str]]:
    if not in_grid(study, cell):
        yield "Model", cell_label(cell)
        return
    labels, axes = axis_labels(study), (study.request.x, study.request.y)
    for name, axis, words, value in zip(axis_names(study), axes, labels, (cell.x, cell.y), strict=True):
        yield name, words[axis.values.index(value)]


def _subtitle(study: Study, ranking: Ranking, rows: Sequence[Row]) -> list[str]:
    starred = sum(row["best"] for row in rows)
    hatched = sum(row["u"] is None for row in rows)
    has_intervals = any(cell.half_width is not None for cell in ranking.cells)
    mean = "mean ± half-width" if has_intervals else "mean"
    remarks = [
        "cells differ where their intervals do not overlap" if has_intervals else "",
        f"star: may be best ({starred:,})" if starred else "",
        f"hatched: not ranked ({hatched:,})" if hatched else "",
    ]
    return [
        f"Held-out loss in {per_unit(ranking)}, {mean} · lower is better (fainter fill)",
        *filter(None, [as_line(remarks)]),
        "Below it: how far above the lowest mean · layers × d_model"
        if hatched < len(rows)
        else "Below: layers × d_model",
        setting_line(study, ranking),
        *([] if ranking.complete else [runs_line(ranking)]),
    ]
