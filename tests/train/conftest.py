"""One thread for tiny models, and runs in processes that are killed or train together."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from tests.server import ROOT


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """More threads would wait for each other, and results depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class ForkedRuns(NamedTuple):
    """Runs in processes of their own, each in a folder: "whole", "0", "1" and "2", "two"."""

    folder: Path
    deaths: list[str]
    """The folder of a run, once for each time that it was killed."""


@pytest.fixture(scope="module")
def forked_runs(tmp_path_factory: pytest.TempPathFactory) -> ForkedRuns:
    """Run `tests.train.forked`, in which packages are loaded once for all processes."""
    folder = tmp_path_factory.mktemp("forked")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    done = subprocess.run(
        [sys.executable, "-m", "tests.train.forked", str(folder)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MASTER_PORT": port},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return ForkedRuns(folder, done.stdout.split())
