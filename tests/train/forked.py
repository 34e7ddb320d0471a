"""Runs that are killed and resumed until they end, and one of two processes: python -m tests.train.forked FOLDER.

Every run is in a fork of this process, which has loaded the packages.
"""

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch._dynamo

import slimlm.model.pretrained
from slimlm.train import train
from tests.train.sources import chain_data, recipe, tiny

LOADED = (safetensors.torch, torch._dynamo, slimlm.model.pretrained)
SEEDS = range(3)


def fork(work: Callable[[], object]) -> int:
    """Do some work in a child process, and return the child's number."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return child


def killed_at(folder: Path, last_call: int) -> int:
    """Run or resume; die in a call that makes a file durable, by its number. Return the signal, 0 at the end.

    So runs die while they write a checkpoint, a record or the best weights, or between them. They have dropout: random
    number generators matter.
    """

    def work() -> None:
        calls = 0

        def fsync(_: int) -> None:
            nonlocal calls
            calls += 1
            if calls == last_call:
                os.kill(os.getpid(), signal.SIGKILL)

        os.fsync = fsync  # type: ignore[assignment]
        train(tiny(), recipe(), chain_data(heldout=100), folder, resume=True)

    status = os.waitpid(fork(work), 0)[1]
    assert status in (0, signal.SIGKILL), status
    return status


def two_processes(folder: Path) -> None:
    """Train in two processes with the environment in which torchrun starts them."""

    def work(rank: int) -> None:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
        train(tiny(), recipe(dropout=0.0), chain_data(), folder)

    children = [fork(lambda rank=rank: work(rank)) for rank in range(2)]  # type: ignore[misc]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]


def main(home: Path) -> None:
    assert killed_at(home / "whole", 0) == 0
    for seed in SEEDS:
        moments = random.Random(seed)
        while killed_at(home / str(seed), moments.randint(1, 40)):
            print(seed, flush=True)
    two_processes(home / "two")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
