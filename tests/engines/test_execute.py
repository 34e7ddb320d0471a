"""One run in its folder, and the worker around it: resumed, begun again, refused in a sentence."""

import errno
import io
import json
import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from slimlm.engines.data import open_tokens
from slimlm.engines.execute import execute, is_over
from slimlm.engines.worker import Worker, sentence_of
from slimlm.runs.record import read_run
from slimlm.study.schedule import Schedule
from slimlm.study.spec import RunSpec
from slimlm.study.study import RUNS, open_study
from slimlm.train.checkpoint import Checkpoint, checkpoint_folders, write_checkpoint
from slimlm.train.setting import code_digest
from slimlm.train.step import TrainStep
from tests.engines.small_study import RECORDS, VOCABULARY


@pytest.fixture
def spec(new: Path) -> RunSpec:
    return Schedule(open_study(new), {}).wanted[-1]


class CutError(Exception):
    pass


@pytest.fixture
def cut(new: Path, spec: RunSpec) -> Path:
    """Return the folder of a run that was interrupted after half of its steps."""

    def stop(folder: Path, checkpoint: Checkpoint, keep: int) -> None:
        write_checkpoint(folder, checkpoint, keep)
        if checkpoint.step == spec.recipe.steps // 2:
            raise CutError

    folder = new / RUNS / spec.key
    with pytest.MonkeyPatch.context() as patch, pytest.raises(CutError):
        patch.setattr("slimlm.train.run_files.write_checkpoint", stop)
        execute(spec, open_tokens(new, open_study(new), VOCABULARY), folder, "cpu")
    assert not is_over(folder)
    assert checkpoint_folders(folder)
    return folder


def damage_metrics(folder: Path) -> None:
    (folder / "metrics.jsonl").write_text("")


def damage_result(folder: Path) -> None:
    (folder / "result.json").write_text('{"status": "finished"}')


def lose_run(folder: Path) -> None:
    (folder / "run.json").unlink()


def cut_run(folder: Path) -> None:
    (folder / "run.json").write_text("{")


def cut_checkpoints(folder: Path) -> None:
    for checkpoint in checkpoint_folders(folder):
        (checkpoint / "state.json").write_text("{")


def change(folder: Path, part: str, name: str, value: str) -> None:
    run = json.loads((folder / "run.json").read_text())
    run[part][name] = value
    (folder / "run.json").write_text(json.dumps(run))


def other_device(folder: Path) -> None:
    change(folder, "setting", "device", "cuda (Abacus)")


def other_code(folder: Path) -> None:
    change(folder, "versions", "slimlm", "0" * 12)


DAMAGES = [damage_metrics, damage_result, lose_run, cut_run, cut_checkpoints, other_device, other_code]


def undamaged(_: Path) -> None:
    pass


@pytest.mark.parametrize("damage", [undamaged, *DAMAGES], ids=lambda damage: damage.__name__)
def test_a_run_that_was_cut_ends_as_if_it_had_not_been(
    damage: Any, cut: Path, spec: RunSpec, finished: Path, new: Path
) -> None:
    begun = read_run(cut).speed[0]
    damage(cut)
    execute(spec, open_tokens(new, open_study(new), VOCABULARY), cut, "cpu")
    whole = finished / RUNS / spec.key
    assert {name: (cut / name).read_bytes() for name in RECORDS} == {
        name: (whole / name).read_bytes() for name in RECORDS
    }
    assert not (cut / "checkpoints").exists()
    found = read_run(cut)
    assert (found.run["setting"]["device"], found.run["versions"]["slimlm"]) == ("cpu", code_digest())
    begins_again = damage not in (undamaged, cut_checkpoints)
    assert (found.speed[0] != begun) == begins_again


def test_a_run_that_is_over_is_left_as_it_is_and_needs_no_weights(finished: Path, spec: RunSpec, new: Path) -> None:
    folder = shutil.copytree(finished / RUNS / spec.key, new / RUNS / spec.key)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    execute(spec, open_tokens(new, open_study(new), VOCABULARY), folder, "cpu")
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_weights_are_kept_on_request(new: Path, spec: RunSpec) -> None:
    folder = new / RUNS / spec.key
    execute(spec, open_tokens(new, open_study(new), VOCABULARY), folder, "cpu", keep_weights=True)
    assert (folder / "model.safetensors").exists()
    assert checkpoint_folders(folder)


