"""Checkpoints: states that a run can be resumed from exactly, written whole or not at all.

A checkpoint is a folder with weights and optimizer states as safetensors and the rest as JSON, which holds the sha256
of the other files, of itself, and of the metrics by then. Nothing is ever unpickled. A damaged checkpoint, or one whose
metrics are no longer there, is passed over for the one before it.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from slimlm.model.weights_file import check_weights_file
from slimlm.runs.record import CHECKPOINTS, METRICS, finite, read_record, sync_folder, write_record
from slimlm.train.checks import Check
from slimlm.utils.files import remove

FORMAT = "slimlm-checkpoint-1"
STATE, MODEL, OPTIMIZER = "state.json", "model.safetensors", "optimizer.safetensors"
_GENERATORS = "generator/"
_STEP = re.compile(r"step-[0-9]{1,12}")


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after a number of steps."""

    step: int
    state: Mapping[str, Any]
    """Step, bytes of the metrics by then, the best evaluation, and what else the loop keeps."""
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    generators: Mapping[str, Tensor]
    """States of random number generators by name."""


def write_checkpoint(folder: Path, checkpoint: Checkpoint, keep: int) -> None:
    """Write a checkpoint of a run into the run's folder, then delete all but the latest `keep` by now.

    Later ones, which were passed over when the run was resumed, stay until they are written again.

    Raises OSError or SafetensorError when it cannot be written; earlier checkpoints then stay.
    """
    home = folder / CHECKPOINTS
    final = home / f"step-{checkpoint.step:08d}"
    part = home / f".{final.name}.part"
    drop_half_written(folder)
    remove(part)
    part.mkdir(parents=True)
    try:
        _write(part, checkpoint)
        remove(final)  # one that was found damaged
        part.rename(final)
    except Exception:
        shutil.rmtree(part, ignore_errors=True)  # a full disk needs the space
        raise
    sync_folder(home)
    for old in [path for path in checkpoint_folders(folder) if _step(path) <= checkpoint.step][keep:]:
        shutil.rmtree(old, ignore_errors=True)


def drop_half_written(folder: Path) -> None:
    """Delete checkpoints that a killed process has left half written."""
    for part in (folder / CHECKPOINTS).glob(".step-*.part"):
        shutil.rmtree(part, ignore_errors=True)


def _write(part: Path, checkpoint: Checkpoint) -> None:
    """Write the files of a checkpoint into a folder."""
    from safetensors.torch import save_file

    generators = {_GENERATORS + name: state for name, state in checkpoint.generators.items()}
    for name, tensors in ((MODEL, checkpoint.weights), (OPTIMIZER, {**checkpoint.optimizer, **generators})):
        # Contiguous copies on the CPU; an update of the weights may begin before they are written.
        save_file({key: _on_cpu(tensor) for key, tensor in tensors.items()}, part / name)
        _sync(part / name)
    state = {"format": FORMAT, "step": checkpoint.step, **checkpoint.state}
    digests = {name: file_digest(part / name) for name in (MODEL, OPTIMIZER)} | {STATE: _record_digest(state)}
    write_record(part / STATE, {**state, "sha256": digests})


def _on_cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu").contiguous()


def _sync(file: Path) -> None:
    with file.open("rb") as written:
        os.fsync(written.fileno())


def checkpoint_folders(folder: Path) -> list[Path]:
    """Return the folders of a run's complete checkpoints, the latest first."""
    found = [
        path for path in (folder / CHECKPOINTS).glob("step-*") if _STEP.fullmatch(path.name) and not path.is_symlink()
    ]
    return sorted(found, key=_step, reverse=True)


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def file_digest(file: Path) -> str:
    """Return the sha256 of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def start_digest(file: Path, size: int) -> str | None:
    """Return the sha256 of the first bytes of a file; None when it has fewer, or is no file."""
    if not file.is_file():
        return None
    with file.open("rb") as content:
        start = content.read(size)
    return hashlib.sha256(start).hexdigest() if len(start) == size else None


def _record_digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(finite(record), sort_keys=True).encode()).hexdigest()


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the latest checkpoint of a run that is undamaged, its metrics included; None when there is none.

    Raises ValueError when there are whole checkpoints but the metrics of none: to start again would lose them.
    """
    metrics, has_lost = folder / METRICS, False
    for path in checkpoint_folders(folder):
        if (found := _read(path)) is None:
            continue
        if start_digest(metrics, found.state["metrics_bytes"]) == found.state["metrics_sha256"]:
            return found
        has_lost = True
    if has_lost:
        raise ValueError(
            f"{metrics} is damaged: the rows before every checkpoint are missing or changed; a copy of it, or another "
            "folder, would work"
        )
    return None


def _read(path: Path) -> Checkpoint | None:
    """Return a checkpoint; None for one that is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = read_record(path / STATE)
        if state is None or state.get("format") != FORMAT:
            return None
        digests = state.pop("sha256")
        if _record_digest(state) != digests[STATE]:
            return None
        for name in (MODEL, OPTIMIZER):
            check_weights_file(path / name, name)
            if file_digest(path / name) != digests[name]:
                return None
        weights, others = load_file(path / MODEL), load_file(path / OPTIMIZER)
        step = int(state["step"])
        _check_state(state)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None
    generators = {
        name.removeprefix(_GENERATORS): others.pop(name) for name in list(others) if name.startswith(_GENERATORS)
    }
    return Checkpoint(step, state, weights, others, generators)


def _check_state(state: Mapping[str, Any]) -> None:
    """Raise TypeError or KeyError for a state that no run has written."""
    for check in state["checks"]:
        Check.from_record(check)
    if type(state["best"]) not in (int, float, type(None)):
        raise TypeError("the best evaluation is no figure")
    if type(state["metrics_bytes"]) is not int or state["metrics_bytes"] < 0:
        raise TypeError("the size of the metrics is none")


@torch.no_grad()
def load_weights(parameters: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    """Copy saved weights into a model's own memory, whose alignment results may depend on.

    Raises ValueError for the weights of another model.
    """
    if parameters.keys() != saved.keys():
        raise ValueError("the checkpoint has the weights of another model; another folder would work")
    for name, parameter in parameters.items():
        parameter.copy_(saved[name])
