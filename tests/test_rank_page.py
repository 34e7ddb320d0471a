"""The Rank page without a browser: what it shows of a study, links, damaged studies, and who may start one."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from slimlm.engines.state import STATE, StudyState, write_state
from slimlm.runs.lock import sole_writer
from slimlm.solver.solver import solve
from slimlm.study.study import Study
from slimlm.ui import rank_library, rank_processes
from slimlm.ui.rank_processes import TRAIN
from tests.studies import fake_outcomes, fake_study, write_fake
from tests.test_app import APP, chart_title, shown

NAME = "made-up"


@pytest.fixture(scope="module")
def study() -> Study:
    return fake_study()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, study: Study) -> Path:
    """A server's folder of studies: a complete one, one that is half done, and a damaged one."""
    home = tmp_path_factory.mktemp("studies")
    write_fake(home / NAME, study, fake_outcomes(study))
    write_fake(home / "partial", study, fake_outcomes(study, most=40), packed=False)
    (home / "torn").mkdir()
    (home / "torn" / "study.json").write_text('{"format": "slimlm-study-1", "request": 7}')
    return home


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[None]:
    monkeypatch.setenv(rank_library.STUDIES, str(home))
    monkeypatch.setattr(rank_library, "SHIPPED", home / "none shipped")
    monkeypatch.delenv(TRAIN, raising=False)
    yield


def opened(**query: str) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=60).switch_page("pages/rank.py")
    page.query_params.update(query)
    page.run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    texts = [*page.title, *page.caption, *page.markdown, *page.info, *page.error, *page.warning]
    return shown("\n".join(text.value for text in texts))


def labels(page: AppTest) -> set[str]:
    return {button.label for button in page.button}


def test_the_first_study_is_shown_with_its_verdict_map_and_cells() -> None:
    page = opened()
    assert page.title[0].value == "12 allocations of 1M parameters, ranked by training"
    assert "Embedding ratio 0.35 and 0.45 may be best (6 of 12 cells); 0.25 is worse by 0.142" in said(page)
    assert "1M parameters · vocabulary 4,096 · 249.9k training tokens · made-up prose · 3 seeds" in said(page)
    assert "may be best" in str(chart_title(page)["text"])
    cells = page.selectbox("rank_cell")
    assert (len(cells.options), cells.value) == (12, None)
    assert cells.options[2].startswith("0.45 · 2: 1.998 ± 0.015")
    assert page.selectbox("study").options == [NAME, "partial", "torn"]


