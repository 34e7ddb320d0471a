"""RayEngine: runs on the machines of a Ray cluster, which need neither a shared disk nor the study's data.

Each slot is an actor that stays. Tokens travel through Ray's object store; a finished run comes back as the contents of
its records, which this process writes. An actor that is lost with its machine gives its run to another one, where it
begins again: checkpoints are on the machine that trains.
"""

import logging
import os
import re
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from slimlm.data.token_data import TokenData
from slimlm.engines.data import open_tokens
from slimlm.engines.engine import TRIES, Engine, Finished
from slimlm.engines.execute import RECORDS, WEIGHTS, drop_weights, execute
from slimlm.engines.ray_address import ADDRESS, be_patient, check_address, set_token
from slimlm.engines.worker import sentence_of
from slimlm.runs.record import RESULT
from slimlm.study.spec import RunSpec, spec_from_record
from slimlm.study.study import RUNS, Study, open_study
from slimlm.utils.files import replacing
from slimlm.utils.optional import RAY, need
from slimlm.utils.text import shown
from slimlm.utils.validation import check_positive, check_whole

_OF_RUN = re.compile(r"(?:\w[\w.-]*/){0,2}\w[\w.-]*", re.ASCII)
"""Paths within the folder of a run: none leads out of it."""


class RunActor:
    """Trains runs on one slot of a cluster, in temporary folders; tokens and imports stay for the next run."""

    def ready(self) -> bool:
        """Answer once the actor has started."""
        return True

    def run(
        self, record: dict[str, Any], tokens: TokenData, device: str | None, keep_weights: bool
    ) -> tuple[str | None, bool, dict[str, bytes]]:
        """Train one run; return an error or None, whether another try may succeed, and its files by name."""
        spec = spec_from_record(record)
        with tempfile.TemporaryDirectory(prefix="slimlm-") as home:
            folder = Path(home) / spec.key
            try:
                execute(spec, tokens, folder, device, keep_weights=keep_weights)
                names = (*RECORDS, *WEIGHTS) if keep_weights else RECORDS
                files = [path for name in names for path in _files(folder / name)]
                return None, False, {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
            except Exception as problem:  # Ray would wrap it
                return sentence_of(problem), not isinstance(problem, ValueError), {}


def _files(path: Path) -> list[Path]:
    return sorted(found for found in path.rglob("*") if found.is_file()) if path.is_dir() else [path]


class _Slot:
    """An actor as this process sees it: starting, idle, or busy with a run."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.run: RunSpec | None = None
        self.answer: Any = actor.ready.remote()
        """What it will answer next; None when it is idle."""


class RayEngine(Engine):
    """Trains runs on a Ray cluster, or in a Ray of this machine's own when there is no address."""

    def __init__(
        self,
        folder: Path,
        *,
        address: str | None = None,
        workers: int | None = None,
        device: str | None = None,
        gpus_per_run: float | None = None,
        keep_weights: bool = False,
    ) -> None:
        """Connect to a cluster; `workers` is one for each of its cores, or as many as its GPUs hold.

        A run takes one core and `gpus_per_run` of a GPU: by default none on the CPU, and else a third.

        Raises PackageError without Ray, FieldError for an address without a token (see `check_address`), and
        ValueError for a cluster that cannot be reached.
        """
        address = address or os.environ.get(ADDRESS)
        check_address(address)
        if address in (None, "local"):
            set_token()  # before Ray is loaded, which reads it then
        be_patient()  # Ray reads its limits as it is loaded
        need("the Ray engine", RAY)
        share = (0.0 if device == "cpu" else None) if gpus_per_run is None else gpus_per_run
        if share:
            check_positive(gpus_per_run=share)
        self.folder, self.keep_weights, self._device = folder, keep_weights, device
        self._study: Study = open_study(folder)
        self._connect(address, workers)
        self._share = share if share is not None else (1 / 3 if self._resource("GPU") else 0.0)
        room = self._resource("GPU") / self._share + 1e-6 if self._share else self._resource("CPU")
        self.slots = int(room) if workers is None else workers
        self._slots: list[_Slot] = []
        try:
            check_whole(workers=self.slots)
        except ValueError:
            self.close()
            raise
        self._tokens: dict[int, Any] = {}
        self._waiting: deque[RunSpec] = deque()
        self._tries: dict[str, int] = {}
        for _ in range(self.slots):
            self._add_slot()

    def _connect(self, address: str | None, workers: int | None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        own: dict[str, Any] = {}
        if address in (None, "local"):
            own = {"num_cpus": workers, "include_dashboard": False}
        try:
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}},
                **own,
            )
        except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
            why = " ".join(str(error).split())[:300]
            raise ValueError(f"the Ray cluster at {shown(address)} cannot be used: {why}") from None

    def _resource(self, name: str) -> float:
        import ray

        return float(ray.cluster_resources().get(name, 0.0))

    def _add_slot(self) -> None:
        """Ask for an actor, which starts when the cluster has room for it."""
        import ray

        remote = ray.remote(num_cpus=1, num_gpus=self._share, max_restarts=0)(RunActor)
        self._slots.append(_Slot(remote.remote()))

    def start(self, spec: RunSpec) -> None:
        """Queue a run for the next idle actor."""
        self._tries[spec.key] = 1
        self._waiting.append(spec)
        self._give()

    def _give(self) -> None:
        """Give waiting runs to idle actors."""
        for slot in self._slots:
            if slot.answer is None and self._waiting:
                slot.run = spec = self._waiting.popleft()
                tokens = self._tokens_of(spec.architecture.vocab_size)
                slot.answer = slot.actor.run.remote(spec.to_record(), tokens, self._device, self.keep_weights)

    def _tokens_of(self, vocab_size: int) -> Any:
        import ray

        if vocab_size not in self._tokens:
            found = open_tokens(self.folder, self._study, vocab_size)
            train: Any = np.array(found.train)  # from the disk into memory
            heldout: dict[str, Any] = {name: np.array(split) for name, split in found.heldout.items()}
            self._tokens[vocab_size] = ray.put(replace(found, train=train, heldout=heldout))
        return self._tokens[vocab_size]

    def wait(self, timeout: float) -> Finished | None:
        """Return the next run that is over; None when none is after `timeout` seconds."""
        import ray

        deadline = time.monotonic() + timeout
        while True:
            self._give()
            answers = {slot.answer: slot for slot in self._slots if slot.answer is not None}
            left = max(0.0, deadline - time.monotonic())
            ready, _ = ray.wait(list(answers), timeout=left) if answers else ([], [])
            if not ready:
                time.sleep(0.0 if answers else left)
                return None
            if found := self._heard(answers[ready[0]]):
                return found

    def _heard(self, slot: _Slot) -> Finished | None:
        """Take the answer of an actor."""
        import ray

        spec, answer = slot.run, slot.answer
        slot.run = slot.answer = None
        try:
            found = ray.get(answer)
        except ray.exceptions.RayError as error:
            return self._lost(slot, spec, error)
        if spec is None:  # it has started
            return None
        problem, again, files = found
        if problem is not None and again:
            return self._again(spec, problem)
        if problem is None:
            try:
                self._write(spec, files)
            except OSError as error:
                problem = sentence_of(error)
        return Finished(spec.key, problem)

    def _lost(self, slot: _Slot, spec: RunSpec | None, error: Exception) -> Finished | None:
        """Replace an actor, and give its run to another one."""
        self._slots.remove(slot)
        self._add_slot()
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return self._again(spec, f"its actor was lost ({' '.join(lines[0].split())[:200]})") if spec else None

    def _again(self, spec: RunSpec, why: str) -> Finished | None:
        if self._tries[spec.key] >= TRIES:
            return Finished(spec.key, f"{why}, {TRIES} times")
        self._tries[spec.key] += 1
        self._waiting.appendleft(spec)
        return None

    def _write(self, spec: RunSpec, files: Mapping[str, bytes]) -> None:
        """Write the files of a run into its folder, the result last: it tells that the run is over."""
        folder = self.folder / RUNS / spec.key
        if foreign := [name for name in files if not _OF_RUN.fullmatch(name)]:
            raise OSError(f"an actor sent {shown(foreign[0])}, which is no file of a run")
        drop_weights(folder)
        for name in sorted(files, key=lambda name: name == RESULT):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with replacing(folder / name, follow=False) as part:
                part.write_bytes(files[name])

    def fractions(self) -> Mapping[str, float]:
        """Return nothing: actors report no progress within a run."""
        return {}

    def close(self) -> None:
        """Stop all actors and leave the cluster; a second call does nothing."""
        import ray

        for slot in self._slots:
            with suppress(ray.exceptions.RayError):
                ray.kill(slot.actor)
        self._slots.clear()
        ray.shutdown()
