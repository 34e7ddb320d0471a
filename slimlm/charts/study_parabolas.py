"""The searches for learning rates of a study: losses by learning rate with their parabolas, one panel a cell."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from slimlm.charts.heatmap import with_wide_heading
from slimlm.charts.layout import log_ticks, round_ticks, tick_format
from slimlm.charts.study_grid import Tile, TileGrid, in_grid, tile_grid
from slimlm.charts.study_map_layers import model_name_layers
from slimlm.charts.study_parabola_layers import (
    chosen_layers,
    curve_layers,
    level_layers,
    panel_layers,
    point_layers,
    tick_layers,
)
from slimlm.charts.study_text import axis_names, cell_label, per_unit, setting_line
from slimlm.charts.theme import Figure, Row, figure
from slimlm.core.describe import counted
from slimlm.ranking.result import CellResult, Ranking
from slimlm.study.learning_rates import CellRate
from slimlm.study.schedule import Schedule
from slimlm.study.study import Study

_ROW_PX, _MOST_HEIGHT_PX, _NARROWEST_PX = 132, 720, 560
_SIDE, _FLOOR, _CEILING = 0.05, 0.08, 0.74
"""Edges of the plot inside a panel, in units of the panel: the words stand above its ceiling."""

_TICKS_BELOW, _LABELS_BESIDE = 0.22, 0.17
_CURVE_POINTS = 40


class _Search(NamedTuple):
    """What is known of a cell's learning rate."""

    cell: CellResult
    tile: Tile
    rate: CellRate | None
    losses: Mapping[float, float]
    """By learning rate; infinite where a run diverged."""


class _Scales(NamedTuple):
    """The scales that all panels share: learning rate and loss."""

    rates: tuple[float, float]
    losses: tuple[float, float]

    def x(self, tile: Tile, rate: float) -> float:
        """Return the place of a learning rate across, in units of tiles."""
        low, high = map(math.log, self.rates)
        share = (math.log(rate) - low) / (high - low)
        return tile.left + tile.width * (_SIDE + (1 - 2 * _SIDE) * min(1.0, max(0.0, share)))

    def y(self, tile: Tile, loss: float) -> float:
        """Return the height of a loss, in units of tiles, at most the ceiling."""
        low, high = self.losses
        share = (loss - low) / (high - low) if math.isfinite(loss) else 1.0
        return tile.bottom + _FLOOR + (_CEILING - _FLOOR) * min(1.0, max(0.0, share))


def study_parabolas(study: Study, schedule: Schedule, ranking: Ranking) -> Figure:
    """Show each cell's losses by learning rate, the parabola through the lowest three, and the rate that was chosen.

    All panels have the same scales and stand as in the map. Cells without a search show the rate of the law.
    """
    grid = tile_grid(study, ranking)
    searches = [_search(study, schedule, cell, tile) for cell, tile in zip(ranking.cells, grid.tiles, strict=True)]
    scales = _scales(searches)
    panels = [_panel(place, one, beside=not in_grid(study, one.cell)) for place, one in enumerate(searches)]
    named = [row for row in panels if row["name"]]
    low, rows = grid.values["y_ends"]
    height = min(_ROW_PX * (grid.rows + _TICKS_BELOW), _MOST_HEIGHT_PX)
    chart = figure(
        ({"values": panels}, panel_layers(*axis_names(study))),
        ({"values": list(_levels(searches, scales, grid))}, level_layers()),
        ({"values": [row for one in searches for row in _curve(one, scales)]}, curve_layers()),
        ({"values": [row for one in searches for row in _chosen(one, scales)]}, chosen_layers()),
        ({"values": [row for one in searches for row in _points(one, scales)]}, point_layers(per_unit(ranking))),
        ({"values": list(_rate_ticks(grid, scales, searches))}, tick_layers()),
        *([({"values": named}, model_name_layers())] if named else []),
        title=_title(searches),
        subtitle=_subtitle(study, ranking, searches),
        description=_describe(searches),
        height=round(height),
        values=grid.values
        | {
            "x_ends": [0, len(study.request.x.values) + _LABELS_BESIDE * len(study.request.x.values) / 3],
            "y_ends": [low - _TICKS_BELOW, rows],
        },
    )
    return with_wide_heading(chart, upwards=grid.values["y_tick_labels"], marks=0)


def _search(study: Study, schedule: Schedule, cell: CellResult, tile: Tile) -> _Search:
    rate = schedule.rates.get(cell.key)
    if rate and rate.search:
        return _Search(cell, tile, rate, rate.search.losses)
    found = {} if rate else schedule.partial_search(study.cell(cell.key), study.request.recipe)
    return _Search(cell, tile, rate, found)


def _scales(searches: Sequence[_Search]) -> _Scales:
    """Return scales over all rates, and over the losses that the parabolas go through."""
    rates = [rate for one in searches for rate in one.losses]
    rates += [one.rate.rate for one in searches if one.rate and one.rate.rate]
    near = [loss for one in searches for loss in _lowest_three(one.losses)]
    if not rates:
        rates = [1e-3]
    low, high = (min(near), max(near)) if near else (0.0, 1.0)
    room = 0.08 * max(high - low, 0.01)
    return _Scales((min(rates) / 1.15, max(rates) * 1.15), (low - room, high + room))


def _lowest_three(losses: Mapping[float, float]) -> list[float]:
    """Return the lowest loss and those at the rates beside it."""
    ordered = sorted(losses)
    finite = [rate for rate in ordered if math.isfinite(losses[rate])]
    if not finite:
        return []
    at = ordered.index(min(finite, key=losses.__getitem__))
    return [losses[rate] for rate in ordered[max(0, at - 1) : at + 2] if math.isfinite(losses[rate])]


