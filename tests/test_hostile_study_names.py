"""Names in the record of a study are text in everything that is written of it, and on the terminal."""

import ast
import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from slimlm.charts.study_map import study_map
from slimlm.cli.rank_text import format_ranking, format_study_plan
from slimlm.core.named_model import NamedModel
from slimlm.export.study_card import study_card
from slimlm.export.study_downloads import study_downloads
from slimlm.export.study_notebook import study_notebook
from slimlm.export.study_reports import study_html, study_json, study_markdown
from slimlm.export.study_tables import cells_csv, runs_csv
from slimlm.ranking.rank import rank_study
from slimlm.ranking.result import Ranking
from slimlm.study.cells import study_cells
from slimlm.study.outcome import Outcome
from slimlm.study.plan import plan_study
from slimlm.study.study import Study
from slimlm.utils.text import JOINER
from tests.studies import fake_outcomes, fake_request, fake_study
from tests.test_hostile_links import LIVELY
from tests.test_hostile_names import TAGS, Elements

ODD = ("]]></svg>-->", "a`b|c", "{{7*7}} {% x %}", "\x1b[2J\x1b]0;title\x07", "a\r\nb\x00c", "@SUM(A1)",
       "+cmd|' /C'!A0", "\u202etxt.exe", "x" * 5000, "[a](javascript:alert(1))\n\n<b>", "\ufffe\ud7ff",
       '"""\nimport os', "${jndi}", "%s%n")  # fmt: skip
"""Texts that a terminal, a template or a parser would make something of."""

NAMES = [*LIVELY, *ODD]
MODELS = [LIVELY[0], LIVELY[2], LIVELY[7], LIVELY[9], LIVELY[15], *ODD[:6]]
"""Names of cells: each costs some runs."""


@pytest.fixture(scope="module")
def named() -> tuple[Study, dict[str, Outcome], Ranking]:
    """A study in which every free text is a list of strange ones."""
    axes: dict[str, Any] = {"x": ("embedding_ratio", (0.25, 0.45)), "y": ("glu_expansion", (2, 4)), "total": 300_000}
    base = study_cells(fake_request(vocab_size=512, **axes))[0].architecture
    models = tuple(
        NamedModel(name, replace(base, d_ff=67 + 8 * number), f"From {name}") for number, name in enumerate(MODELS)
    )
    said = " ".join(name[:60] for name in NAMES)
    study = fake_study(vocab_size=512, models=models, seeds=2, controls=False, prediction=said, **axes)
    data = {size: replace(one, name=said, digest=said) for size, one in study.data.items()}
    study = replace(study, data=data)
    texts = [name[:200] for name in NAMES if name.isprintable()]
    outcomes = {
        key: replace(one, device=texts[n % len(texts)], versions={texts[n % len(texts)]: texts[-1 - n % len(texts)]},
                     failed_checks=(texts[(n + 3) % len(texts)],))
        for n, (key, one) in enumerate(fake_outcomes(study).items())
    }  # fmt: skip
    return study, outcomes, rank_study(study, outcomes)


@pytest.fixture(scope="module")
def plain_tags() -> set[str]:
    """The elements of a report whose names are usual."""
    axes: dict[str, Any] = {"x": ("embedding_ratio", (0.25, 0.45)), "y": ("glu_expansion", (2, 4)), "total": 300_000}
    study = fake_study(vocab_size=512, seeds=2, prediction="wide wins", **axes)
    outcomes = fake_outcomes(study)
    return Elements(study_html(study, outcomes, rank_study(study, outcomes))).tags


Named = tuple[Study, Mapping[str, Outcome], Ranking]


def test_a_report_in_html_has_names_as_text(named: Named, plain_tags: set[str]) -> None:
    found = Elements(study_html(*named))
    assert found.tags - plain_tags <= {"small"}
    assert not {name for name in found.attributes if name.startswith("on")}
    assert LIVELY[0][:20] in found.text


def test_pictures_have_names_as_text(named: Named) -> None:
    study, outcomes, ranking = named
    for download in study_downloads(study, outcomes, ranking):
        if download.file_name.endswith(".svg"):
            root = ElementTree.fromstring(download.build())
            tags = {element.tag.rpartition("}")[2] for element in root.iter()}
            assert not tags & (TAGS | {"image", "foreignObject"}), download.file_name
    ElementTree.fromstring(study_card(study, ranking, format="svg"))


def alive(text: str) -> list[str]:
    """Return the texts that stand in Markdown without an escape."""
    return [name for name in (*LIVELY[:13], *ODD[:3]) if re.search(rf"(?<!\\){re.escape(name)}", text)]


def test_a_report_in_markdown_has_names_as_text(named: Named) -> None:
    study, _, ranking = named
    text = study_markdown(study, ranking)
    assert alive(text) == []
    assert all(line.replace(JOINER, "").isprintable() for line in text.splitlines())
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") - line.count("\\|") for line in tables[: 2 + len(ranking.cells)]} == {
        tables[0].count("|")
    }  # no name starts a column


def test_a_notebook_has_names_as_text_and_data(named: Named) -> None:
    study, outcomes, ranking = named
    for cell in json.loads(study_notebook(study, outcomes, ranking))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            assert alive(source) == []
            continue
        calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}
        assert not {name for name in calls if name.startswith(("os", "eval", "exec", "__"))}
        assert all(line.isascii() for line in source.splitlines() if "json.loads(" in line)


def test_tables_for_spreadsheets_have_no_formula(named: Named) -> None:
    study, outcomes, ranking = named
    for text in (cells_csv(ranking), runs_csv(study, outcomes)):
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        words = [cell for cell in cells if not _is_number(cell)]
        assert [cell for cell in words if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
        assert all(cell.isprintable() for cell in words)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_json_keeps_names_and_charts_take_them_as_data(named: Named) -> None:
    study, _, ranking = named
    record = json.loads(study_json(study, ranking))
    assert [model["name"] for model in record["study"]["request"]["models"]] == MODELS
    spec = json.dumps(study_map(study, ranking).to_dict())
    assert '"expr": "datum.x"' not in spec and "signal" not in json.loads(spec).get("params", {})


def test_a_terminal_shows_names_as_text(named: Named) -> None:
    study, _, ranking = named
    for text in (format_ranking(ranking), format_study_plan(study, plan_study(study), None, "")):
        assert [line for line in text.splitlines() if not line.isprintable()] == []
        assert "\x1b" not in text and "\u202e" not in text


def test_files_of_a_study_have_plain_names(named: Named) -> None:
    assert all(one.file_name.replace("-", "").replace(".", "").isalnum() for one in study_downloads(*named))
