"""Resumed runs: interrupted ones end the same, damaged checkpoints are passed over, finished ones are returned."""

import shutil
from pathlib import Path

import pytest
import torch

from slimlm.model.pretrained import from_pretrained
from slimlm.runs.record import read_run
from slimlm.train import train
from slimlm.train.checkpoint import checkpoint_folders, latest_checkpoint
from tests.train.sources import chain_data, contents, recipe, tiny


class InterruptedRunError(Exception):
    pass


def interrupt(fraction: float, _: str) -> None:
    if fraction > 0.65:
        raise InterruptedRunError


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interrupted")
    with pytest.raises(InterruptedRunError):
        train(tiny(), recipe(keep=3), chain_data(heldout=100), folder, progress=interrupt)
    return folder


@pytest.fixture
def cut(interrupted: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder of a run that was interrupted after 13 of 20 steps."""
    return shutil.copytree(interrupted, tmp_path / "cut")


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
def test_a_truncated_checkpoint_falls_back_to_the_one_before(cut: Path, name: str) -> None:
    last, before, *_ = checkpoint_folders(cut)
    file = last / name
    file.write_bytes(file.read_bytes()[:-7])
    found = latest_checkpoint(cut)
    assert found is not None
    assert f"step-{found.step:08d}" == before.name


def test_a_changed_byte_or_a_missing_file_is_found_too(cut: Path) -> None:
    last, before, first = checkpoint_folders(cut)
    weights = bytearray((last / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (last / "model.safetensors").write_bytes(weights)
    (before / "optimizer.safetensors").unlink()
    found = latest_checkpoint(cut)
    assert found is not None
    assert f"step-{found.step:08d}" == first.name
    (first / "state.json").unlink()
    assert latest_checkpoint(cut) is None


def test_a_run_without_any_whole_checkpoint_starts_again_and_ends_the_same(cut: Path, tmp_path: Path) -> None:
    for folder in checkpoint_folders(cut):
        (folder / "state.json").write_text("{")
    train(tiny(), recipe(keep=3), chain_data(heldout=100), cut, resume=True)
    train(tiny(), recipe(keep=3), chain_data(heldout=100), tmp_path / "whole")
    assert contents(cut) == contents(tmp_path / "whole")


def test_a_run_that_is_over_is_returned_and_its_weights_load(tmp_path: Path) -> None:
    first = train(tiny(), recipe(tokens=512), chain_data(heldout=100), tmp_path)
    again = train(tiny(), recipe(tokens=512), chain_data(heldout=100), tmp_path, resume=True)
    assert (again.status, again.metrics, again.evaluation) == (first.status, first.metrics, first.evaluation)
    assert first.model is not None
    assert again.model is not None
    loaded = from_pretrained(tmp_path)
    for name, weight in first.model.named_parameters():
        assert torch.equal(weight, dict(loaded.named_parameters())[name])
        assert torch.equal(weight, dict(again.model.named_parameters())[name])
    record = read_run(tmp_path)
    assert record.result is not None
    assert record.result["status"] == "finished"
    assert record.metrics == first.metrics


def test_resuming_where_there_is_nothing_starts_the_run(tmp_path: Path) -> None:
    found = train(tiny(), recipe(tokens=256), chain_data(heldout=0), tmp_path / "new", resume=True)
    assert [row["step"] for row in found.metrics] == [1, 2]


def test_the_last_checkpoints_are_kept(tmp_path: Path) -> None:
    train(tiny(), recipe(keep=3), chain_data(heldout=0), tmp_path)
    assert [folder.name for folder in checkpoint_folders(tmp_path)] == [f"step-{n:08d}" for n in (20, 18, 16)]
