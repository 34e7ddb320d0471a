"""Two processes under torchrun give the records of one, up to the order of additions."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from slimlm.model.pretrained import from_pretrained
from slimlm.train import train
from slimlm.train.processes import Processes, local_device
from tests.server import ROOT
from tests.train.sources import chain_data, recipe, tiny

SCRIPT = """
import os, sys
from pathlib import Path
import torch._dynamo, slimlm.model.pretrained  # loaded once: both processes are forks of this one
from slimlm.train import train
from tests.train.sources import chain_data, recipe, tiny

def run(rank):
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    train(tiny(), recipe(dropout=0.0), chain_data(), Path(sys.argv[1]))

child = os.fork()
if child == 0:
    run(1)
    os._exit(0)
run(0)
assert os.waitpid(child, 0)[1] == 0
"""
"""The environment is that in which torchrun starts its processes."""


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def test_two_processes_give_the_records_of_one(tmp_path: Path) -> None:
    folder = tmp_path / "two"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_PORT": free_port()}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    one = train(tiny(), recipe(dropout=0.0), chain_data())
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == len(one.metrics)
    for ours, theirs in zip(rows, one.metrics, strict=True):
        assert ours["step"] == theirs["step"]
        assert [ours["loss"], ours["gradient_norm"]] == pytest.approx(
            [theirs["loss"], theirs["gradient_norm"]], rel=1e-4
        )
    assert json.loads((folder / "run.json").read_text())["setting"]["processes"] == 2
    assert one.model is not None
    for mine, other in zip(from_pretrained(folder).parameters(), one.model.parameters(), strict=True):
        assert torch.allclose(mine, other, rtol=0, atol=1e-4)


def test_each_process_has_rows_of_its_own() -> None:
    rows = [Processes(rank, 3).rows(12) for rank in range(3)]
    assert [list(range(12))[part] for part in rows] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_under_torchrun_each_process_has_a_cuda_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_device(torch.device("cuda")) == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert local_device(torch.device("cuda")) == torch.device("cuda", 1)
    assert local_device(torch.device("cuda", 0)) == torch.device("cuda", 0)
    assert local_device(torch.device("cpu")) == torch.device("cpu")
