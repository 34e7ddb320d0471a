"""LocalEngine: worker processes on this machine, one for each core, or several for each GPU."""

import os
import queue
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from slimlm.engines.devices import Devices
from slimlm.engines.engine import TRIES, Engine, Finished
from slimlm.engines.memory import has_room, worker_bytes
from slimlm.engines.process import LONGEST_END, WorkerProcess
from slimlm.study.spec import RunSpec
from slimlm.utils.reserved_memory import OWN, Reservation
from slimlm.utils.validation import check_whole

SHARING = 3
"""Workers that share a GPU: one alone would leave it idle between its kernels."""

SILENCE_S = 900.0
"""Seconds without a sign of life after which a worker counts as hung; compilation gives none."""


class LocalEngine(Engine):
    """Trains each run in a worker process, which stays for the next run. Workers that die or hang are replaced.

    On the CPU each worker has one thread: runs of small models side by side are several times as fast as one after
    another with more threads.
    """

    stays: ClassVar[bool] = True
    """Whether a worker trains one run after another."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int | None = None,
        device: str | None = None,
        keep_weights: bool = False,
        nice: int = 0,
        silence_s: float = SILENCE_S,
    ) -> None:
        """Prepare for the study in a folder; `workers` is one for each core, or `SHARING` for each GPU.

        Raises ValueError for fewer than one worker, and for a device that this machine does not have.
        """
        self.folder, self.keep_weights = folder, keep_weights
        self._device, per_device, devices = _devices(device)
        self._devices = Devices(devices or [self._device])
        self.slots = per_device * max(1, len(devices)) if workers is None else workers
        check_whole(workers=self.slots)
        self._nice, self._silence_s = nice, silence_s
        self._answers: queue.Queue[tuple[WorkerProcess, dict[str, Any] | None]] = queue.Queue()
        self._workers: list[WorkerProcess] = []
        self._tries: dict[str, int] = {}
        self._reservation = Reservation()

    def has_room(self, spec: RunSpec) -> bool:
        """Whether there is memory for a run beside those under way on the CPU; the first always has."""
        idle = self._idle_worker()
        wanted = self._wanted_bytes()
        return not wanted or self._device != "cpu" or has_room(spec, wanted, idle.pid if idle else None)

    def _wanted_bytes(self) -> dict[int, int]:
        """Return what the workers that train may come to hold, by number."""
        return {worker.pid: worker_bytes(worker.run) for worker in self._workers if worker.run}

    def start(self, spec: RunSpec) -> None:
        """Give a run to an idle worker, or to a new one."""
        assert len([worker for worker in self._workers if worker.run]) < self.slots
        self._tries[spec.key] = 1
        self._begin(spec)

    def _begin(self, spec: RunSpec) -> None:
        worker = self._idle_worker() or self._new_worker(spec)
        worker.run, worker.done, worker.seen = spec, 0.0, time.monotonic()
        if self.stays:
            worker.send(spec)
        if self._device == "cpu":
            self._reservation.set(self._wanted_bytes())

    def _idle_worker(self) -> WorkerProcess | None:
        lost = self._devices.lost
        idle = (worker for worker in self._workers if self.stays and worker.run is None and worker.device not in lost)
        return next(idle, None)

    def _new_worker(self, spec: RunSpec) -> WorkerProcess:
        device = self._devices.choose(spec.key, [worker.device for worker in self._workers])
        worker = WorkerProcess(self._command(spec, device), self._environment(), self._answers, device)
        self._workers.append(worker)
        return worker

    def _command(self, spec: RunSpec, device: str) -> list[str]:
        return [sys.executable, *self._worker_arguments(device)]

    def _worker_arguments(self, device: str) -> list[str]:
        more = ["--keep-weights"] if self.keep_weights else []
        return ["-m", "slimlm.engines.worker", str(self.folder), "--device", device, "--nice", str(self._nice), *more]

    def _environment(self) -> Mapping[str, str]:
        threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"} if self._device == "cpu" else {}
        return {OWN: str(self._reservation.path), **threads}

    def wait(self, timeout: float) -> Finished | None:
        """Return the next run that is over; None when none is after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            self._end_silent()
            try:
                worker, answer = self._answers.get(timeout=max(0.0, min(1.0, deadline - time.monotonic())))
            except queue.Empty:
                if time.monotonic() >= deadline:
                    return None
                continue
            if found := self._heard(worker, answer):
                return found

    def _heard(self, worker: WorkerProcess, answer: dict[str, Any] | None) -> Finished | None:
        """Take an answer of a worker: None when it has ended."""
        if worker not in self._workers:  # a hung one that was replaced
            return None
        if answer is None:
            return self._lost(worker)
        worker.seen = time.monotonic()
        if worker.run is None or answer.get("key") != worker.run.key:
            return None
        if "done" in answer:
            worker.done = float(answer["done"])
            return None
        spec, worker.run = worker.run, None
        if answer["error"] is not None and answer["again"]:
            self._remove(worker)  # after an error of its device every further run in this process would fail
            return self._again(spec, worker, answer["error"])
        self._devices.succeeded(worker.device)
        if self._device == "cpu":
            self._reservation.set(self._wanted_bytes())
        return Finished(spec.key, answer["error"])

    def _remove(self, worker: WorkerProcess) -> None:
        self._workers.remove(worker)
        worker.kill()

    def _lost(self, worker: WorkerProcess) -> Finished | None:
        self._workers.remove(worker)
        worker.end()
        if worker.run is None:
            return None
        if worker.lacked_memory:
            self.slots = max(1, self.slots - 1)
        return self._again(worker.run, worker, *worker.how_it_ended())

    def _again(self, spec: RunSpec, worker: WorkerProcess, why: str, advice: str = "") -> Finished | None:
        """Begin a run again, on another device if there is one, unless it has been begun too often."""
        if self._devices.failed(worker.device, spec.key):
            left = len(self._devices.names) - len(self._devices.lost)
            self.slots = max(1, self.slots * left // (left + 1))
        if self._tries[spec.key] >= TRIES:
            return Finished(spec.key, f"{why}, {TRIES} times{advice}")
        self._tries[spec.key] += 1
        self._begin(spec)
        return None

    def _end_silent(self) -> None:
        """Kill workers that hang, which makes their runs begin again."""
        for worker in [worker for worker in self._workers if worker.is_silent(self._silence_s)]:
            worker.silent_s = self._silence_s
            worker.kill()
            self._answers.put((worker, None))  # it may not end, and then never says so

    def fractions(self) -> Mapping[str, float]:
        """Return the share that is done of each run under way, by key."""
        return {worker.run.key: worker.done for worker in self._workers if worker.run}

    @property
    def pids(self) -> Sequence[int]:
        """Numbers of the worker processes."""
        return [worker.pid for worker in self._workers]

    def close(self) -> None:
        """Stop all workers at once; a second call does nothing."""
        for worker in self._workers:
            worker.ask_to_end()
        deadline = time.monotonic() + LONGEST_END  # of all workers together
        for worker in self._workers:
            worker.end(deadline)
        self._workers.clear()
        self._reservation.close()


def _devices(device: str | None) -> tuple[str, int, list[str]]:
    """Return the device, the workers that share one of its kind, and the names of several of a kind."""
    if device == "cpu":
        return "cpu", cores(), []
    from slimlm.train.setting import training_device

    found = training_device(device)
    if found.type == "cuda" and found.index is None:
        import torch

        return "cuda", SHARING, [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return str(found), cores() if found.type == "cpu" else SHARING if found.type == "cuda" else 1, []


def cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
