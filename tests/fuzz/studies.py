"""Whole folders of studies: packed and with the folders of runs, with data, state and verdict."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

from slimlm.charts.study_controls import study_controls
from slimlm.charts.study_curves import study_curves
from slimlm.charts.study_map import study_map
from slimlm.charts.study_parabolas import study_parabolas
from slimlm.charts.study_tradeoffs import study_tradeoffs
from slimlm.engines.data import check_data, study_data, write_generator
from slimlm.engines.state import StudyState, read_state, write_state
from slimlm.export.study_downloads import study_downloads
from slimlm.ranking.record import write_ranking
from slimlm.study.plan import plan_study
from slimlm.study.study import Study, pack_study, write_study
from slimlm.ui.rank_library import StudyView, read_view, stamp_of
from tests.fuzz.driver import Kind
from tests.fuzz.judge import disk_errors_as_sentences, sentence_fault
from tests.studies import fake_outcomes, fake_study, write_fake

_SMALL: dict[str, Any] = {
    "x": ("embedding_ratio", (0.25, 0.45)),
    "y": ("glu_expansion", (2, 4)),
    "total": 300_000,
    "vocab_size": 512,
}


def make(home: Path) -> None:
    small = fake_study(seeds=2, controls=False, **_SMALL)
    for name, packed in (("packed", True), ("unpacked", False)):
        write_ranking(write_fake(home / name, small, fake_outcomes(small), packed=packed))
    begun = write_fake(home / "begun", small, fake_outcomes(small, most=5), packed=False)
    for path in sorted((begun / "runs").iterdir())[:2]:
        (path / "result.json").unlink()
    state = StudyState("running", 1, 1.0, 2.0, 3, 5, {"a": 0.5}, {"b": "it failed"}, 0.5, 9.0)
    write_state(begun, state)
    _write_generated(home / "generated")


def _write_generated(folder: Path) -> None:
    folder.mkdir()
    fields: dict[str, Any] = {
        "x": ("n_layers", (2, 3)),
        "y": ("glu_expansion", (2, 4)),
        "total": 60_000,
        "vocab_size": 64,
    }
    request = fake_study("symbol", controls=False, **fields).request
    data = study_data(write_generator(folder, 64, train_tokens=5000, heldout_tokens=500))
    study = Study(request, {64: data})
    write_fake(folder, study, fake_outcomes(study, most=3))
    (folder / "local.json").write_text(json.dumps({"data": {"128": "elsewhere"}}))


def use(folder: Path, draw: random.Random) -> None:
    """Do what the command and the page do with a study."""
    read_state(folder)
    view = read_view("a study", folder, stamp_of(folder))
    for problem in view.problems:
        assert not sentence_fault(problem), problem
    ways = (_show, _export, lambda view, draw: check_data(folder, view.study), _write)
    for way in draw.sample(ways, 2):
        way(view, draw)


def _show(view: StudyView, draw: random.Random) -> None:
    study, ranking, schedule = view.study, view.ranking, view.schedule
    plan_study(study)
    charts = [
        study_map(study, ranking),
        study_curves(study, view.outcomes, ranking, view.under_way),
        study_controls(ranking, schedule),
        study_tradeoffs(ranking, draw.choice(("n_layers", "flops"))),
    ]
    if study.cells[0].x is not None:
        charts.append(study_parabolas(study, schedule, ranking))
    json.dumps([chart.to_dict() for chart in charts], allow_nan=False)


def _export(view: StudyView, draw: random.Random) -> None:
    found = study_downloads(view.study, view.outcomes, view.ranking)
    for download in found:
        is_drawn = download.file_name.endswith((".png", ".svg", ".html"))  # some 0.3 s each
        if not is_drawn or draw.random() < 0.02:
            content = download.build()
            assert content and (content if isinstance(content, bytes) else content.encode())


def _write(view: StudyView, draw: random.Random) -> None:
    out = view.folder.parent / "packed-again"
    shutil.rmtree(out, ignore_errors=True)
    with disk_errors_as_sentences():
        write_study(out, view.study)
        write_ranking(view.folder)
        pack_study(view.folder, out)


STUDIES = Kind("study", make, use, plural="studies")
