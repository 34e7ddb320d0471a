"""Whole folders of studies: packed and with the folders of runs, with data, state and verdict."""

import json
import random
import shutil
from pathlib import Path

from slimlm.charts.study_curves import study_curves
from slimlm.charts.study_map import study_map
from slimlm.engines.data import check_data, study_data, write_generator
from slimlm.engines.state import StudyState, read_state, write_state
from slimlm.export.study_card import study_card
from slimlm.export.study_notebook import study_notebook
from slimlm.export.study_reports import study_html, study_json, study_markdown
from slimlm.export.study_tables import cells_csv, runs_csv
from slimlm.ranking.record import read_ranking, write_ranking
from slimlm.study.plan import plan_study
from slimlm.study.schedule import Schedule
from slimlm.study.study import Study, open_study, pack_study, read_outcomes, read_under_way, write_study
from slimlm.ui.rank_library import read_view, stamp_of
from tests.fuzz.driver import Kind
from tests.fuzz.judge import sentence_fault
from tests.studies import fake_outcomes, fake_study, write_fake

_SMALL = {"x": ("embedding_ratio", (0.25, 0.45)), "y": ("glu_expansion", (2, 4)), "total": 300_000, "vocab_size": 512}


def make(home: Path) -> None:
    small = fake_study(seeds=2, controls=False, **_SMALL)  # type: ignore[arg-type]
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
    fields = {"x": ("n_layers", (2, 3)), "y": ("glu_expansion", (2, 4)), "total": 60_000, "vocab_size": 64}
    request = fake_study("symbol", controls=False, **fields).request  # type: ignore[arg-type]
    data = study_data(write_generator(folder, 64, train_tokens=5000, heldout_tokens=500))
    study = Study(request, {64: data})
    write_fake(folder, study, fake_outcomes(study, most=3))
    (folder / "local.json").write_text(json.dumps({"data": {"128": "elsewhere"}}))


def use(folder: Path, draw: random.Random) -> None:
    """Do what the command and the page do with a study."""
    stamp_of(folder)
    read_state(folder)
    study = open_study(folder)
    plan_study(study)
    outcomes, problems = read_outcomes(folder)
    for problem in problems:
        assert not sentence_fault(problem), problem
    Schedule(study, outcomes).wanted  # noqa: B018
    under_way = read_under_way(folder)
    ranking = read_ranking(folder)
    view = read_view("a study", folder, ())
    assert view.ranking == ranking and view.under_way == under_way
    charts = [study_map(study, ranking).to_dict(), study_curves(study, outcomes, ranking, under_way).to_dict()]
    json.dumps(charts, allow_nan=False)
    if draw.random() < 0.3:
        _export(study, folder, draw)
    if draw.random() < 0.3:
        check_data(folder, study)
    if draw.random() < 0.3:
        out = folder.parent / "packed-again"
        shutil.rmtree(out, ignore_errors=True)
        pack_study(folder, out)
        write_study(out, study)
    if draw.random() < 0.2:
        write_ranking(folder)


def _export(study: Study, folder: Path, draw: random.Random) -> None:
    outcomes, ranking = read_outcomes(folder)[0], read_ranking(folder)
    texts = [study_markdown(study, ranking), study_json(study, ranking), study_notebook(study, outcomes, ranking)]
    texts += [cells_csv(ranking), runs_csv(study, outcomes)]
    if draw.random() < 0.1:
        texts += [study_html(study, outcomes, ranking), study_card(study, ranking)]
    for text in texts:
        text.encode()


STUDIES = Kind("study", make, use)
