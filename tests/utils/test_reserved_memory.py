"""Reserved memory: what the workers of a study and a probe will still take, as other processes see it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.model.device import free_memory
from slimlm.probing.probe import probe
from slimlm.utils import reserved_memory
from slimlm.utils.reserved_memory import (
    FOLDER,
    OWN,
    Reservation,
    reserved,
    reserved_bytes,
    resident_bytes,
    still_to_take,
)

GIGABYTE = 10**9

OTHER = """
import os, sys
from slimlm.utils.reserved_memory import Reservation
reservation = Reservation()
reservation.set({os.getppid(): 10**15})
print(reservation.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER, str(tmp_path / "reserved"))
    monkeypatch.delenv(OWN, raising=False)
    return tmp_path / "reserved"


def test_a_process_that_holds_part_of_its_memory_will_take_the_rest() -> None:
    held = resident_bytes(os.getpid())
    assert held == pytest.approx(psutil.Process().memory_info().rss, rel=0.05)
    assert still_to_take({os.getpid(): held + GIGABYTE}) == pytest.approx(GIGABYTE, rel=0.05)
    assert still_to_take({os.getpid(): held // 2}) == 0
    assert still_to_take({2**22 + 1: GIGABYTE}) == 0  # no process has such a number
    assert resident_bytes(2**22 + 1) == 0


def test_a_model_that_is_built_meanwhile_leaves_to_a_study_what_it_will_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserved_memory, "resident_bytes", lambda _: GIGABYTE)
    monkeypatch.setattr("slimlm.model.device._available_bytes", lambda: 8 * GIGABYTE)
    monkeypatch.setattr("slimlm.utils.reserved_memory._CGROUP", Path("/no such folder"))
    free, reservation = torch.device("cpu"), Reservation()
    assert free_memory(free) == 8 * GIGABYTE
    reservation.set({os.getpid(): 3 * GIGABYTE, os.getppid(): 2 * GIGABYTE})
    assert free_memory(free) == 5 * GIGABYTE
    reservation.set({os.getpid(): 3 * GIGABYTE})
    assert free_memory(free) == 6 * GIGABYTE
    reservation.set({os.getpid(): 30 * GIGABYTE})
    assert free_memory(free) == 0
    monkeypatch.setenv(OWN, str(reservation.path))  # its own workers
    assert free_memory(free) == 8 * GIGABYTE
    monkeypatch.delenv(OWN)
    reservation.close()
    reservation.close()
    assert free_memory(free) == 8 * GIGABYTE


def test_a_reservation_ends_with_its_process(folder: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert other.stdout is not None
    file = Path(other.stdout.readline().strip())
    assert file.parent == folder
    assert reserved_bytes() > 10**14
    other.kill()
    other.communicate()
    assert file.exists()
    assert reserved_bytes() == 0
    assert not file.exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"1": "x"}', "null"])
def test_other_files_reserve_nothing(text: str) -> None:
    reservation = Reservation()
    reservation.set({})
    Path(reservation.path).write_text(text)
    assert reserved_bytes() == 0
    reservation.close()


def test_a_folder_that_cannot_be_written_reserves_nothing(folder: Path) -> None:
    folder.write_text("a file")
    reservation = Reservation()
    reservation.set({os.getpid(): 10**15})
    assert reserved_bytes() == 0
    reservation.close()


def test_a_shorter_list_replaces_a_longer_one() -> None:
    reservation = Reservation()
    reservation.set({os.getpid(): 10**15, os.getppid(): 10**15})
    reservation.set({os.getpid(): 1})
    assert json.loads(reservation.path.read_bytes()) == {str(os.getpid()): 1}
    reservation.close()


def test_a_folder_that_is_a_link_or_of_someone_else_is_left_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    os.mkfifo(tmp_path / "elsewhere" / "1-a.json")  # a reader would wait for ever
    folder.symlink_to(tmp_path / "elsewhere")
    reservation = Reservation()
    reservation.set({os.getpid(): 10**15})
    assert reserved_bytes() == 0
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["1-a.json"]
    folder.unlink()
    folder.mkdir()
    os.mkfifo(folder / "1-a.json")
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    assert reserved_bytes() == 0


def test_a_process_reserves_what_it_is_about_to_take() -> None:
    with pytest.raises(KeyboardInterrupt), reserved(GIGABYTE):
        assert reserved_bytes() == pytest.approx(GIGABYTE, rel=0.05)
        raise KeyboardInterrupt
    assert reserved_bytes() == 0


def cancel(fraction: float, activity: str) -> None:
    raise KeyboardInterrupt


def test_a_probe_leaves_no_room_for_others_before_it_has_taken_its_memory(folder: Path) -> None:
    model = Architecture(vocab_size=50_000, max_seq_length=64, n_heads=2, d_model=64, d_ff=64, n_layers=1)
    seen: list[int] = []
    report = probe(model, device="cpu", progress=lambda fraction, activity: seen.append(reserved_bytes()))
    assert max(seen) > 4 * account(model).total_params / 2
    assert report.passed
    assert not list(folder.iterdir())
    with pytest.raises(KeyboardInterrupt):
        probe(model, device="cpu", progress=cancel)
    assert not list(folder.iterdir())
