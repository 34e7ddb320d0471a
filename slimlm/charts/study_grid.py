"""Where the cells of a study stand: columns by x, rows by y, and the models beside the grid in rows below it."""

from typing import NamedTuple

from slimlm.charts.study_text import axis_labels
from slimlm.charts.theme import Row
from slimlm.ranking.result import CellResult, Ranking
from slimlm.study.study import Study

_GAP = 0.42
"""Space above a row of models, in rows: their names stand there."""


class Tile(NamedTuple):
    """Place of a cell in units of tiles: its left and lower edges, and its width; its height is 1."""

    left: float
    bottom: float
    width: float


class TileGrid(NamedTuple):
    """The tiles of a study's cells, in their order, and the named values of their axes."""

    tiles: list[Tile]
    rows: float
    """Height of all tiles, with the gaps between them."""
    values: Row


def in_grid(study: Study, cell: CellResult) -> bool:
    """Whether a cell is one of the grid, rather than a model beside it."""
    beside = cell.x is None and cell.y is None
    return not beside and cell.x in study.request.x.values and cell.y in study.request.y.values


def tile_grid(study: Study, ranking: Ranking) -> TileGrid:
    """Return the tile of each cell; models beside the grid share a row, at most one for each column."""
    x, y = study.request.x.values, study.request.y.values
    beside = [cell.key for cell in ranking.cells if not in_grid(study, cell)]
    across = max(1, min(len(x), len(beside)))
    width = len(x) / across
    tiles = []
    for cell in ranking.cells:
        if in_grid(study, cell):
            tiles.append(Tile(x.index(cell.x), y.index(cell.y), 1.0))
        else:
            row, column = divmod(beside.index(cell.key), across)
            tiles.append(Tile(column * width, -(row + 1) * (1 + _GAP), width))
    low = min((tile.bottom for tile in tiles), default=0.0)
    x_labels, y_labels = axis_labels(study)
    values: Row = {
        "x_ends": [0, len(x)],
        "y_ends": [min(low, 0), len(y)],
        "x_ticks": [place + 0.5 for place in range(len(x))],
        "y_ticks": [place + 0.5 for place in range(len(y))],
        "x_tick_labels": x_labels,
        "y_tick_labels": y_labels,
    }
    return TileGrid(tiles, len(y) - min(low, 0), values)
