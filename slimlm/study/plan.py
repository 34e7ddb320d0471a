"""Plan of a study before its first run: its cells, its runs by purpose, and their tokens and operations."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from slimlm.study.outcome import Outcome
from slimlm.study.schedule import Schedule
from slimlm.study.spec import RunSpec
from slimlm.study.study import Study

USUAL_SD = {"byte": 0.0085, "symbol": 0.1}
"""Standard deviation between seeds, in bits per unit, where no study is there to take it from: that of bytes is of 36
runs of 10M parameters on 16.4M tokens of English, that of symbols of the rehearsal."""

PURPOSES = {
    "search": "search of learning rates",
    "ranking": "ranking",
    "again": "A/A pair",
    "bad": "bad cell",
    "second_recipe": "second recipe",
    "second_horizon": "second horizon",
}


@dataclass(frozen=True)
class StudyPlan:
    """The runs of a study whose searches all end after three learning rates: there are no fewer."""

    runs: Mapping[str, tuple[RunSpec, ...]]
    """By purpose, in the order of `PURPOSES`."""

    @property
    def count(self) -> int:
        """Number of runs."""
        return sum(map(len, self.runs.values()))

    @property
    def tokens(self) -> int:
        """Training tokens of all runs."""
        return sum(spec.recipe.steps * spec.recipe.batch_tokens for specs in self.runs.values() for spec in specs)

    @property
    def flops(self) -> int:
        """Operations of all runs."""
        return sum(spec.flops for specs in self.runs.values() for spec in specs)


def plan_study(study: Study) -> StudyPlan:
    """Return the plan of a study, from a rehearsal of its schedule without training."""
    outcomes: dict[str, Outcome] = {}
    specs: dict[str, RunSpec] = {}
    centres = (study.request.recipe.learning_rate, study.request.other_recipe.learning_rate)
    while wanted := Schedule(study, outcomes).wanted:
        for spec in wanted:
            loss = min(math.log2(spec.recipe.learning_rate / centre) ** 2 for centre in centres)
            outcomes[spec.key] = Outcome(spec.key, "finished", loss, {}, 0, 0, 0.0, "", "", {})
            specs[spec.key] = spec
    schedule = Schedule(study, outcomes)
    found: dict[str, tuple[RunSpec, ...]] = {}
    taken: set[str] = set()
    for purpose in ("ranking", "again", "bad", "second_recipe", "second_horizon"):
        own = {spec.key: spec for specs_ in schedule.runs(purpose).values() for spec in specs_}
        found[purpose] = tuple(spec for key, spec in own.items() if key not in taken)
        taken |= own.keys()
    search = tuple(spec for key, spec in specs.items() if key not in taken)
    return StudyPlan({"search": search, **found})
