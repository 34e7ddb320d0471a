"""The nearest measured evidence on pages, on the card and in reports, and measured loss as a metric of a sweep."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.export import card, report_html, report_markdown
from slimlm.export.card import design_card
from slimlm.export.report_html import html_report
from slimlm.export.report_markdown import markdown
from slimlm.ranking.evidence import Evidence, evidence_for
from slimlm.ranking.record import write_ranking
from slimlm.solver.solver import solve
from slimlm.ui import evidence, rank_library
from slimlm.ui.sweep_trained import TRAINED, trained_loss
from tests.studies import fake_outcomes, fake_study, write_fake
from tests.test_app import APP, chart_title, shown

SMALL = {"total_params": "1M", "vocab_size": "4096", "max_seq_length": "128"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("shipped")
    study = fake_study()
    write_ranking(write_fake(home / "small-prose", study, fake_outcomes(study)))
    return home


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[None]:
    def nearest(subject: Design) -> Evidence | None:
        return evidence_for(subject, home)

    for module in (evidence, card, report_html, report_markdown):
        monkeypatch.setattr(module, "evidence_for", nearest)
    monkeypatch.setattr(rank_library, "SHIPPED", home)
    evidence._nearest.clear()
    yield
    evidence._nearest.clear()


def opened(page: str, **query: str | list[str]) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    if page != "app.py":
        app.switch_page(page)
    app.query_params.update(query)
    app.run()
    assert not app.exception
    return app


def said(page: AppTest) -> str:
    return shown("\n".join(text.value for text in (*page.markdown, *page.caption, *page.warning)))


SENTENCE = "250k tokens: embedding ratio 0.35 and 0.45 may be best (6 of 12 cells); 0.25 is worse by 0.142"


def test_the_design_page_and_the_comparison_cite_the_nearest_study() -> None:
    assert SENTENCE in said(opened("app.py"))
    assert "this design is 10 × larger" in said(opened("app.py"))
    assert SENTENCE in said(opened("pages/compare.py", pin=["design", "model~gpt2"]))


def test_nothing_is_cited_where_no_study_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "evidence_for", lambda subject: None)
    evidence._nearest.clear()
    assert "Measured at" not in said(opened("app.py"))


def test_card_and_reports_cite_it_in_full() -> None:
    design = solve(ModelConfig())
    assert SENTENCE in markdown(design)
    assert SENTENCE in html_report(design)
    svg = design_card(design, format="svg").decode()
    assert "Measured at 1M parameters, " in svg


def test_a_sweep_that_the_study_covers_offers_its_losses_with_intervals() -> None:
    page = opened("pages/sweep.py", fig=TRAINED, xs="0.25, 0.45", ys="2, 4", **SMALL)
    assert " ".join(chart_title(page)["text"]).startswith("Measured loss (bits per byte) of 4 designs")
    assert "2.197 ± 0.015" in str(json.loads(page.get("vega_lite_chart")[0].proto.spec))
    assert page.selectbox("sweep_fig").options[-1] == "Measured loss (bits per byte)"
    assert "Embedding ratio 0.35 and 0.45 may be best" in said(page)
    assert page.selectbox("sweep_cell").options[0].endswith("2.197 ± 0.015")
    page = opened("pages/sweep.py", view="pareto", vs="n_layers", fig=TRAINED, **SMALL)
    assert "Measured loss" in " ".join(chart_title(page)["text"])


@pytest.mark.parametrize(
    "changes", [{"total_params": "2M"}, {"vocab_size": "8000"}, {"xs": "0.25, 0.3"}, {"x": "norm"}]
)
def test_it_is_not_offered_where_no_study_covers_the_sweep(changes: dict[str, str]) -> None:
    page = opened("pages/sweep.py", fig=TRAINED, **SMALL | changes)
    assert "The link's fig was ignored: no shipped study has trained the cells of this sweep." in said(page)
    assert TRAINED not in page.selectbox("sweep_fig").options


def test_values_that_cannot_be_read_have_no_losses() -> None:
    assert trained_loss(ModelConfig(), {"embedding_ratio": "many", "glu_expansion": "2"}) is None
