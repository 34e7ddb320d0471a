"""A study that the Rank page may start: its command line, and what it costs before it starts."""

import argparse
import os
from dataclasses import dataclass

from slimlm.study.cells import data_sizes, study_cells
from slimlm.study.plan import USUAL_SD, plan_study
from slimlm.study.request import StudyRequest
from slimlm.study.study import Study, StudyData
from slimlm.ui.rank_library import StudyView
from slimlm.ui.widget_keys import digest
from slimlm.utils.formatting import format_count, format_size, parse_size

MOST_CELLS = 64
"""Cells of a study that is started from the page; the command line takes more."""

SOURCES = {"prose": "Built-in prose", "known-entropy": "Known entropy"}

_USUAL_SPEED = 3e10
"""Operations per second of one core, where no study of this server says."""
_SECONDS_A_RUN, _SECONDS_A_TOKEN = 1.0, 3e-5
"""What a run takes beside its operations: its start and evaluations, and the steps of the smallest models."""


@dataclass(frozen=True)
class NewStudy:
    """The state of the controls."""

    x: str = "embedding_ratio"
    xs: str = "0.25, 0.35, 0.45"
    y: str = "glu_expansion"
    ys: str = "2, 2.66, 3, 4"
    total: str = "1M"
    vocab_size: str = "4k"
    seeds: int = 3
    tokens: str = "250k"
    source: str = "prose"
    quick: bool = False
    """The rehearsal of the command line instead: a study of two minutes."""

    @property
    def options(self) -> list[str]:
        """The options of `slimlm rank`, without the folder."""
        if self.quick:
            return ["--quick"]
        values = {
            "total": self.total,
            "vocab-size": self.vocab_size,
            "x": f"{self.x}={self.xs}",
            "y": f"{self.y}={self.ys}",
            "seeds": str(self.seeds),
            "tokens": self.tokens,
            "source": self.source,
        }
        return [f"--{name}={value}" for name, value in values.items()]  # one word each: no value is read as an option

    @property
    def name(self) -> str:
        """The name of the study, which is the same for equal options."""
        code = digest({str(place): text for place, text in enumerate(self.options)})[:6]
        if self.quick:
            return f"rehearsal-{code}"
        return f"{_short(self.total)}-{_short(self.vocab_size)}-{code}"


def _short(text: str) -> str:
    try:
        return format_size(parse_size(text))
    except ValueError:
        return "study"


@dataclass(frozen=True)
class Plan:
    """What a study is going to take and to show."""

    runs: int
    tokens: int
    seconds: float
    least: float | None
    """Smallest difference that is significant, in bits per unit; None where it cannot be computed."""
    unit: str
    cells: int

    @property
    def line(self) -> str:
        """The plan on one line: "at least 102 runs · 25M tokens · about 50 min · can show differences ≥ 0.05"."""
        parts = [
            f"at least {self.runs:,} runs",
            f"{format_count(self.tokens)} tokens",
            f"about {_minutes(self.seconds)}",
            "" if self.least is None else f"can show differences of {self.least:.2g} bits per {self.unit} or more",
        ]
        return " · ".join(filter(None, parts))


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds / 10)) * 10} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def plan_of(new: NewStudy, shown: StudyView | None = None) -> Plan:
    """Return the plan of a study; the speed is that of the study that is shown, where it ran on a CPU.

    Raises ValueError, in one sentence, for controls that make no study.
    """
    request = request_of(new)
    unit = "byte" if new.source == "prose" and not new.quick else "symbol"
    study = Study(request, {size: _no_data(size, unit) for size in data_sizes(study_cells(request))})
    if len(study.cells) > MOST_CELLS:
        raise ValueError(
            f"the grid has {len(study.cells)} cells: at most {MOST_CELLS} can be started here; fewer values would work"
        )
    plan = plan_study(study)
    alone = plan.flops / _speed(shown) + plan.tokens * _SECONDS_A_TOKEN + plan.count * _SECONDS_A_RUN
    least = _least(request.seeds, len(study.cells), unit, shown)
    return Plan(plan.count, plan.tokens, alone / (os.cpu_count() or 1), least, unit, len(study.cells))


def request_of(new: NewStudy) -> StudyRequest:
    """Return the study that the command line would start; raises ValueError, in one sentence, as it does."""
    from slimlm.cli.rank_request import add_study, study_request

    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--quick", action="store_true")
    add_study(parser)
    return study_request(parser.parse_args(new.options))


def _no_data(size: int, unit: str) -> StudyData:
    return StudyData("not read yet", "", size, 0, unit)


def _speed(shown: StudyView | None) -> float:
    """Return operations per second of one core."""
    ranking = shown.ranking if shown else None
    if ranking is None or set(ranking.devices) != {"cpu"} or not ranking.seconds:
        return _USUAL_SPEED
    return ranking.flops / ranking.seconds


def _least(seeds: int, cells: int, unit: str, shown: StudyView | None) -> float | None:
    from slimlm.ranking.statistics import least_difference
    from slimlm.utils.optional import PackageError

    known = shown.ranking.pooled_sd if shown and shown.ranking.unit == f"bits per {unit}" else None
    try:
        return least_difference(known or USUAL_SD[unit], seeds, cells)
    except (ImportError, PackageError):
        return None
