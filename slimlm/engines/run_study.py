"""run_study: trains what a study lacks, on any engine, until nothing is missing or the time is over."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median

from slimlm.core.architecture import Architecture
from slimlm.engines.data import check_data
from slimlm.engines.engine import Engine, Finished
from slimlm.engines.execute import drop_weights
from slimlm.engines.state import CANCEL, Ending, StudyState, write_state
from slimlm.runs.lock import LOCK_S, sole_writer
from slimlm.runs.record import RESULT, read_run
from slimlm.study.outcome import Outcome, outcome_of
from slimlm.study.schedule import Schedule
from slimlm.study.spec import RunSpec
from slimlm.study.study import OWN_FILES, RUNS, Study, open_study, read_outcomes
from slimlm.utils.files import check_own, reason, remove
from slimlm.utils.formatting import format_seconds
from slimlm.utils.progress import Progress
from slimlm.utils.text import one_line

POLL_S = 0.5
"""Longest time between two looks at the deadline, the file `cancel` and the progress of runs."""

_MOST_FAILURES = 3
"""Runs that may fail beyond one for each slot while none succeeds: then every one would."""

_LONGEST_REASON = 500
"""Characters of the reason why a run failed."""


def run_study(
    folder: Path,
    engine: Engine,
    *,
    deadline_s: float | None = None,
    progress: Progress | None = None,
    now: Callable[[], float] = time.monotonic,
) -> Ending:
    """Train the runs that a study lacks, the longest first, and close the engine.

    What is needed next depends on the outcomes, so it is computed again after each of them. A second process on the
    same folder is refused. After `deadline_s` seconds, at the file `cancel` (see `slimlm.engines.state`) and at Ctrl-C
    all work stops, and a later call goes on from there. No run is started that would end after the deadline, as far as
    finished runs tell. A run that fails does not stop the others, and is not tried again in this call.

    Returns how it ended: "complete", "cancelled" or "deadline".

    Raises ValueError, in one sentence, for a folder without a study, with changed data, in use, or that cannot be
    written, and at the end for runs that failed.
    """
    study = open_study(folder)
    with ExitStack() as stack:
        stack.callback(engine.close)
        stack.enter_context(_sole_driver(folder))
        check_data(folder, study)
        check_own(folder, files=OWN_FILES, folders=[RUNS])
        remove(folder / CANCEL)
        driver = _Driver(folder, study, engine, deadline_s, progress, now)
        ending = driver.run()
    if driver.failed:
        raise ValueError(_failure(driver.failed))
    return ending


@contextmanager
def _sole_driver(folder: Path) -> Iterator[None]:
    """Hold the lock of a study."""
    try:
        with sole_writer(folder, LOCK_S):
            yield
    except OSError as error:
        raise ValueError(f"{folder} cannot be written: {reason(error)}; another folder would work") from None


def _failure(failed: dict[str, str]) -> str:
    several = f"{len(failed)} runs of the study failed" if len(failed) > 1 else "a run of the study failed"
    first = "; ".join(f"{key}: {one_line(why, _LONGEST_REASON)}" for key, why in list(failed.items())[:3])
    more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
    return f"{several}: {first}{more}"


class _Driver:
    """The loop of one call."""

    def __init__(
        self,
        folder: Path,
        study: Study,
        engine: Engine,
        deadline_s: float | None,
        progress: Progress | None,
        now: Callable[[], float],
    ) -> None:
        self.folder, self.study, self.engine, self.progress, self.now = folder, study, engine, progress, now
        self.begun, self.started = now(), time.time()
        self.deadline = None if deadline_s is None else self.begun + deadline_s
        self.outcomes: dict[str, Outcome] = read_outcomes(folder)[0]
        self.failed: dict[str, str] = {}
        self.running: dict[str, tuple[RunSpec, float]] = {}
        self.speeds: dict[Architecture, list[float]] = {}
        """Operations a second of the runs of this call, from their start to their end."""
        self.worked = 0.0
        """Operations of the runs that this call has finished."""
        self.wanted: list[RunSpec] = []
        self.lacks_memory = False
        """Whether a slot is empty because there is no memory for a further run."""

    def run(self) -> Ending:
        """Train until nothing is wanted, or until something ends it."""
        self._drop_leftovers()
        self._plan()
        ending: Ending = "interrupted"
        try:
            ending = self._loop()
        finally:
            self.engine.close()
            ending = "failed" if self.failed and ending == "complete" else ending
            self._report(ending)
        return ending

    def _loop(self) -> Ending:
        while True:
            if (self.folder / CANCEL).exists():
                remove(self.folder / CANCEL)
                return "cancelled"
            if self.deadline is not None and self.now() >= self.deadline:
                return "deadline"
            self._start()
            if not self.running:
                return "complete" if not self.wanted or self._is_hopeless() else "deadline"
            self._report("running")
            if finished := self.engine.wait(POLL_S):
                self._finish(finished)

    def _drop_leftovers(self) -> None:
        """Delete weights of runs that were killed between their end and the deletion of their weights."""
        if not self.engine.keep_weights:
            for key in self.outcomes:
                home = self.folder / RUNS / key
                if (home / RESULT).exists() and not home.is_symlink():
                    drop_weights(home)

    def _plan(self) -> None:
        """Find out what is wanted, now that the outcomes have changed."""
        wanted = Schedule(self.study, self.outcomes).wanted
        self.wanted = [spec for spec in wanted if spec.key not in self.failed]

    def _start(self) -> None:
        """Fill the free slots with the longest runs that end in time."""
        waiting = [spec for spec in self.wanted if spec.key not in self.running]
        self.lacks_memory = False
        if self._is_hopeless():
            return
        for spec in waiting:
            if len(self.running) >= self.engine.slots:
                return
            if self.running and not self.engine.has_room(spec):
                self.lacks_memory = True
                return  # the longest first: a smaller one must not keep it waiting for ever
            if self._ends_in_time(spec):
                self.running[spec.key] = spec, self.now()
                self.engine.start(spec)

    def _is_hopeless(self) -> bool:
        """Whether every run fails, as far as it looks."""
        return not self.speeds and len(self.failed) > self.engine.slots + _MOST_FAILURES

    def _ends_in_time(self, spec: RunSpec) -> bool:
        if self.deadline is None or not (speeds := self._known_speeds()):
            return True
        same = speeds.get(spec.architecture)
        speed = median(same) if same else min(min(found) for found in speeds.values())
        return self.now() + spec.flops / speed <= self.deadline

    def _known_speeds(self) -> dict[Architecture, list[float]]:
        """Return the speeds of finished runs; before the first one, of those that are under way."""
        if self.speeds:
            return self.speeds
        found: dict[Architecture, list[float]] = {}
        for key, done in self.engine.fractions().items():
            if done > 0 and key in self.running and (seconds := self.now() - self.running[key][1]) > 0:
                spec = self.running[key][0]
                found.setdefault(spec.architecture, []).append(done * spec.flops / seconds)
        return found

    def _finish(self, finished: Finished) -> None:
        spec, started = self.running.pop(finished.key)
        try:
            outcome = None if finished.error else outcome_of(spec.key, read_run(self.folder / RUNS / spec.key))
            error = finished.error or (None if outcome else "it left no result")
        except ValueError as problem:
            outcome, error = None, str(problem)
        if outcome:
            self.outcomes[spec.key] = outcome
            self.worked += spec.flops
            self.speeds.setdefault(spec.architecture, []).append(spec.flops / max(1e-9, self.now() - started))
        else:
            self.failed[spec.key] = error or ""
        self._plan()

    def _report(self, status: Ending | str) -> None:
        """Write state.json and report progress."""
        fractions = self.engine.fractions() if status == "running" else {}
        running = {key: fractions.get(key, 0.0) for key in self.running} if status == "running" else {}
        underway = sum(done * self.running[key][0].flops for key, done in running.items())
        left = sum(spec.flops for spec in self.wanted) - underway
        done = sum(outcome.flops for outcome in self.outcomes.values()) + underway
        worked, elapsed = self.worked + underway, self.now() - self.begun
        eta = left * elapsed / worked if worked > 0 else None
        state = StudyState(
            status=status,  # type: ignore[arg-type]
            pid=os.getpid(),
            started=self.started,
            updated=0.0,
            done=len(self.outcomes),
            wanted=len(self.wanted),
            running=running,
            failed={key: one_line(why, _LONGEST_REASON) for key, why in self.failed.items()},
            fraction=done / max(1.0, done + left),
            eta_s=eta if status == "running" else None,
            lacks_memory=self.lacks_memory and status == "running",
        )
        with suppress(OSError):  # a full disk ends runs, each with a sentence; the state is only shown
            write_state(self.folder, state)
        if self.progress and status == "running":
            self.progress(state.fraction, _words(state))


def _words(state: StudyState) -> str:
    """Return what a study does, in a line."""
    left = f", about {format_seconds(max(1.0, state.eta_s))} left" if state.eta_s is not None else ""
    failed = f", {len(state.failed)} failed" if state.failed else ""
    known, under_way = state.done + state.wanted, f"{len(state.running)} under way{state.held_up}"
    return f"training: {state.done} of {known} known runs done, {under_way}{failed}{left}"
