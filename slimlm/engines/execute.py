"""One run of a study in its folder: started, resumed or begun again, and left as records without weights."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimlm.data.token_data import TokenData
from slimlm.runs.lock import sole_writer
from slimlm.runs.record import (
    BEST,
    CHECKPOINTS,
    COMPARED,
    METRICS,
    RESULT,
    RUN,
    SPEED,
    change_of_run,
    finite,
    read_record,
    read_run,
)
from slimlm.study.outcome import outcome_of
from slimlm.study.spec import RunSpec
from slimlm.utils.files import check_own, remove
from slimlm.utils.progress import Progress

if TYPE_CHECKING:
    import torch

WEIGHTS = ("model.safetensors", "slimlm.json", CHECKPOINTS, BEST)
RECORDS = (RUN, METRICS, SPEED, RESULT)
_LONGEST_WAIT = 30.0
"""Seconds to wait for another process to leave a folder: the system may still be ending one that was killed."""


@dataclass(frozen=True)
class Place:
    """Which of the processes that torchrun started this is."""

    rank: int
    count: int

    @property
    def is_first(self) -> bool:
        """Whether this process alone changes the run's folder."""
        return self.rank == 0


def this_place() -> Place:
    """Return the place of this process; alone without torchrun."""
    return Place(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def execute(
    spec: RunSpec,
    tokens: TokenData,
    folder: Path,
    device: "torch.device | str | None" = None,
    *,
    keep_weights: bool = False,
    progress: Progress | None = None,
) -> None:
    """Train one run in its folder, from its latest checkpoint if there is one, and keep its records alone.

    A run that is over is left as it is. One that was begun on another device or with another version of the code, and
    one whose files are damaged, begins again: mixed runs could not be repeated.

    Raises ValueError as `train` does, and OSError when the folder cannot be written.
    """
    from slimlm.train import train

    place = this_place()
    check_own(folder.parent, folders=[folder.name])
    if not is_over(folder):
        if place.is_first:
            _wait_for_others(folder)
            _prepare(spec, tokens, folder, device, place)
        train(spec.architecture, spec.recipe, tokens, folder, resume=True, device=device, progress=progress)
    if place.is_first and not keep_weights:
        drop_weights(folder)


def is_over(folder: Path) -> bool:
    """Whether a folder holds the records of a run that is over, undamaged."""
    try:
        return outcome_of(folder.name, read_run(folder)) is not None
    except (OSError, ValueError):
        return False


def drop_weights(folder: Path) -> None:
    """Delete weights and checkpoints of a run; its records stay."""
    _delete(folder, WEIGHTS)


def _delete(folder: Path, names: tuple[str, ...]) -> None:
    """Delete files and folders of these names; of a link, the link alone."""
    for path in [folder / name for name in names] + list(folder.glob(".*.part")):
        remove(path)


def _wait_for_others(folder: Path) -> None:
    deadline = time.monotonic() + _LONGEST_WAIT
    while folder.is_dir() and time.monotonic() < deadline:
        with suppress(ValueError), sole_writer(folder):
            return
        time.sleep(0.1)


def _prepare(spec: RunSpec, tokens: TokenData, folder: Path, device: Any, place: Place) -> None:
    """Empty the folder of a run that cannot be resumed."""
    if folder.is_dir() and not _can_resume(spec, tokens, folder, device, place):
        _delete(folder, (*RECORDS, *WEIGHTS))


def _can_resume(spec: RunSpec, tokens: TokenData, folder: Path, device: Any, place: Place) -> bool:
    from slimlm.train.checkpoint import latest_checkpoint
    from slimlm.train.processes import Processes
    from slimlm.train.setting import run_spec, training_device

    if (folder / RESULT).exists():  # of a run that is over, but damaged
        return False
    try:
        earlier = read_record(folder / RUN)
        latest_checkpoint(folder)
    except ValueError:
        return False
    if earlier is None:
        return False
    processes = Processes(place.rank, place.count)
    wanted = finite(run_spec(spec.architecture, spec.recipe, tokens, training_device(device), processes))
    compared = [name for name in (*COMPARED, "versions") if name != "hooks"]
    return change_of_run(earlier, wanted, compared) is None
