"""A grid of designs: one request with two of its knobs varied."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from slimlm.core.architecture import Architecture, Choices
from slimlm.core.budget import count_params, in_budget_unit, window
from slimlm.core.budget_text import budget_amount, budget_noun
from slimlm.core.config import FREE_FIELDS, ModelConfig
from slimlm.core.design import TOLERANCE, Design
from slimlm.serialization.fields import Value
from slimlm.solver.search import smallest, to_architecture
from slimlm.solver.shape_search import search_space
from slimlm.solver.solver import BudgetError, solve
from slimlm.sweep.axis_values import MOST_VALUES, knob_of, write_value
from slimlm.sweep.evaluation import Evaluation, Progress
from slimlm.sweep.metrics import Metric, Misses, Reports
from slimlm.utils.validation import FieldError, check_field

MOST_CELLS = 100_000
"""Largest number of cells of a sweep."""

_MORE = f" here, and at most {MOST_CELLS:,} in Python and on the command line"

_OF_CHOICES = frozenset(field.name for field in fields(Choices))
_STEP = 200
_MOST_EXPLAINED = 200


@dataclass(frozen=True)
class Axis:
    """A knob and its values, in order."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Cell:
    """One pair of values, with its request and its design or the reason why there is none."""

    x: Value
    y: Value
    config: ModelConfig | None
    """None where the values are incompatible with the rest of the request."""
    design: Design | None
    refusal: ValueError | None = None
    """Why there is no request."""

    @property
    def error(self) -> ValueError | None:
        """Why there is no design: the conflict and its remedies; None when there is a design.

        Searching for remedies takes longer than solving.
        """
        if self.config is None or self.design:
            return self.refusal
        try:
            solve(self.config)
        except BudgetError as error:
            return error
        raise AssertionError(f"{self.config} has a design")

    @property
    def reason(self) -> str:
        """The message of the error; empty when there is a design."""
        return str(self.error or "")

    @property
    def short_reason(self) -> str:
        """Why there is no design, without remedies: fast enough for thousands of cells."""
        if self.config is None or self.design:
            return str(self.refusal or "")
        asked, least = budget_amount(self.config), smallest(self.config)
        if least and (total := count_params(least, self.config.budget)) > window(self.config)[1]:
            amount = f"{in_budget_unit(self.config, total):,} {budget_noun(self.config)}"
            return f"total_params={asked} is out of reach: the smallest such model has {amount}"
        return f"total_params={asked} is out of reach: no such model lies within {100 * TOLERANCE:g} % of it"


@dataclass(frozen=True)
class Sweep:
    """A grid of designs. `cells` is in row order: all values of x for the first value of y, then for the second."""

    base: ModelConfig
    """The request that sets every knob except the two that vary."""
    x: Axis
    y: Axis
    cells: tuple[Cell, ...]
    _evaluation: Evaluation = field(default_factory=Evaluation, compare=False, repr=False)

    def __getitem__(self, place: tuple[int, int]) -> Cell:
        """Return the cell at a column and a row, both counted from 0."""
        column, row = place
        return self.cells[row * len(self.x.values) + column]

    @cached_property
    def designs(self) -> tuple[Design, ...]:
        """All designs, in the order of the cells."""
        return tuple(cell.design for cell in self.cells if cell.design)

    @cached_property
    def without_design(self) -> int:
        """Number of cells without a design."""
        return len(self.cells) - len(self.designs)

    def prepare(self, metrics: Iterable[Metric] = (), progress: Progress | None = None) -> None:
        """Compute what needs no measurement in one pass over all models: faster than metric by metric."""
        new = [metric for metric in metrics if not metric.measured and metric.key not in self._evaluation.figures]
        if new or not self._evaluation.misses:
            self._evaluation.add([cell.design for cell in self.cells], new, progress)

    @property
    def oddities(self) -> tuple[str, ...]:
        """What is odd about the shape of each cell's design; empty where nothing is, and where there is no design."""
        self.prepare()
        return self._evaluation.oddities

    @property
    def misses(self) -> tuple[Misses | None, ...]:
        """Relative misses of total, embedding ratio and expansion in each cell; None where there is no design."""
        self.prepare()
        return self._evaluation.misses

    @cached_property
    def in_use(self) -> int | None:
        """Index of the cell with the base's own values; None when the grid does not contain it."""
        base_x, base_y = getattr(self.base, self.x.name), getattr(self.base, self.y.name)
        if base_x not in self.x.values or base_y not in self.y.values:
            return None
        return self.y.values.index(base_y) * len(self.x.values) + self.x.values.index(base_x)

    def figures(self, metric: Metric, reports: Reports | None = None) -> tuple[float | None, ...]:
        """Return a metric of every cell; None where there is no design, or where it has not been measured.

        Measurements are those of the latest run alone, because a machine is not equally busy at different moments.
        """
        if not metric.measured:
            self.prepare([metric])
            return self._evaluation.figures[metric.key]
        known = self.latest(reports or {})
        return tuple(metric.value(cell.design, known) if cell.design else None for cell in self.cells)

    def design_of(self, place: int) -> Design:
        """Return the design of a cell that has one."""
        design = self.cells[place].design
        assert design is not None
        return design

    def text(self, place: int, metric: Metric, reports: Reports | None = None) -> str:
        """Return the metric of a cell as text, with the spread of a median; measurements of every run."""
        design, known = self.cells[place].design, reports or {}
        value = metric.value(design, known) if design else None
        return "" if value is None or design is None else metric.text(value, metric.quartiles(design, known))

    def latest(self, reports: Reports) -> Reports:
        """Return the measurements of this sweep's models that were made in the latest run."""
        found = {arch: report for arch in self._models if (report := reports.get(arch))}
        latest = max((report.run for report in found.values()), default=0)
        return {arch: report for arch, report in found.items() if report.run == latest}

    def earlier(self, reports: Reports) -> Reports:
        """Return the measurements of this sweep's models that were made in earlier runs."""
        latest = self.latest(reports)
        return {arch: reports[arch] for arch in self._models if arch in reports and arch not in latest}

    @cached_property
    def _models(self) -> tuple[Architecture, ...]:
        return tuple(dict.fromkeys(design.architecture for design in self.designs))

    def explanation(self, metric: Metric, reports: Reports | None = None) -> str:
        """Say what a metric counts and, where it is measured, on which devices it was."""
        if not (metric.measured and reports):
            return metric.assumption
        found = self.latest(reports).values()
        devices = f", on {' and '.join(sorted({report.device for report in found}))}" if found else ""
        noisy = "; the machine was busy: compare with care" if any(report.is_noisy for report in found) else ""
        return f"{metric.assumption}{devices}{noisy}"

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """Why each cell has no design, empty where it has one; without remedies where finding them would be slow."""
        return tuple(str(error or "") for error in self._errors) or tuple(cell.short_reason for cell in self.cells)

    @cached_property
    def causes(self) -> tuple[str, ...]:
        """Why each cell has no design, without remedies; empty where it has one."""
        short = (_problem(cell.refusal) or cell.short_reason for cell in self.cells)
        return tuple(map(_problem, self._errors)) or tuple(short)

    @cached_property
    def _errors(self) -> tuple[ValueError | None, ...]:
        """The error of each cell, None where it has a design; no errors where finding their remedies would be slow."""
        return tuple(cell.error for cell in self.cells) if self.without_design <= _MOST_EXPLAINED else ()


