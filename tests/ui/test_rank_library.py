"""The studies of the Rank page: read once for all sessions, and again when their files change."""

import os
from pathlib import Path

import pytest

from slimlm.ui import rank_library
from tests.studies import fake_outcomes, fake_study, write_fake


def test_files_are_looked_at_once_a_second_for_all_sessions_and_read_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, study = tmp_path / "studies", fake_study()
    monkeypatch.setenv(rank_library.STUDIES, str(home))
    monkeypatch.setattr(rank_library, "SHIPPED", tmp_path / "none shipped")
    write_fake(home / "partial", study, fake_outcomes(study, most=40), packed=False)
    (home / "torn").mkdir()
    (home / "torn" / "study.json").write_text('{"format": "slimlm-study-1", "request": 7}')
    now, reads = [0.0], []

    def read(name: str, folder: Path, stamp: rank_library.Stamp) -> rank_library.StudyView:
        reads.append(name)
        return rank_library.read_view(name, folder, stamp)

    library = rank_library.StudyLibrary(rank_library.all_folders, lambda: now[0], read)
    first = library.view("partial")
    assert library.view("partial") is first
    result = next((home / "partial" / "runs").iterdir()) / "result.json"
    result.touch()
    assert library.view("partial") is first
    now[0] = 1.5
    assert library.view("partial") is not first
    assert reads == ["partial"] * 2
    under_way = next(path for path in (home / "partial" / "runs").iterdir())
    (under_way / "result.json").rename(home / "kept.json")
    now[0] = 3.0
    live = library.view("partial")
    assert list(live.under_way) == [under_way.name]
    os.utime(under_way / "metrics.jsonl", (0, 0))
    now[0] = 4.5
    assert library.view("partial") is not live
    assert library.view("partial").ranking is live.ranking
    assert reads == ["partial"] * 3
    (home / "kept.json").rename(under_way / "result.json")
    with pytest.raises(ValueError, match=r"^there is no study of the name 'x'"):
        library.view("x")
    with pytest.raises(ValueError, match=r"^the study torn cannot be shown: "):
        library.view("torn")
