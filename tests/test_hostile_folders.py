"""Folders that others have filled: nothing outside is written or deleted, and nothing waits."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from slimlm.core.architecture import Architecture
from slimlm.data.synthetic import known_entropy
from slimlm.engines.engine import Engine
from slimlm.engines.run_study import _Driver
from slimlm.engines.state import ask_to_cancel
from slimlm.runs.lock import sole_writer
from slimlm.runs.recipe import TrainRecipe
from slimlm.runs.record import SPEED, read_run, read_speed, write_record
from slimlm.study.outcome import Outcome
from slimlm.study.study import PACKED, RUNS, Study, read_outcomes
from slimlm.train import train
from slimlm.ui.rank_library import is_name, stamp_of
from slimlm.utils.files import check_own, remove, replacing
from tests.fuzz.mutation import lengthened
from tests.studies import fake_outcomes, fake_study, write_fake

TINY = Architecture(d_model=16, d_ff=24, n_layers=1, n_heads=2, vocab_size=64, max_seq_length=16, dropout=0.0)
RECIPE = TrainRecipe(tokens=512, batch_tokens=256, log_every=1, checkpoint_every=256, evaluate_every=512)


def run(folder: Path, *, resume: bool = True) -> Any:
    tokens = known_entropy(64, train_tokens=5000, heldout_tokens=500)
    return train(TINY, RECIPE, tokens, folder, resume=resume, device="cpu")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    run(folder)
    return folder


@pytest.fixture
def interrupted(finished: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    for name in ("result.json", "slimlm.json", "model.safetensors"):
        (folder / name).unlink()
    return folder


# Times.


@pytest.mark.parametrize(
    "line", [b"{", b"\xff", b"[]", b"null", b'{"seconds": "1"}', b'{"step": 1}', b'{"seconds": NaN}']
)
def test_a_damaged_line_of_times_costs_that_line_alone(line: bytes, interrupted: Path) -> None:
    before = read_speed(interrupted / SPEED)
    with (interrupted / SPEED).open("ab") as out:
        out.write(line + b"\n")
    assert read_speed(interrupted / SPEED) == before == read_run(interrupted).speed
    assert run(interrupted).status == "finished"


@pytest.mark.parametrize("kind", ["huge", "folder", "pipe", "link"])
def test_times_that_cannot_be_read_are_one_sentence_with_a_way_out(kind: str, interrupted: Path) -> None:
    speed = interrupted / SPEED
    remove(speed)
    if kind == "huge":
        lengthened(speed)
    elif kind == "folder":
        speed.mkdir()
    elif kind == "pipe":
        os.mkfifo(speed)
    else:
        speed.symlink_to(interrupted.parent / "other")
    way_out = r"deleting it would work too, as it holds times alone$|: a file of its own there, or none, would work$"
    with pytest.raises(ValueError, match=way_out):
        run(interrupted)
    remove(speed)
    assert run(interrupted).status == "finished"
    assert not (interrupted.parent / "other").exists()


# Links out of a folder.


@pytest.mark.parametrize(
    "name", ["metrics.jsonl", "speed.jsonl", "checkpoints", "best", "model.safetensors", "run.json"]
)
def test_a_run_writes_into_no_link(name: str, interrupted: Path) -> None:
    outside = interrupted.parent / "outside"
    if (interrupted / name).exists():
        (interrupted / name).rename(outside)
    before = outside.read_bytes() if outside.is_file() else None
    (interrupted / name).symlink_to(outside)
    with pytest.raises(ValueError, match=rf"{name} is a link: a (file|folder) of its own there, or none, would work$"):
        run(interrupted)
    assert (outside.read_bytes() if outside.is_file() else None) == before


def test_files_of_a_folder_replace_links_and_pipes_and_others_follow_them(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("of someone else")
    for name in ("link", "pipe"):
        os.mkfifo(tmp_path / name) if name == "pipe" else (tmp_path / name).symlink_to(tmp_path / "outside")
        with replacing(tmp_path / name, follow=False) as part:
            part.write_text("own")
        assert (tmp_path / name).read_text() == "own" and not (tmp_path / name).is_symlink()
    (tmp_path / ".record.json.part").symlink_to(tmp_path / "outside")
    write_record(tmp_path / "record.json", {})
    assert (tmp_path / "outside").read_text() == "of someone else"


def test_a_lock_that_is_a_pipe_does_not_wait_and_one_that_leads_nowhere_makes_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".lock")
    with pytest.raises(OSError, match="No such device"), sole_writer(tmp_path):
        pass
    remove(tmp_path / ".lock")
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    with sole_writer(tmp_path):
        assert not (tmp_path / "elsewhere").exists()


def test_asking_to_cancel_touches_no_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "cancel").symlink_to(tmp_path / "elsewhere")
    ask_to_cancel(tmp_path)
    assert (tmp_path / "cancel").is_file() and not (tmp_path / "elsewhere").exists()


def test_what_is_not_there_is_its_own(tmp_path: Path) -> None:
    check_own(tmp_path, files=["a"], folders=["b"])
    (tmp_path / "b").touch()
    with pytest.raises(ValueError, match="b is a file: a folder of its own there, or none, would work"):
        check_own(tmp_path, folders=["b"])


# Names of studies and of runs.


@pytest.fixture(scope="module")
def small() -> tuple[Study, dict[str, Outcome]]:
    axes: dict[str, Any] = {"x": ("embedding_ratio", (0.25, 0.45)), "y": ("glu_expansion", (2, 4))}
    study = fake_study(vocab_size=512, total=300_000, controls=False, seeds=2, **axes)
    return study, fake_outcomes(study)


@pytest.fixture
def study_folder(small: tuple[Study, dict[str, Outcome]], tmp_path: Path) -> Path:
    return write_fake(tmp_path / "study", *small)


KEYS = ("../../outside", "/etc", "..", ".", "a/b", "", "a\0b", "x" * 5000, "ñ", "a b", "-a", "con:", 7, None, ["a"])


@pytest.mark.parametrize("key", KEYS, ids=lambda key: repr(key)[:12])
def test_the_key_of_a_record_is_no_path(key: object, study_folder: Path) -> None:
    outside = study_folder.parent / "outside"
    outside.mkdir()
    for name in ("result.json", "model.safetensors", "slimlm.json"):
        (outside / name).write_text("of someone else")
    first, *rest = (study_folder / PACKED).read_text().splitlines()
    (study_folder / PACKED).write_text("\n".join([json.dumps(json.loads(first) | {"key": key}), *rest]) + "\n")
    outcomes, problems = read_outcomes(study_folder)
    assert problems == [f"line 1 of {PACKED} is no record of a run: deleting the line would work"]
    assert len(outcomes) == len(rest) and key not in list(outcomes)
    assert len(list(outside.iterdir())) == 3


class Idle(Engine):
    """An engine that is never asked for anything."""

    slots, keep_weights = 1, False


def test_a_run_that_is_a_link_is_a_problem_and_loses_no_weights(
    small: tuple[Study, dict[str, Outcome]], tmp_path: Path
) -> None:
    study, outcomes = small
    folder = write_fake(tmp_path / "study", study, outcomes, packed=False)
    key = next(iter(outcomes))
    (folder / RUNS / key).rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "model.safetensors").touch()
    (folder / RUNS / key).symlink_to(tmp_path / "elsewhere")
    found, problems = read_outcomes(folder)
    assert key not in found and len(problems) == 1 and "is a link: a folder of its own there" in problems[0]
    driver = _Driver(folder, study, Idle(), None, None, lambda: 0.0)  # type: ignore[abstract]
    driver.outcomes = outcomes
    driver._drop_leftovers()
    assert (tmp_path / "elsewhere" / "model.safetensors").exists()


def test_files_that_lead_nowhere_do_not_hide_a_study(study_folder: Path) -> None:
    (study_folder / "verdict.json").symlink_to("verdict.json")
    (study_folder / RUNS).mkdir()
    (study_folder / RUNS / "a").touch()
    assert [name for name, _, _ in stamp_of(study_folder)] == ["study.json", PACKED]


@pytest.mark.parametrize(
    "name", ["..", ".", "../a", "/a", "a/b", "a\\b", "a\0", "~", ".hidden", "-a", "x" * 5000, "a\nb", ""]
)
def test_the_name_of_a_study_is_no_path(name: str) -> None:
    assert not is_name(name)


def test_a_checkpoint_with_a_hole_is_passed_over_for_the_one_before(interrupted: Path) -> None:
    lengthened(sorted((interrupted / "checkpoints").iterdir())[-1] / "optimizer.safetensors")
    remove(sorted((interrupted / "checkpoints").iterdir())[-1] / "model.safetensors")
    assert run(interrupted).status == "finished"
