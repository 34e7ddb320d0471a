"""Resumed runs: interrupted ones end the same, damaged checkpoints are passed over, finished ones are returned."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from slimlm.model.pretrained import from_pretrained
from slimlm.runs.plan import plan_run
from slimlm.runs.record import read_run
from slimlm.train import train
from slimlm.train.checkpoint import Checkpoint, _record_digest, checkpoint_folders, latest_checkpoint, write_checkpoint
from slimlm.train.run_files import written_bytes
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


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    train(tiny(), recipe(keep=3), chain_data(heldout=100), folder)
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


def test_a_run_without_any_whole_checkpoint_starts_again_and_ends_the_same(cut: Path, whole: Path) -> None:
    for folder in checkpoint_folders(cut):
        (folder / "state.json").write_text("{")
    train(tiny(), recipe(keep=3), chain_data(heldout=100), cut, resume=True)
    assert contents(cut) == contents(whole)


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


def test_no_changed_character_of_a_state_is_taken_for_the_truth(cut: Path) -> None:
    last, before, *_ = checkpoint_folders(cut)
    text = (last / "state.json").read_text()
    for place in [n for n, character in enumerate(text) if character.isdigit()][::8]:
        (last / "state.json").write_text(f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}")
        found = latest_checkpoint(cut)
        assert found is not None
        assert f"step-{found.step:08d}" == before.name


@pytest.mark.parametrize(
    "changes",
    [
        {"checks": True},
        {"checks": [{"name": "causality", "passed": True, "\ud800": ""}]},
        {"checks": [{"name": {}, "passed": True, "detail": ""}]},
        {"checks": [{"name": "causality", "passed": "yes", "detail": ""}]},
        {"best": "none"},
        {"metrics_bytes": "all"},
        {"metrics_bytes": -1},
    ],
)
def test_a_state_that_no_run_writes_is_passed_over_even_if_its_digest_fits(cut: Path, changes: dict[str, Any]) -> None:
    last, before, *_ = checkpoint_folders(cut)
    state = json.loads((last / "state.json").read_text())
    digests = state.pop("sha256")
    state |= changes
    digests["state.json"] = _record_digest(state)
    (last / "state.json").write_text(json.dumps({**state, "sha256": digests}))
    found = latest_checkpoint(cut)
    assert found is not None
    assert f"step-{found.step:08d}" == before.name


@pytest.mark.parametrize(
    "damage",
    [lambda rows: rows[:-60], lambda rows: rows[:-60] + bytes([rows[-60] ^ 1]) + rows[-59:]],
    ids=["cut", "changed"],
)
def test_a_checkpoint_without_its_metrics_falls_back_to_one_with_them(
    cut: Path, whole: Path, damage: Callable[[bytes], bytes]
) -> None:
    metrics = cut / "metrics.jsonl"
    last = latest_checkpoint(cut)
    assert last is not None
    metrics.write_bytes(damage(metrics.read_bytes()[: last.state["metrics_bytes"]]))
    found = latest_checkpoint(cut)
    assert found is not None
    assert found.step < last.step
    train(tiny(), recipe(keep=3), chain_data(heldout=100), cut, resume=True)
    assert contents(cut) == contents(whole)


def test_whole_checkpoints_without_metrics_are_not_thrown_away(cut: Path) -> None:
    (cut / "metrics.jsonl").unlink()
    before = checkpoint_folders(cut)
    with pytest.raises(
        ValueError, match=r"metrics\.jsonl is damaged: .*; a copy of it, or another folder, would work$"
    ):
        train(tiny(), recipe(keep=3), chain_data(heldout=100), cut, resume=True)
    assert checkpoint_folders(cut) == before


def test_a_damaged_later_checkpoint_does_not_push_out_the_new_one(tmp_path: Path) -> None:
    for name in ("step-00000100", "step-notes"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    for step in (2, 4):
        write_checkpoint(tmp_path, Checkpoint(step, {}, {}, {}, {}), keep=1)
    assert [path.name for path in checkpoint_folders(tmp_path)] == ["step-00000100", "step-00000004"]
    assert (tmp_path / "checkpoints" / "step-notes").is_dir()


@pytest.mark.parametrize("record", ["{}", '{"status": "finished"}', '{"status": "diverged", "checks": [{"x": 1}]}'])
def test_a_damaged_result_is_refused(cut: Path, record: str) -> None:
    (cut / "result.json").write_text(record)
    with pytest.raises(
        ValueError, match=r"result\.json is damaged: .*; resuming the run after deleting that file would"
    ):
        train(tiny(), recipe(keep=3), chain_data(heldout=100), cut, resume=True)


def test_the_checkpoints_of_a_run_count_as_its_own_space(
    cut: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = written_bytes(cut)
    assert held > 3 * sum(file.stat().st_size for file in checkpoint_folders(cut)[0].iterdir())
    plan = plan_run(tiny(), recipe(keep=3), train_tokens=4096)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=plan.disk_bytes - held))
    with pytest.raises(ValueError, match=r"^the run needs .* on disk, but .* are free; another folder or a lower keep"):
        train(tiny(), recipe(keep=3), chain_data(heldout=100), tmp_path / "new")
    train(tiny(), recipe(keep=3), chain_data(heldout=100), cut, resume=True)
    assert contents(cut) == contents(whole)


def test_what_a_killed_process_has_left_half_written_is_deleted(cut: Path) -> None:
    left = [cut / ".model.safetensors.123.part", cut / "best" / ".slimlm.json.123.part"]
    for file in left:
        file.write_text("{")
    train(tiny(), recipe(keep=3), chain_data(heldout=100), cut, resume=True)
    assert not any(file.exists() for file in left)
