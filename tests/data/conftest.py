"""Fixtures: a corpus of three books."""

import shutil
from pathlib import Path

import pytest

from tests.data.texts import prepared, write_books


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three books and a corpus of them; tests must not change it."""
    folder = tmp_path_factory.mktemp("home")
    prepared(folder / "corpus", write_books(folder / "books"))
    return folder


@pytest.fixture
def own(home: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(home, tmp_path / "own")
    return tmp_path / "own"
