"""Where and how a run computes: device, random number generators, determinism, and the record of all this."""

import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch

from slimlm.core.architecture import Architecture, recorded
from slimlm.core.design import Design
from slimlm.data.token_data import TokenData
from slimlm.runs.recipe import TrainRecipe
from slimlm.runs.record import FORMAT
from slimlm.train.processes import Processes, local_device
from slimlm.train.step import resolve_precision

DETERMINING = ("core", "data", "evaluation", "model", "runs", "train")
"""Packages of slimlm that a run's figures depend on."""


def training_device(device: torch.device | str | None) -> torch.device:
    """Return the device to train on: the accelerator if there is one, and under torchrun one for each process.

    Raises ValueError for a device that this machine does not have.
    """
    if not isinstance(device, torch.device):
        from slimlm.model.device import pick_device

        device = pick_device(device)
    return local_device(device)


def free_bytes(device: torch.device) -> int:
    """Return the bytes of memory that are free on a device."""
    from slimlm.model.device import free_memory

    return free_memory(device)


def run_spec(
    design: Design | Architecture, recipe: TrainRecipe, data: TokenData, device: torch.device, processes: Processes
) -> dict[str, Any]:
    """Return the content of run.json: what determines the run, and the versions of the software."""
    architecture = design.architecture if isinstance(design, Design) else design
    return {
        "format": FORMAT,
        "architecture": recorded(architecture.concrete()),
        "request": recorded(asdict(design.config)) if isinstance(design, Design) else None,
        "recipe": asdict(recipe),
        "data": {
            "name": data.name,
            "digest": data.digest,
            "vocab_size": data.vocab_size,
            "train_tokens": len(data.train),
            "unit": data.unit,
            "entropy": data.entropy,
        },
        "setting": {
            "device": _device_name(device),
            "precision": resolve_precision(recipe, device),
            "processes": processes.count,
        },
        "recipe_digest": recipe.digest,
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "slimlm": code_digest()},
    }


@cache
def code_digest() -> str:
    """Return the start of the sha256 of the source files that a run's figures depend on, 12 hex digits."""
    root, found = Path(__file__).parent.parent, hashlib.sha256()
    for package in DETERMINING:
        for file in sorted((root / package).rglob("*.py")):
            found.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()[:12]


def _device_name(device: torch.device) -> str:
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


@contextmanager
def own_generators(device: torch.device, seed: int) -> Iterator[None]:
    """Seed torch's global random number generators for the work inside, and restore them after it."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


@contextmanager
def determinism(wanted: bool) -> Iterator[None]:
    """Use deterministic kernels alone in the work inside, if wanted."""
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS demands it, before its first use
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