def _words(one: _Search) -> tuple[str, bool]:
    """Return what is said of a cell's learning rate, and whether it is a warning."""
    if one.rate is None:
        return ("searching" if one.losses else "not searched yet"), False
    if one.rate.rate is None:
        return "not bracketed", True
    return f"{one.rate.rate:.3g}{' (law)' if one.rate.origin == 'interpolated' else ''}", False


def _panel(place: int, one: _Search, *, beside: bool) -> Row:
    left, bottom, width = one.tile
    words, warning = _words(one)
    return {
        "i": place,
        "c": left,
        "c2": left + width,
        "r": bottom,
        "r2": bottom + 1,
        "words": words,
        "warning": warning,
        "name": cell_label(one.cell) if beside else "",
        "spoken": f"{cell_label(one.cell)}: {words}",
    }


def _levels(searches: Sequence[_Search], scales: _Scales, grid: TileGrid) -> Iterator[Row]:
    """Yield the guide lines of losses in every panel, with labels right of each row."""
    ticks = round_ticks(*scales.losses, 4)
    pattern = tick_format(ticks).replace(",", "")
    end = grid.values["x_ends"][1]
    for one in searches:
        for tick in ticks:
            left, right = one.tile.left, one.tile.left + one.tile.width
            label = f"{tick:{pattern}}" if right > end - 0.01 else ""
            yield {"a": left, "a2": right, "b": scales.y(one.tile, tick), "label": label}


def _curve(one: _Search, scales: _Scales) -> Iterator[Row]:
    """Yield points of the parabola between the rates beside its minimum."""
    search = one.rate.search if one.rate else None
    if not search or not search.parabola or search.best is None:
        return
    best = search.best
    near = sorted(search.losses, key=lambda rate: abs(math.log2(rate / best)))[:3]
    start, end = math.log2(min(near)), math.log2(max(near))
    a, b, c = search.parabola
    for number in range(_CURVE_POINTS + 1):
        x = start + (end - start) * number / _CURVE_POINTS
        loss = a * x * x + b * x + c
        if loss <= scales.losses[1]:
            yield {"key": one.cell.key, "a": scales.x(one.tile, 2.0**x), "b": scales.y(one.tile, loss)}


def _chosen(one: _Search, scales: _Scales) -> Iterator[Row]:
    """Yield the rate that is trained with, as a vertical line."""
    if one.rate and one.rate.rate is not None:
        words = f"{cell_label(one.cell)}: learning rate {one.rate.rate:.3g}, {one.rate.origin}"
        base, top = one.tile.bottom + 0.02, one.tile.bottom + _CEILING + 0.02
        yield {"a": scales.x(one.tile, one.rate.rate), "b": base, "b2": top, "spoken": words}


def _points(one: _Search, scales: _Scales) -> Iterator[Row]:
    for rate, loss in one.losses.items():
        kind = "diverged" if not math.isfinite(loss) else "above" if loss > scales.losses[1] else "loss"
        yield {
            "kind": kind,
            "a": scales.x(one.tile, rate),
            "b": scales.y(one.tile, loss),
            "name": cell_label(one.cell),
            "rate": f"{rate:.3g}",
            "shown": f"{loss:.4f}" if math.isfinite(loss) else "diverged",
        }


def _rate_ticks(grid: TileGrid, scales: _Scales, searches: Sequence[_Search]) -> Iterator[Row]:
    """Yield the labels of learning rates below the lowest tiles: those that were tried, where they fit."""
    tried = sorted({rate for one in searches for rate in one.losses})
    low = min(tile.bottom for tile in grid.tiles)
    for tile in (tile for tile in grid.tiles if tile.bottom == low):
        px = _NARROWEST_PX * tile.width / grid.values["x_ends"][1]
        most = max(1, min(6, int(px // 50)))
        for rate in tried if 0 < len(tried) <= most else log_ticks(*scales.rates, most):
            yield {"a": scales.x(tile, rate), "b": low, "label": f"{rate:.3g}"}


def _title(searches: Sequence[_Search]) -> str:
    searched = [one for one in searches if one.rate and one.rate.search]
    open_ended = sum(one.rate is not None and one.rate.rate is None for one in searched)
    if open_ended:
        return f"The learning rate of {open_ended:,} of {counted(len(searched), 'searched cell')} is not bracketed"
    rates = [one.rate.rate for one in searches if one.rate and one.rate.rate]
    if not rates:
        return "The learning rates are being searched"
    low, high = min(rates), max(rates)
    head = "Learning rate of every cell" if len(rates) == len(searches) else "Learning rates so far"
    return f"{head}: {low:.3g} to {high:.3g}" if low < high else f"{head}: {low:.3g}"


def _subtitle(study: Study, ranking: Ranking, searches: Sequence[_Search]) -> list[str]:
    points = {row["kind"] for one in searches for row in _points(one, _scales(searches))}
    by_law = sum(one.rate is not None and one.rate.origin == "interpolated" for one in searches)
    marks = [
        "circles: final losses of whole runs, 1 seed",
        "line: parabola through the lowest three",
        "triangles: higher losses" if "above" in points else "",
        "crosses: diverged" if "diverged" in points else "",
    ]
    law = f" · without circles: by a law over width and depth ({by_law:,})" if by_law else ""
    said = " · ".join(filter(None, marks))
    return [
        f"Held-out loss in {per_unit(ranking)} by learning rate (log scale); the same scales in every panel",
        f"{said[:1].upper()}{said[1:]}",
        f"Dashed: learning rate of the ranked runs{law}",
        setting_line(study, ranking),
    ]


def _describe(searches: Sequence[_Search]) -> str:
    said = "; ".join(f"{cell_label(one.cell)} {_words(one)[0]}" for one in searches[:24])
    return f"Learning rates by cell: {said}."
