"""Corpora are written whole or not at all, with every byte."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from slimlm.data.tokenizer import Tokenizer
from tests.data.texts import VOCAB, prepared, small_tokenizer


def test_a_tokenizer_that_miscounts_bytes_is_refused(home: Path, tmp_path: Path) -> None:
    wrong = Tokenizer(small_tokenizer()._inner)
    wrong.lengths[:] = wrong.lengths + (wrong.lengths == 3)
    with pytest.raises(
        ValueError, match=r"have [\d,]+ bytes and the text has [\d,]+: a tokenizer that keeps every byte"
    ):
        prepared(tmp_path / "corpus", home / "books", tokenizer=wrong, vocab_size=600)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["reading", "training the tokenizer", "tokenising"])
def test_what_is_interrupted_leaves_nothing(home: Path, tmp_path: Path, kind: str) -> None:
    def interrupt(share: float, text: str) -> None:
        if text.startswith(kind):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepared(tmp_path / "corpus", home / "books", progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_a_disk_too_small_is_found_before_anything_is_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000))
    with pytest.raises(ValueError, match="may need 122 kB and its disk has 100 kB left: another disk, or less text"):
        prepared(tmp_path / "new" / "corpus", home / "books")
    assert not list(tmp_path.glob("*/*"))


def test_a_folder_of_something_else_is_left_alone(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert prepared(tmp_path / "empty", home / "books").vocab_size == VOCAB
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    for name in ("file", "full"):
        with pytest.raises(ValueError, match=f"{name} exists and is no corpus: a new or empty folder would work"):
            prepared(tmp_path / name, home / "books")
    with pytest.raises(ValueError, match="file/corpus cannot be written: Not a directory"):
        prepared(tmp_path / "file" / "corpus", home / "books")
    assert (tmp_path / "file").read_text() == "mine"
