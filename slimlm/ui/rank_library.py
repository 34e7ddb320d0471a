"""Studies that the server knows: those shipped with slimlm and those in its folder of studies, read once for all."""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

import streamlit as st

import slimlm.ranking
from slimlm.ranking.record import read_ranking
from slimlm.ranking.result import Ranking
from slimlm.runs.lock import LOCK
from slimlm.runs.record import METRICS, RESULT
from slimlm.study.outcome import Outcome
from slimlm.study.schedule import Schedule
from slimlm.study.study import PACKED, RUNS, STUDY, VERDICT, Study, open_study, read_outcomes, read_under_way

STUDIES = "SLIMLM_STUDIES"
"""Environment variable: the folder of studies; `studies` below the server's working directory without it."""

SHIPPED = Path(slimlm.ranking.__file__).with_name("shipped")
"""Folder of the studies that are shipped with slimlm."""

LONGEST_NAME = 80
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9 ._=,+-]{{0,{LONGEST_NAME - 1}}}")
_MOST_STUDIES = 500
_FRESH_SECONDS = 1.0
_LIVE_NS = 10**10
"""Runs that are not over change what is shown once in ten seconds: pages are drawn anew for it."""

Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class StudyView:
    """A study as pages show it."""

    name: str
    folder: Path = field(repr=False)
    study: Study = field(repr=False)
    outcomes: Mapping[str, Outcome] = field(repr=False)
    ranking: Ranking = field(repr=False)
    problems: tuple[str, ...]
    """A sentence about each record that cannot be read."""
    shipped: bool
    stamp: Stamp = field(repr=False)
    """Names, times and sizes of the files that it was read from."""
    under_way: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict, repr=False)
    """Metrics of the runs that are not over, by key."""

    @property
    def schedule(self) -> Schedule:
        """The runs of the study by what they are for."""
        return Schedule(self.study, self.outcomes)


def studies_folder() -> Path:
    """Return the folder in which the server looks for studies and starts them; it need not exist."""
    return Path(os.environ.get(STUDIES) or "studies").absolute()


def is_name(text: str) -> bool:
    """Whether a text is a name that a study may have: plain characters, and no path."""
    return bool(_NAME.fullmatch(text))


