"""Cells of a study: the architectures that are compared, each with its tokens."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.core.design import Design
from slimlm.core.named_model import Subject
from slimlm.core.shape_law import published_aspect_ratio
from slimlm.costs.compute import forward_flops
from slimlm.serialization.fields import Value
from slimlm.solver.held_heads import nearest_with_head_dim
from slimlm.study.request import StudyRequest
from slimlm.sweep.axis_values import write_value
from slimlm.sweep.grid import Cell, sweep
from slimlm.utils.text import one_line, shown

_MOST_TOKENS = 10**15
"""Of a run, as in a recipe."""


@dataclass(frozen=True)
class StudyCell:
    """One allocation of the study."""

    key: str
    """Name in records: "embedding_ratio=0.25,glu_expansion=2", or the name of a model."""
    x: Value | None
    """Value of the first axis; None for a model beside the grid."""
    y: Value | None
    subject: Subject
    tokens: int
    """Training tokens, in whole batches."""
    flops_per_token: int
    """Of training, with the full square of attention."""

    @property
    def architecture(self) -> Architecture:
        """The model that is trained."""
        return self.subject.architecture

    @property
    def in_grid(self) -> bool:
        """Whether the cell is one of the grid, rather than a model beside it."""
        return self.x is not None

    @property
    def flops(self) -> int:
        """Operations of one run."""
        return self.tokens * self.flops_per_token


def study_cells(request: StudyRequest) -> tuple[StudyCell, ...]:
    """Solve the grid and add the further models.

    Raises ValueError for a pair of values that no model meets, for two cells of one architecture (a study that trained
    one model under many names has been published as a ranking), and for fewer than two cells.
    """
    subjects = _subjects(request)
    _check_distinct([(key, subject.architecture) for key, _, _, subject in subjects])
    if len(subjects) < 2:
        raise ValueError("the study has one cell: two allocations at least would work")
    length = request.recipe.length_in
    for recipe in (request.recipe, request.other_recipe):
        for one in (subject.architecture for *_, subject in subjects):
            recipe.sequences(recipe.length_in(one))
    costs = [
        forward_flops(account(one.architecture), length(one.architecture)).training_flops_per_token
        for _, _, _, one in subjects
    ]
    batch = request.recipe.batch_tokens
    middle = median(costs)

    def tokens(cost: int) -> int:
        wanted = request.recipe.tokens * (middle / cost if request.equal == "flops" else 1)
        return max(1, round(wanted / batch)) * batch

    cells = tuple(
        StudyCell(key, x, y, subject, tokens(cost), cost)
        for (key, x, y, subject), cost in zip(subjects, costs, strict=True)
    )
    most = max(cell.tokens for cell in cells) * max(1.0, request.second_horizon)
    if most + request.other_recipe.batch_tokens > _MOST_TOKENS:
        raise ValueError(
            f"the longest run of the study has {most:.2g} tokens: fewer than {_MOST_TOKENS:.0e} would work"
        )
    return cells


def _subjects(request: StudyRequest) -> list[tuple[str, Value | None, Value | None, Subject]]:
    x, y = request.x, request.y
    grid = sweep(request.base, (x.name, x.values), (y.name, y.values))
    found: list[tuple[str, Value | None, Value | None, Subject]] = []
    for cell in grid.cells:
        key = f"{x.name}={write_value(x.name, cell.x)},{y.name}={write_value(y.name, cell.y)}"
        found.append((key, cell.x, cell.y, _design(key, cell, request.head_dim)))
    return [*found, *((model.name, None, None, model) for model in request.models)]


def _design(key: str, cell: Cell, head_dim: int | None) -> Design:
    if cell.config is None or cell.design is None:
        raise ValueError(f"{key} has no design: {cell.reason}")
    if head_dim is None:
        return cell.design
    if design := nearest_with_head_dim(cell.config, head_dim):
        return design
    raise ValueError(f"{key} has no design with head_dim={head_dim}: a smaller head_dim, or a larger total, would work")


def _check_distinct(cells: Sequence[tuple[str, Architecture]]) -> None:
    first: dict[Architecture, str] = {}
    keys: set[str] = set()
    for key, architecture in cells:
        if key in keys:
            raise ValueError(f"two cells of the study have the name {shown(key)}: each one's own would work")
        keys.add(key)
        if other := first.get(architecture):
            shape = f"{architecture.n_layers} × {architecture.d_model}, d_ff {architecture.d_ff}"
            names = f"{one_line(other, 60)} and {one_line(key, 60)}"
            raise ValueError(
                f"{names} solve to one architecture ({shape}), so that a difference between them would be "
                "noise: values further apart, a larger total or narrower heads would work"
            )
        first[architecture] = key


def spread(cells: Sequence[StudyCell], count: int) -> list[StudyCell]:
    """Return cells that lie far apart in log width and log depth: the widest first, then always the farthest one."""
    points = {cell.key: _point(cell.architecture) for cell in cells}
    left = sorted(cells, key=lambda cell: (-points[cell.key][0], points[cell.key][1], cell.key))
    chosen: list[StudyCell] = []
    while left and len(chosen) < count:
        far = [min((math.dist(points[one.key], points[two.key]) for two in chosen), default=0.0) for one in left]
        chosen.append(left.pop(far.index(max(far))))
    return chosen


def _point(architecture: Architecture) -> tuple[float, float]:
    return math.log(architecture.d_model), math.log(architecture.n_layers)


def predicted_order(cells: Sequence[StudyCell]) -> list[str]:
    """Return the keys of the cells, the one expected to be best first.

    Expected is what the app advises: the nearer the aspect ratio d_model / n_layers is to that of published models of
    the size, the better.
    """

    def distance(cell: StudyCell) -> float:
        arch = cell.architecture
        return abs(math.log(arch.d_model / arch.n_layers / published_aspect_ratio(cell.subject.total_params)))

    return [cell.key for cell in sorted(cells, key=distance)]


def data_sizes(cells: Sequence[StudyCell]) -> list[int]:
    """Return the vocabulary sizes of the cells, ascending: each needs the text in its own tokens."""
    return sorted({cell.architecture.vocab_size for cell in cells})


def middle_cell(cells: Sequence[StudyCell]) -> StudyCell:
    """Return the cell in the middle of the grid, which the A/A pair and the bad cell are copies of."""
    grid = [cell for cell in cells if cell.in_grid]
    columns = len({cell.x for cell in grid})
    rows = len(grid) // columns
    return grid[rows // 2 * columns + columns // 2]
