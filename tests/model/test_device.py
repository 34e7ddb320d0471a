"""Devices: choice, names, free memory and peak memory."""

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from slimlm.model.device import PeakMemory, device_name, free_memory, pick_device

CPU = torch.device("cpu")


def test_the_accelerator_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: None)
    assert pick_device() == pick_device("cpu") == CPU
    for name in ("mps", "cuda"):
        accelerator = torch.device(name)
        monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available, a=accelerator: a)
        assert pick_device() == pick_device(name) == accelerator
        assert pick_device("cpu") == CPU
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    assert [device_name(torch.device(name)) for name in ("cpu", "mps", "cuda")] == ["cpu", "mps", "cuda (NVIDIA H100)"]


@pytest.mark.parametrize("name", ["abacus", "meta", "", "cuda:99:1"])
def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: torch.device("cuda"))
    with pytest.raises(ValueError, match=rf"^device='{name}' is not on this machine; it has cpu and cuda$"):
        pick_device(name)


def test_free_memory_stays_within_the_limit_of_a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8_000))
    monkeypatch.setattr("slimlm.utils.reserved_memory._CGROUP", tmp_path)
    assert free_memory(CPU) == 8_000
    for limit, used, free in (
        ("5000", "1200", 3_800),
        ("max", "1200", 8_000),
        ("5000", "6000", 0),
        ("99999", "0", 8_000),
    ):
        (tmp_path / "memory.max").write_text(limit + "\n")
        (tmp_path / "memory.current").write_text(used + "\n")
        assert free_memory(CPU) == free


def test_the_peak_is_found_between_looks() -> None:
    with PeakMemory(CPU) as peak:
        held = bytearray(64 * 2**20)
        held[::4096] = bytes(len(held) // 4096)
        assert peak.added_bytes() > 50 * 2**20
        del held
