"""A study that was trained without any disturbance."""

from pathlib import Path

import pytest

from slimlm.engines.local import LocalEngine
from slimlm.engines.run_study import run_study
from tests.engines.small_study import small_study


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    small_study(folder)
    assert run_study(folder, LocalEngine(folder, device="cpu", workers=2)) == "complete"
    return folder


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Return the folder of a study without runs."""
    small_study(tmp_path)
    return tmp_path