class _Entry:
    """One study of the library: what was read last, when, and one reader at a time."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.checked = -1e9
        self.stamp: Stamp | None = None
        self.found: StudyView | ValueError | None = None


class StudyLibrary:
    """Studies by name for all sessions. Files are looked at once a second at most, and read when they have changed."""

    def __init__(
        self,
        folders: Callable[[], Mapping[str, Path]],
        now: Callable[[], float] = time.monotonic,
        read: Callable[[str, Path, Stamp], StudyView] | None = None,
    ) -> None:
        self._folders, self._now, self._read = folders, now, read or read_view
        self._entries: dict[Path, _Entry] = {}
        self._lock = Lock()

    def names(self) -> tuple[str, ...]:
        """Return the names of all studies, the shipped ones first."""
        return tuple(self._folders())

    def shipped(self) -> frozenset[str]:
        """Return the names of the studies that are shipped with slimlm."""
        return frozenset(name for name, path in self._folders().items() if path.parent == SHIPPED)

    def stamp(self, name: str) -> Stamp | None:
        """Return names, times and sizes of the files that a study was last read from; None before it can be read."""
        folder = self.folder(name)
        if folder is None:
            return None
        return self._refreshed(name, folder).stamp

    def folder(self, name: str) -> Path | None:
        """Return the folder of a study; None for a name that no study has."""
        return self._folders().get(name)

    def view(self, name: str) -> StudyView:
        """Return a study as it is now.

        Raises ValueError, in one sentence, for a name that no study has and for a damaged study.
        """
        folder = self.folder(name)
        if folder is None:
            raise ValueError(f"there is no study of the name {name[:LONGEST_NAME]!r}")
        found = self._refreshed(name, folder).found
        if isinstance(found, ValueError):
            raise ValueError(str(found))
        assert found is not None
        return found

    def _refreshed(self, name: str, folder: Path) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(folder, _Entry())
        with entry.lock:
            self._refresh(name, folder, entry)
        return entry

    def _refresh(self, name: str, folder: Path, entry: _Entry) -> None:
        if self._now() - entry.checked < _FRESH_SECONDS:
            return
        try:
            stamp = stamp_of(folder)
            if stamp != entry.stamp:
                earlier, entry.found = entry.found, None
                same = entry.stamp is not None and _of_figures(stamp) == _of_figures(entry.stamp)
                entry.stamp = stamp
                if same and isinstance(earlier, StudyView):  # only runs that are not over have gone on
                    entry.found = replace(earlier, stamp=stamp, under_way=read_under_way(folder))
                else:
                    entry.found = self._read(name, folder, stamp)
        except OSError as error:
            entry.found = ValueError(f"the study {name} cannot be read: {error.strerror or error}")
        except ValueError as error:
            entry.found = ValueError(f"the study {name} cannot be shown: {error}")
        entry.checked = self._now()


def stamp_of(folder: Path) -> Stamp:
    """Return names, times and sizes of the files that a study is shown from: metrics alone of runs not over."""
    files = [folder / name for name in (STUDY, PACKED, VERDICT)]
    home = folder / RUNS
    for path in sorted(home.iterdir()) if home.is_dir() else ():
        files.append(path / RESULT if (path / RESULT).exists() else path / METRICS)
    return tuple(_stamps(folder, files))


def _of_figures(stamp: Stamp) -> Stamp:
    """Return the files of a stamp that a ranking is computed from."""
    return tuple(file for file in stamp if not file[0].endswith(METRICS))


def _stamps(folder: Path, files: list[Path]) -> Iterator[tuple[str, int, int]]:
    for file in files:
        try:
            found = file.stat()
        except OSError:  # none, or a link in a circle, which the reader has a sentence for
            continue
        live = file.name == METRICS
        yield (
            str(file.relative_to(folder)),
            found.st_mtime_ns // (_LIVE_NS if live else 1),
            0 if live else found.st_size,
        )


def read_view(name: str, folder: Path, stamp: Stamp) -> StudyView:
    """Read a study's folder.

    Raises ValueError, in one sentence, for a folder that holds none, or a damaged one.
    """
    study = open_study(folder)
    outcomes, problems = read_outcomes(folder)
    ranking = read_ranking(folder)
    shipped, under_way = folder.parent == SHIPPED, read_under_way(folder)
    return StudyView(name, folder, study, outcomes, ranking, tuple(problems), shipped, stamp, under_way)


def all_folders() -> dict[str, Path]:
    """Return the folders of all studies by name, the shipped ones first; names that are no plain text are left out."""
    return _folders_in(SHIPPED) | {
        name: path for name, path in _folders_in(studies_folder()).items() if not (SHIPPED / name).is_dir()
    }


def _folders_in(home: Path) -> dict[str, Path]:
    try:
        names = sorted(path.name for path in home.iterdir())
    except OSError:
        return {}
    found = (name for name in names if is_name(name) and (home / name / STUDY).is_file())
    return {name: home / name for _, name in zip(range(_MOST_STUDIES), found, strict=False)}


def unprepared_names() -> list[str]:
    """Return the names of folders below that of studies in which a process has begun, but written no study yet."""
    try:
        found = sorted(path.parent for path in studies_folder().glob(f"*/{LOCK}"))
    except OSError:
        return []
    return [path.name for path in found if is_name(path.name) and not (path / STUDY).is_file()][:_MOST_STUDIES]


@st.cache_resource(show_spinner=False)
def library() -> StudyLibrary:
    """Return the server-wide library."""
    return StudyLibrary(all_folders)