def test_of_a_link_the_link_alone_is_deleted(cut: Path, spec: RunSpec, new: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    shutil.rmtree(cut / "checkpoints")
    (cut / "checkpoints").symlink_to(tmp_path / "mine")
    (cut / "run.json").unlink()
    execute(spec, open_tokens(new, open_study(new), VOCABULARY), cut, "cpu")
    assert (tmp_path / "mine" / "thesis.txt").exists()


def answer(folder: Path, spec: RunSpec) -> dict[str, Any]:
    """Return the last answer of a worker to a run."""
    out = io.BytesIO()
    Worker(folder, "cpu", False, out).run(json.loads(json.dumps(spec.to_record())))
    found: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return found


def test_a_worker_answers_with_the_run_it_has_trained(new: Path, spec: RunSpec) -> None:
    assert answer(new, spec) == {"key": spec.key, "error": None, "again": False}
    assert is_over(new / RUNS / spec.key)


def test_a_worker_refuses_changed_data_in_a_sentence_and_for_good(new: Path, spec: RunSpec) -> None:
    settings = '{"seed": 1, "train_tokens": 4096, "heldout_tokens": 300}'
    (new / "data" / str(VOCABULARY) / "generator.json").write_text(settings)
    found = answer(new, spec)
    assert not found["again"]
    with pytest.raises(ValueError, match=r"^the data of vocab_size=64 changed: "):
        raise ValueError(found["error"])


def test_a_folder_that_cannot_be_made_is_a_sentence(new: Path, spec: RunSpec) -> None:
    (new / RUNS).write_text("no folder")
    with pytest.raises(ValueError, match=r" cannot be created: .*; another would work$"):
        raise ValueError(answer(new, spec)["error"])


def test_a_full_disk_is_a_sentence_and_may_be_tried_again(
    new: Path, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("slimlm.train.run_files.write_checkpoint", full)
    found = answer(new, spec)
    assert found["again"]
    sentence = (
        r"^folder='.*' cannot be written: No space left on device; the run needs 876 kB there in all, and .* are free: "
        "with more space, resuming it would work$"
    )
    with pytest.raises(ValueError, match=sentence):
        raise ValueError(found["error"])


def test_an_error_of_the_system_names_the_folder() -> None:
    found = sentence_of(OSError(errno.ENOSPC, "No space left on device"))
    assert found == (
        "its folder cannot be written (No space left on device): more space, or another folder, would work"
    )


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (
            torch.AcceleratorError("CUDA error: unspecified launch failure\nKernel errors might be reported later"),
            "its GPU failed (CUDA error: unspecified launch failure): another one, or resuming once it works again, "
            "would work",
        ),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
            "its GPU has too little memory (CUDA out of memory. Tried to allocate 2 GiB.): fewer workers or a lower "
            "micro_batch would work",
        ),
        (
            MemoryError("9 GB"),
            "its machine has too little memory (9 GB): fewer workers or a lower micro_batch would work",
        ),
    ],
)
def test_a_lost_gpu_and_lack_of_memory_are_sentences_and_may_be_tried_again(
    problem: Exception, sentence: str, new: Path, spec: RunSpec, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run then goes on elsewhere from its checkpoint, and ends the same."""
    step, steps = TrainStep.__call__, count()

    def lost(self: TrainStep, *arguments: Any) -> Any:
        if next(steps) == 8:
            raise problem
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(TrainStep, "__call__", lost)
        assert answer(new, spec) == {"key": spec.key, "error": sentence, "again": True}
    assert checkpoint_folders(new / RUNS / spec.key)
    assert answer(new, spec)["error"] is None
    assert {name: (new / RUNS / spec.key / name).read_bytes() for name in RECORDS} == {
        name: (finished / RUNS / spec.key / name).read_bytes() for name in RECORDS
    }


def test_other_errors_are_named_by_their_class() -> None:
    assert sentence_of(RuntimeError("out of\n memory")) == "RuntimeError: out of memory"


def test_the_digest_of_the_code_is_in_the_record(finished: Path) -> None:
    versions = {read_run(folder).run["versions"]["slimlm"] for folder in (finished / RUNS).iterdir()}
    assert versions == {code_digest()}
    assert len(code_digest()) == 12
