"""A study of ten runs that takes some seconds, and what its records must be."""

import shutil
from pathlib import Path

from slimlm.core.config import ModelConfig
from slimlm.engines.data import study_data, write_generator
from slimlm.engines.engine import Engine, Finished
from slimlm.runs.recipe import TrainRecipe
from slimlm.study.request import StudyRequest
from slimlm.study.spec import RunSpec
from slimlm.study.study import RUNS, Study, open_study, write_study
from slimlm.sweep.grid import Axis

VOCABULARY = 64
RECORDS = ("metrics.jsonl", "result.json")
"""Files that are byte for byte the same, whoever trains a run and however often it is interrupted."""


def small_study(folder: Path) -> Study:
    """Write a study of two cells, three learning rates and two seeds into a folder."""
    tokens = write_generator(folder, VOCABULARY, train_tokens=4096, heldout_tokens=300)
    base = ModelConfig(total_params=20_000, vocab_size=VOCABULARY, max_seq_length=16, n_heads=2, dropout=0.1)
    recipe = TrainRecipe(
        tokens=12 * 128, batch_tokens=128, learning_rate=0.03, log_every=4, evaluate_every=768, checkpoint_every=256
    )
    request = StudyRequest(
        base=base,
        x=Axis("embedding_ratio", (0.1, 0.15)),
        y=Axis("glu_expansion", (2.0,)),
        recipe=recipe,
        seeds=2,
        controls=False,
    )
    study = Study(request, {VOCABULARY: study_data(tokens)})
    write_study(folder, study)
    return study


def records(folder: Path) -> dict[str, bytes]:
    """Return the records of all runs that do not depend on time, by their paths."""
    home = folder / RUNS
    return {f"{run.name}/{name}": (run / name).read_bytes() for run in sorted(home.iterdir()) for name in RECORDS}


def without(folder: Path, copy: Path, count: int) -> tuple[Path, list[str]]:
    """Copy a study without its last `count` runs, those of the seeds; return the copy and their names."""
    from slimlm.study.schedule import Schedule

    runs = Schedule(open_study(folder), outcomes(folder)).runs("ranking")
    missing = [spec.key for specs in runs.values() for spec in specs][-count:]
    shutil.copytree(folder, copy, ignore=lambda _, names: {*missing} & {*names})
    return copy, missing


def outcomes(folder: Path):  # type: ignore[no-untyped-def]
    """Return the outcomes of a folder without problems."""
    from slimlm.study.study import read_outcomes

    found, problems = read_outcomes(folder)
    assert not problems
    return found


class Copying(Engine):
    """An engine that copies runs from a finished study, and keeps an own clock: each run takes a second."""

    keep_weights = False

    def __init__(self, source: Path, folder: Path, slots: int = 2, failing: dict[str, str] | None = None) -> None:
        self.source, self.folder, self.slots, self.failing = source, folder, slots, failing or {}
        self.time, self.closed = 0.0, 0
        self.started: list[RunSpec] = []
        self.queue: list[RunSpec] = []

    def clock(self) -> float:
        return self.time

    def start(self, spec: RunSpec) -> None:
        self.started.append(spec)
        self.queue.append(spec)
        assert len(self.queue) <= self.slots

    def wait(self, timeout: float) -> Finished | None:
        self.time += 1.0
        spec = self.queue.pop(0)
        if error := self.failing.get("all", self.failing.get(spec.key)):
            return Finished(spec.key, error)
        if (self.source / RUNS / spec.key).exists():
            shutil.copytree(self.source / RUNS / spec.key, self.folder / RUNS / spec.key)
        return Finished(spec.key)

    def fractions(self) -> dict[str, float]:
        return {spec.key: 0.5 for spec in self.queue}

    def close(self) -> None:
        self.closed += 1
        self.queue.clear()
