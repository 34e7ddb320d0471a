"""Exports of a study: card, reports, tables, notebook and the list of downloads."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from slimlm.export.study_card import controls_line, study_card
from slimlm.export.study_downloads import study_downloads
from slimlm.export.study_notebook import study_notebook
from slimlm.export.study_reports import study_html, study_json, study_markdown
from slimlm.export.study_tables import cells_csv, cost_rows, runs_csv
from slimlm.ranking.rank import rank_study
from slimlm.ranking.record import ranking_from_record
from slimlm.study.study import study_from_record
from tests.charts.study_examples import outcomes, ranking, study
from tests.figures import texts_of
from tests.pixels import opened
from tests.studies import fake_outcomes, fake_study

ROOT = Path(__file__).parents[2]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_every_download_has_a_name_of_its_own_and_can_be_built() -> None:
    found = study_downloads(study("beside"), outcomes("beside"), ranking("beside"))
    assert len({one.file_name for one in found}) == len({one.label for one in found}) == len(found)
    assert {one.file_name.rpartition(".")[2] for one in found} == {"png", "svg", "html", "md", "csv", "json", "ipynb"}
    for one in found:
        assert one.build() and one.mime
        assert re.fullmatch(r"[A-Za-z0-9.-]+", one.file_name)


@pytest.mark.parametrize("name", ["grid", "beside", "hostile"])
@pytest.mark.parametrize("dark", [False, True])
def test_the_card_is_a_slide_with_verdict_map_controls_and_cost(name: str, dark: bool) -> None:
    assert opened(study_card(study(name), ranking(name), dark=dark)).size == (1600, 900)
    svg = study_card(study(name), ranking(name), format="svg", dark=dark, on=date(2026, 11, 28)).decode()
    root = ET.fromstring(svg)
    words = " ".join("".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text"))
    assert "0.35 and 0.45 may be best; 0.25 is worse by 0.021 ± 0.009." in words
    assert "Controls: A/A pair: passed · Bad cell: passed · Second recipe: failed" in words
    assert "Cost: 96 runs · 1.152B tokens · 84 PFLOP · 21 min of training on NVIDIA H100" in words
    assert "slimlm · 28 November 2026" in words
    assert "<img" not in svg


def test_no_line_of_a_card_leaves_it() -> None:
    svg = study_card(study("hostile"), ranking("hostile"), format="svg").decode()
    root = ET.fromstring(svg)
    for chart in root.findall("{http://www.w3.org/2000/svg}g"):
        root.remove(chart)
    lines = texts_of(ET.tostring(root, encoding="unicode"))
    places = [float(text.attrib["x"]) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert len(lines) > 15
    for x, text in zip(places, lines, strict=True):
        assert x + text.left >= 50 and x + text.right <= 1550, text


def test_controls_fit_on_one_line() -> None:
    assert controls_line(ranking("grid")).endswith("Second horizon: no test")


def test_the_report_has_every_chart_and_table_and_runs_nothing() -> None:
    page = study_html(study("grid"), outcomes("grid"), ranking("grid"))
    tags = Tags(page).found
    names = [tag for tag, _ in tags]
    assert names.count("figure") == 7 and names.count("table") == 3
    assert not {"script", "img", "link", "iframe"} & set(names)
    assert "A/A pair" in page and "Kendall" in page


def test_hostile_names_are_inert_in_html_and_markdown() -> None:
    found, done, ranked = study("hostile"), outcomes("hostile"), ranking("hostile")
    tags = Tags(study_html(found, done, ranked)).found
    assert not any(tag == "img" or any(key.startswith("on") for key in attrs) for tag, attrs in tags)
    written = study_markdown(found, ranked)
    assert "<img" not in re.sub(r"\\<", "", written)
    assert "**b**" not in written


GOLDEN = """\
| Cell | Layers × width | Learning rate | Loss (bits per byte) | Above the lowest | May be best | P(best) | Rank |
| :-- | --: | --: | --: | --: | --: | --: | --: |
| 0.35 · 2.66 | 11 × 224 | 0.00217 | 1.7398 ± 0.0086 | lowest mean | yes | 50.0 % | 1 to 3 |
| 0.35 · 3 | 10 × 224 | 0.00226 | 1.7434 ± 0.0086 | +0.0036 | yes | 6.0 % | 2 to 4 |
"""


def test_the_markdown_is_as_expected() -> None:
    written = study_markdown(study("grid"), ranking("grid"))
    assert GOLDEN in written
    assert "| 0.45 · 4 | 4 × 288 |  | not ranked: learning rate not bracketed |  |  |  |  |" in written
    assert "| **All runs, searches and controls** | **1.152B** | **84 PFLOP** | **21 min** | **96** |" in written


def test_the_cost_table_ends_in_the_whole_study() -> None:
    rows = cost_rows(ranking("grid"))
    assert len(rows) == 13
    assert rows[-1] == ("All runs, searches and controls", "1.152B", "84 PFLOP", "21 min", "96")


def test_the_csv_of_cells_holds_everything_as_plain_numbers() -> None:
    rows, found = rows_of(cells_csv(ranking("grid"))), ranking("grid").cells
    for row, cell in zip(rows, found, strict=True):
        assert (int(row["d_model"]), int(row["n_layers"]), int(row["flops"])) == (
            cell.d_model,
            cell.n_layers,
            cell.flops,
        )
        assert (float(row["mean"]) if row["mean"] else None) == cell.mean
        assert row["may_be_best"] == str(cell.may_be_best).lower()
        assert row["reason"] == cell.reason
    assert "diverged" in rows[10]["losses"]


def test_the_csv_of_runs_has_every_outcome_with_its_purpose() -> None:
    rows, done = rows_of(runs_csv(study("grid"), outcomes("grid"))), outcomes("grid")
    assert {row["key"] for row in rows} == set(done)
    groups = {row["group"] for row in rows}
    assert groups == {"search", "second_recipe_search", "ranking", "again", "bad", "second_recipe", "second_horizon"}
    for row in rows:
        assert float(row["loss"]) == done[row["key"]].loss


def test_a_spreadsheet_runs_no_name() -> None:
    found = ranking("beside")
    cells = (replace(found.cells[0], label="=1+1", key="@x"), *found.cells[1:])
    row = rows_of(cells_csv(replace(found, cells=cells)))[0]
    assert (row["label"], row["key"]) == ("'=1+1", "'@x")


@pytest.mark.parametrize("name", ["grid", "hostile"])
def test_the_json_reads_back(name: str) -> None:
    record = json.loads(study_json(study(name), ranking(name)))
    assert study_from_record(record["study"]).cells == study(name).cells
    assert ranking_from_record(record["ranking"]) == ranking(name)


def code_of(text: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_ranks_the_study_again_in_another_folder(tmp_path: Path) -> None:
    found = fake_study(x=("embedding_ratio", (0.25, 0.45)), y=("glu_expansion", (2, 4)))
    done = fake_outcomes(found)
    ranked = rank_study(found, done)
    code = "\n".join(cell for cell in code_of(study_notebook(found, done, ranked)) if "IPython" not in cell)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0] == ranked.verdict


def test_a_hostile_name_stays_data_in_the_notebook() -> None:
    written = study_notebook(study("hostile"), outcomes("hostile"), ranking("hostile"))
    for cell in code_of(written):
        compile(cell, "cell", "exec")
    text = "".join(json.loads(written)["cells"][0]["source"])
    assert "<img" not in re.sub(r"\\<", "", text)
