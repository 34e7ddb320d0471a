"""Rows and devices of processes that train together."""

import pytest
import torch

from slimlm.train.processes import Processes, local_device


def test_each_process_has_rows_of_its_own() -> None:
    rows = [Processes(rank, 3).rows(12) for rank in range(3)]
    assert [list(range(12))[part] for part in rows] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_under_torchrun_each_process_has_a_cuda_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_device(torch.device("cuda")) == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert local_device(torch.device("cuda")) == torch.device("cuda", 1)
    assert local_device(torch.device("cuda", 0)) == torch.device("cuda", 0)
    assert local_device(torch.device("cpu")) == torch.device("cpu")