def test_a_study_that_is_shipped_comes_first(monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(rank_library, "SHIPPED", home)
    monkeypatch.setenv(rank_library.STUDIES, str(tmp_path))
    page = opened()
    assert page.selectbox("study").options[0] == f"{NAME} · shipped"
    assert not labels(page) & {"Resume", "Cancel"}


def test_without_a_study_the_page_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(rank_library.STUDIES, str(tmp_path))
    page = opened()
    assert "No study is shipped with this version, and this server has none" in said(page)
    assert "slimlm rank --quick --out studies/rehearsal" in page.info[0].value


def test_a_picked_cell_has_its_facts_and_opens_as_the_same_architecture(study: Study) -> None:
    page = opened(study=NAME, cell=study.cells[5].key)
    assert page.selectbox("rank_cell").value == 5
    text = said(page)
    assert "**0.45 · 2.66:** 1.004M parameters: 3 layers of width 120" in text
    assert "by seed 2.0" in text
    assert "Learning rate 0.00383" in text
    assert "embedding ratio 0.489 (+8.76 %)" in text
    assert {"Open on the Design page", "Pin"} <= labels(page)
    next(button for button in page.button if button.label == "Pin").click().run()
    assert page.query_params["pin"]
    next(button for button in page.button if button.label == "Open on the Design page").click().run()
    values = {name: page.session_state[name] for name in ("total_params", "n_layers", "embedding_ratio")}
    assert values["n_layers"] == 3


def test_every_cell_opens_as_the_architecture_that_was_trained(study: Study) -> None:
    from slimlm.solver.inverse import nearest_request

    for cell in study.cells:
        assert solve(nearest_request(cell.architecture)).architecture == cell.architecture


def test_the_list_of_cells_picks_one_without_a_mouse(study: Study) -> None:
    page = opened(study=NAME)
    page.selectbox("rank_cell").select_index(0).run()
    assert study.cells[0].key in page.query_params["cell"]
    assert "18 layers of width 64" in said(page)
    page.selectbox("rank_cell").set_value(None).run()
    assert "cell" not in page.query_params


@pytest.mark.parametrize("tab", ["", "learning-rates", "curves", "costs", "controls"])
def test_every_section_is_drawn(tab: str) -> None:
    page = opened(study=NAME, **({"tab": tab} if tab else {}))
    charts = len(page.get("vega_lite_chart"))
    assert charts == (1 if tab in ("costs", "controls") else 2)
    if tab == "costs":
        assert "| 0.25 · 2 | 18 × 64 | 0.00373 | 249.9k | 1.92 TFLOP |" in said(page).replace("\u00a0", " ")
        assert "102 runs" in said(page)
    if tab == "controls":
        assert "A/A pair" in said(page)


def test_the_loss_is_shown_against_the_choice_of_the_link() -> None:
    page = opened(study=NAME, against="flops")
    assert page.session_state["against"] == "flops"
    assert opened(study=NAME, against="beauty").session_state["against"] == "n_layers"


def test_the_method_is_in_a_fold_with_prediction_and_remarks() -> None:
    page = opened(study=NAME)
    text = said(page)
    assert "Prediction" in text
    assert "Learning rates: a search in factors of 2 around 0.004" in text
    assert "Smallest significant difference: 0.03" in text
    assert any(fold.label.startswith("Method, prediction and") for fold in page.expander)


def test_a_link_holds_the_study_the_cell_and_the_choice(study: Study) -> None:
    page = opened(study="partial", cell=study.cells[1].key, against="seconds")
    links = [code.value for code in page.code]
    assert all("study=partial" in link and "against=seconds" in link and "cell=" in link for link in links)
    assert links[1].endswith("embed=true")


@pytest.mark.parametrize("name", ["../etc", "x" * 500, "<b>no</b>", "nothing\u202e", "/", "..", ""])
def test_a_link_to_a_study_that_is_not_there_shows_the_first_one(name: str) -> None:
    page = opened(study=name)
    assert page.title[0].value.startswith("12 allocations")
    assert ("The link's study was ignored" in said(page)) == bool(name)


def test_a_link_to_a_cell_that_is_not_there_says_so() -> None:
    assert "The link's cell was ignored: the study has none of the name 'best'." in said(
        opened(study=NAME, cell="best")
    )


def test_a_damaged_study_ends_in_a_sentence() -> None:
    page = opened(study="torn")
    assert "The study torn cannot be shown" in page.error[0].value
    assert len(page.error) == 1


def test_names_that_are_no_plain_text_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("good one", ".hidden", "a\nb", "<img>", "x" * 90):
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.json").write_text("{}")
    monkeypatch.setenv(rank_library.STUDIES, str(tmp_path))
    assert rank_library.library().names() == ("good one",)


def test_a_half_done_study_says_so_and_can_be_resumed_where_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(study="partial")
    assert "So far, 40 of at least" in said(page)
    assert "Not every run is over." in said(page)
    assert "Resume" in labels(page)
    monkeypatch.setenv(TRAIN, "0")
    assert "Resume" not in labels(opened(study="partial"))


def test_a_new_study_has_its_plan_before_the_button(monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(study=NAME)
    page.session_state["rank_new"] = True
    page.run()
    assert "at least 90 runs · 20.28M tokens · about" in said(page)
    assert "can show differences of 0.03" in said(page)
    assert "Start" in labels(page)
    page.text_input("rank_xs").set_value("0.35, 0.351").run()
    assert "solve to one architecture" in page.error[0].value
    assert "Start" not in labels(page)
    page.text_input("rank_xs").set_value("0.35 --keep-weights").run()
    assert "is not a number" in page.error[0].value
    monkeypatch.setenv(TRAIN, "0")
    page.run()
    assert "or with SLIMLM_TRAIN=1 in its environment" in said(page)
    assert "Start" not in labels(page)


@pytest.mark.parametrize(
    ("headers", "address", "hosts", "allowed"),
    [
        ({}, "localhost", ["localhost", "127.0.0.1"], True),
        ({}, "127.0.0.1", ["localhost"], True),
        ({}, "0.0.0.0", ["localhost"], False),
        ({}, None, ["localhost"], False),
        ({}, "localhost", ["slimlm.example.com"], False),
        ({"X-Forwarded-For": "10.0.0.1"}, "localhost", ["localhost"], False),
    ],
)
def test_studies_are_started_on_a_server_of_this_machine_alone(
    headers: dict[str, str], address: str | None, hosts: list[str], allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"server.address": address, "server.allowedHosts": hosts}
    monkeypatch.setattr(st, "get_option", options.__getitem__)
    monkeypatch.setattr(type(st.context), "headers", headers)
    assert rank_processes.may_train() is allowed
    monkeypatch.setenv(TRAIN, "1")
    assert rank_processes.may_train()
    monkeypatch.setenv(TRAIN, "0")
    assert not rank_processes.may_train()


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv(rank_library.STUDIES, str(tmp_path / "studies"))
    monkeypatch.setattr(rank_processes, "_FRESH_SECONDS", 0.0)
    return tmp_path / "studies"


def test_the_page_says_how_far_a_study_is(monkeypatch: pytest.MonkeyPatch, empty: Path, study: Study) -> None:
    folder = write_fake(empty / "one", study, {})
    write_state(folder, StudyState("running", 1, time.time(), time.time(), 5, 97, {"a": 0.5}, {}, 0.1, 600.0))
    text = said(opened(study="one"))
    assert "Interrupted: 5 of 102 known runs over." in text
    state = json.loads((folder / STATE).read_text()) | {"status": "cancelled"}
    (folder / STATE).write_text(json.dumps(state))
    assert "Cancelled: 5 of 102 known runs over." in said(opened(study="one"))


def test_the_page_says_that_memory_holds_a_study_up(empty: Path, study: Study) -> None:
    folder = write_fake(empty / "one", study, {})
    underway = StudyState("running", 1, 1.0, 1.0, 5, 97, {"a": 0.5}, {}, 0.1, 600.0, lacks_memory=True)
    with sole_writer(folder):
        write_state(folder, underway)
        [bar] = opened(study="one").get("progress")
    wanted = "Training: 5 of 102 known runs over, 1 run under way (no memory for more at once), about 10 min left"
    assert bar.proto.text.replace("\\", "") == wanted
