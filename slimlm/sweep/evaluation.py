"""Metrics of many designs in one pass, in which cells with the same model share its account."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from slimlm.core.accounting import Account, account
from slimlm.core.design import Design, targets_of
from slimlm.costs.quantity import Workload
from slimlm.notes.plausibility import worst_oddity
from slimlm.sweep.metrics import SETTINGS, Metric, Misses

Progress = Callable[[int, int], object]
"""Called with the number of cells that are done and of all cells; exceptions that it raises cancel the work."""

Designs = Sequence[Design | None]
"""The design of each cell; None where it has none."""

_MOST_ACCOUNTS = 10_000
"""Cells up to which designs keep their accounts, of some kilobytes each, for what is asked next."""

_STEP = 1_000


@dataclass
class Evaluation:
    """What is known of every cell of a sweep."""

    oddities: tuple[str, ...] = ()
    """What is odd about the shape; empty where nothing is, and where there is no design."""
    misses: tuple[Misses | None, ...] = ()
    """Relative misses of total, embedding ratio (or aspect ratio) and expansion; None where there is no design."""
    figures: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    """Metrics by key; None where there is no design."""

    def add(self, designs: Designs, metrics: Sequence[Metric], progress: Progress | None = None) -> None:
        """Evaluate metrics that need no measurement; what `progress` raises leaves everything as it was."""
        odd, misses = [""] * len(designs), list[Misses | None]([None]) * len(designs)
        columns = [list[float | None]([None]) * len(designs) for _ in metrics]
        for places, counted in _models(designs, progress):
            work, text = Workload(counted, SETTINGS), _oddity(counted)
            of_model = [metric.of_work(work) if metric.of_work else None for metric in metrics]
            for place in places:
                design = designs[place]
                assert design
                first, second, third = (knob.miss for knob in targets_of(design.config, counted))
                odd[place], missed = text, (first, second, third)
                misses[place] = missed
                for column, metric, value in zip(columns, metrics, of_model, strict=True):
                    column[place] = _of_cell(metric, design, missed) if value is None else value
        self.oddities, self.misses = tuple(odd), tuple(misses)
        self.figures |= {metric.key: tuple(column) for metric, column in zip(metrics, columns, strict=True)}


def _of_cell(metric: Metric, design: Design, missed: Misses) -> float | None:
    return metric.of_misses(missed) if metric.of_misses else metric.value(design, {})


def _models(designs: Designs, progress: Progress | None) -> Iterator[tuple[list[int], Account]]:
    """Yield each model's cells and account; cells of a sweep with the same model share the object."""
    groups: dict[int, list[int]] = {}
    for place, design in enumerate(designs):
        if design:
            groups.setdefault(id(design.architecture), []).append(place)
    done = 0
    for places in groups.values():
        first = designs[places[0]]
        assert first
        yield places, first.account if len(designs) <= _MOST_ACCOUNTS else account(first.architecture)
        if progress and done // _STEP < (done := done + len(places)) // _STEP:
            progress(done, len(designs))
    if progress:
        progress(len(designs), len(designs))


def _oddity(counted: Account) -> str:
    found = worst_oddity(counted)
    return found.text if found else ""
