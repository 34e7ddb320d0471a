"""A grid of designs: one request with two of its knobs varied, and the design, or the reason why not, for each pair."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any

from slimlm.core.accounting import count_total
from slimlm.core.config import ModelConfig
from slimlm.core.design import TOLERANCE, Design
from slimlm.serialization.fields import Value
from slimlm.solver.search import smallest, window
from slimlm.solver.solver import BudgetError, nearest_design, solve
from slimlm.sweep.axis_values import MOST_VALUES, knob_of, write_value
from slimlm.sweep.metrics import Metric, Reports
from slimlm.utils.formatting import format_size
from slimlm.utils.validation import check_field

Progress = Callable[[int, int], object]
"""Called with the number of cells that are solved and of all; what it raises ends the sweep."""

_STEP = 200
_MOST_EXPLAINED = 200


@dataclass(frozen=True)
class Axis:
    """A knob and the values that it takes, in order."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Cell:
    """One pair of values: the request and its design, or the reason why there is none."""

    x: Value
    y: Value
    config: ModelConfig | None
    """None where the values do not go with the other choices."""
    design: Design | None
    refusal: str = ""
    """Why there is no request: the sentence of its ValueError."""

    @property
    def reason(self) -> str:
        """Why there is no design, in one sentence: what clashes, and what would work; empty when there is one.

        It looks for what would work, which takes longer than the design would.
        """
        if self.config is None or self.design:
            return self.refusal
        try:
            solve(self.config)
        except BudgetError as error:
            return str(error)
        raise AssertionError(f"{self.config} is met")

    @property
    def short_reason(self) -> str:
        """Why there is no design, without what would work: quick enough for thousands of cells."""
        if self.config is None or self.design:
            return self.refusal
        asked, least = format_size(self.config.total_params), smallest(self.config)
        if least and (total := count_total(least)) > window(self.config)[1]:
            return f"total_params={asked} is out of reach: the smallest such model has {total:,} parameters"
        return f"total_params={asked} is out of reach: no such model lies within {100 * TOLERANCE:g} % of it"


@dataclass(frozen=True)
class Sweep:
    """A grid of designs. `cells` goes through x for the first value of y, then for the second, and so on."""

    base: ModelConfig
    """The request that gives every knob but the two that vary."""
    x: Axis
    y: Axis
    cells: tuple[Cell, ...]
    _figures: dict[str, tuple[float | None, ...]] = field(default_factory=dict, compare=False, repr=False)

    def __getitem__(self, place: tuple[int, int]) -> Cell:
        """Return the cell at a column and a row, both from 0."""
        column, row = place
        return self.cells[row * len(self.x.values) + column]

    @cached_property
    def designs(self) -> tuple[Design, ...]:
        """The designs that there are, in the order of the cells."""
        return tuple(cell.design for cell in self.cells if cell.design)

    @cached_property
    def without_design(self) -> int:
        """Number of cells that have none."""
        return len(self.cells) - len(self.designs)

    @cached_property
    def in_use(self) -> int | None:
        """Place among the cells of the one that has the base's own values; None when the grid passes it by."""
        base_x, base_y = getattr(self.base, self.x.name), getattr(self.base, self.y.name)
        if base_x not in self.x.values or base_y not in self.y.values:
            return None
        return self.y.values.index(base_y) * len(self.x.values) + self.x.values.index(base_x)

    def figures(self, metric: Metric, reports: Reports | None = None) -> tuple[float | None, ...]:
        """Return a figure of every cell; None where there is no design, or where it would have to be measured first."""
        if metric.key in self._figures:
            return self._figures[metric.key]
        known = reports or {}
        found = tuple(metric.value(cell.design, known) if cell.design else None for cell in self.cells)
        return found if metric.measured else self._figures.setdefault(metric.key, found)

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """Why each cell has no design, empty where it has one: in full unless that would take many seconds."""
        full = self.without_design <= _MOST_EXPLAINED
        return tuple(cell.reason if full else cell.short_reason for cell in self.cells)


def sweep(
    base: ModelConfig,
    x: tuple[str, Sequence[Value]],
    y: tuple[str, Sequence[Value]],
    progress: Progress | None = None,
) -> Sweep:
    """Find the design for every pair of values of two knobs, the other knobs as in the base.

    >>> found = sweep(ModelConfig(), ("embedding_ratio", (0.25, 0.35, 0.45)), ("glu_expansion", (2.0, 2.66, 3.0, 4.0)))
    >>> len(found.cells), found[1, 1].design == solve(ModelConfig())
    (12, True)

    Raises ValueError for an unknown knob, the same knob twice, an axis without values, with one twice or with one
    outside the knob's limits, and for more than 10,000 cells, before any is solved. A pair that no model meets is a
    cell without a design.
    """
    across, up = _axis("x", *x), _axis("y", *y)
    if across.name == up.name:
        raise ValueError(f"x and y are both {across.name}: two different knobs would work")
    count = len(across.values) * len(up.values)
    if count > MOST_VALUES:
        raise ValueError(
            f"{len(across.values):,} values of {across.name} and {len(up.values):,} of {up.name} make {count:,} cells: "
            f"it must be at most {MOST_VALUES:,}; fewer values would work"
        )
    cells: list[Cell] = []
    for up_value, across_value in product(up.values, across.values):
        cells.append(_solved(base, {across.name: across_value, up.name: up_value}))
        if progress and (len(cells) % _STEP == 0 or len(cells) == count):
            progress(len(cells), count)
    return Sweep(base, across, up, tuple(cells))


def _axis(side: str, name: str, values: Sequence[Value]) -> Axis:
    knob = knob_of(name).field
    if len(values) == 0:
        raise ValueError(f"{side}={knob} has no values: at least one would work")
    if len(values) > MOST_VALUES:
        raise ValueError(f"{side}={knob} has {len(values):,} values: it must be at most {MOST_VALUES:,}")
    seen: set[Value] = set()
    for value in values:
        check_field(ModelConfig, knob, value)
        if value in seen:
            raise ValueError(f"{side}={knob} has the value {write_value(knob, value)} twice: each once would work")
        seen.add(value)
    return Axis(knob, tuple(values))


def _solved(base: ModelConfig, asked: dict[str, Any]) -> Cell:
    across, up = asked.values()
    try:
        config = replace(base, **asked)
    except ValueError as error:
        return Cell(across, up, None, None, str(error))
    return Cell(across, up, config, nearest_design(config))
