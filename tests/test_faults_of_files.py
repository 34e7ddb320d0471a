"""A full disk, a read-only file and an output that takes nothing: what was there stays whole."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slimlm.cli.main import main
from slimlm.core.architecture import Architecture
from slimlm.model.language_model import LanguageModel
from slimlm.model.pretrained import export_pretrained, from_pretrained, save_pretrained
from slimlm.utils.files import replacing
from tests.test_faults import GPT2, ROOT, TINY

# Files.


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let every write beyond a size fail, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("existing", [None, "old"])
def test_a_sweep_that_does_not_fit_on_the_disk_leaves_the_old_file_and_no_other(
    existing: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "grid.csv"
    if existing:
        output.write_text(existing)
    with files_of_at_most(1_000):
        assert main(["sweep", "-o", str(output)]) == 2
    assert capsys.readouterr().err == f"slimlm: {output} cannot be written: {os.strerror(errno.EFBIG)}\n"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("grid.csv", "old")] * bool(existing)


@pytest.mark.parametrize(("save", "arch"), [(save_pretrained, TINY), (export_pretrained, GPT2)])
def test_a_model_that_does_not_fit_on_the_disk_leaves_the_old_one_whole(
    save: Callable[..., Path], arch: Architecture, tmp_path: Path
) -> None:
    model = LanguageModel(arch)
    save(model, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with (
        files_of_at_most(4_000),
        pytest.raises(OSError, match=r"^folder='.+' cannot be written: .+; another folder would"),
    ):
        save(LanguageModel(arch), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_model_cannot_be_saved_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot be written: Not a directory; another folder would work$"):
        save_pretrained(LanguageModel(TINY), tmp_path / "file" / "model")


def test_a_saved_model_is_written_over_by_the_next(tmp_path: Path) -> None:
    save_pretrained(LanguageModel(TINY), tmp_path)
    assert from_pretrained(save_pretrained(LanguageModel(GPT2), tmp_path)).architecture == GPT2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", "slimlm.json"]


def test_a_file_that_is_read_only_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "grid.csv"
    output.write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # who runs the tests may write everything
    assert main(["sweep", "-o", str(output)]) == 2
    assert capsys.readouterr().err == f"slimlm: {output} cannot be written: the file is read-only\n"
    assert output.read_text() == "old"


def test_a_replaced_file_keeps_its_mode_and_links_to_it(tmp_path: Path) -> None:
    old, link = tmp_path / "old", tmp_path / "link"
    old.write_text("old")
    old.chmod(0o640)
    link.symlink_to(old)
    with replacing(link) as part:
        part.write_text("new")
    assert (old.read_text(), old.stat().st_mode & 0o777, link.is_symlink()) == ("new", 0o640, True)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_device_is_written_and_not_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "-o", "/dev/full"]) == 2
    assert capsys.readouterr().err == f"slimlm: /dev/full cannot be written: {os.strerror(errno.ENOSPC)}\n"
    assert Path("/dev/full").is_char_device()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize(("redirect", "code", "told"), [(">/dev/full", 2, "the output cannot be used"), (">&-", 0, "")])
def test_an_output_that_takes_nothing_is_no_traceback(redirect: str, code: int, told: str) -> None:
    command = f"{sys.executable} -m slimlm design 10M {redirect}"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr == (f"slimlm: {told}: {os.strerror(errno.ENOSPC)}\n" if told else "")