def sweep(
    base: ModelConfig,
    x: tuple[str, Sequence[Value]],
    y: tuple[str, Sequence[Value]],
    progress: Progress | None = None,
    most: int = MOST_CELLS,
) -> Sweep:
    """Solve the base request for every pair of values of two knobs.

    >>> found = sweep(ModelConfig(), ("embedding_ratio", (0.25, 0.35, 0.45)), ("glu_expansion", (2.0, 2.66, 3.0, 4.0)))
    >>> len(found.cells), found[1, 1].design == solve(ModelConfig())
    (12, True)

    Raises ValueError, before solving, for an unknown knob, the same knob twice, more than 100,000 cells
    (or `most`), and an axis
    that is empty, repeats a value or has one outside the knob's limits. A pair that no model meets is a cell without a
    design.
    """
    across, up = _axis("x", *x), _axis("y", *y)
    if across.name == up.name:
        raise ValueError(f"x and y are both {across.name}: two different knobs would work")
    count = len(across.values) * len(up.values)
    if count > most:
        raise ValueError(
            f"{len(across.values):,} values of {across.name} and {len(up.values):,} of {up.name} make {count:,} cells: "
            f"it must be at most {most:,}{_MORE if most < MOST_CELLS else ''}; fewer values would work"
        )
    cells: dict[int, Cell] = {}
    solver = _CellSolver(base, across.name, up.name)
    for place in _order(across, up):
        row, column = divmod(place, len(across.values))
        cells[place] = solver.solve(across.values[column], up.values[row])
        if progress and (len(cells) % _STEP == 0 or len(cells) == count):
            progress(len(cells), count)
    return Sweep(base, across, up, tuple(cells[place] for place in range(count)))


def _order(across: Axis, up: Axis) -> Iterable[int]:
    """Return the places of the cells in the order in which they are solved.

    That is row by row, unless the rows differ in what the solver finds in the request and the columns in what it has to
    count anew for: a count is then used for a whole column.
    """
    columns, count = len(across.values), len(across.values) * len(up.values)
    if up.name in _OF_CHOICES or across.name not in _OF_CHOICES:
        return range(count)
    return (place for column in range(columns) for place in range(column, count, columns))


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


class _CellSolver:
    """Solves the cells of a grid; cells with the same model share its architecture."""

    def __init__(self, base: ModelConfig, *names: str) -> None:
        self._base, self._names = base, names
        self._free = FREE_FIELDS.issuperset(names)
        self._models: dict[tuple[object, ...], Architecture] = {}

    def solve(self, across: Value, up: Value) -> Cell:
        """Return the cell of two values."""
        asked: dict[str, Any] = dict(zip(self._names, (across, up), strict=True))
        try:
            config = self._request(asked)
        except ValueError as error:
            return Cell(across, up, None, None, error)
        best = search_space(config).nearest()
        if best is None:
            return Cell(across, up, config, None)
        chosen = (value for name, value in asked.items() if name in _OF_CHOICES)
        key = (best.d_model, best.d_ff, best.n_layers, best.n_heads, *chosen)
        if key not in self._models:
            self._models[key] = to_architecture(config, best)
        return Cell(across, up, config, Design(config, self._models[key], solved=True))

    def _request(self, asked: dict[str, Any]) -> ModelConfig:
        """Return the base with other values, each of which is within the limits of its knob."""
        if not self._free:
            return ModelConfig(**vars(self._base) | asked)
        found = object.__new__(ModelConfig)  # in a fifth of the time
        vars(found).update(vars(self._base), **asked)
        return found


def _problem(error: ValueError | None) -> str:
    """Return the message of an error without remedies."""
    return error.problem if isinstance(error, BudgetError | FieldError) else str(error or "")
