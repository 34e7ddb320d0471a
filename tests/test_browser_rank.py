"""The Rank page in a real Chromium: clicks on cells, links on a fresh server, starting a study, and looks."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from slimlm.ranking.shipped import shipped_studies
from slimlm.ui.rank_library import STUDIES
from tests.accessibility import grave_faults
from tests.browser import chart, choose, open_app, open_section, settle, shared_links
from tests.looks import WIDTHS, faults, start_at
from tests.server import serving
from tests.studies import fake_outcomes, fake_study, write_fake

SECTIONS = ("Learning rates", "Curves", "Costs", "Controls")


def filled(home: Path) -> Path:
    study = fake_study()
    write_fake(home / "complete", study, fake_outcomes(study))
    write_fake(home / "partial", study, fake_outcomes(study, most=60), packed=False)
    return home


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a server with a complete study and one that is half done."""
    home = filled(tmp_path_factory.mktemp("studies"))
    with serving(environment={STUDIES: str(home)}) as server:
        yield server.address


def main_area(page: Page) -> Locator:
    return page.get_by_test_id("stMain")


def test_the_first_view_is_a_shipped_study(page: Page, ranked: str) -> None:
    first, *_ = shipped_studies()
    open_app(page, ranked, "rank")
    expect(main_area(page)).to_contain_text(first.ranking.answer[1:])
    expect(chart(page).locator("svg")).to_be_visible()
    assert page.get_by_role("heading", level=1).count() == 1
    assert grave_faults(page) == []


def test_a_study_is_its_verdict_and_its_map_and_a_click_opens_a_cell(page: Page, ranked: str) -> None:
    open_app(page, ranked, "rank?study=complete")
    expect(main_area(page)).to_contain_text("Embedding ratio 0.35 and 0.45 may be best (6 of 12 cells)")
    expect(chart(page)).to_contain_text("2.197 ± 0.015")
    chart(page).locator("svg .mark-rect path").nth(4).click()
    expect(main_area(page)).to_contain_text("7 layers of width 88, feed-forward 223")
    expect(page).to_have_url(re.compile("cell=embedding_ratio"))
    settle(page)
    page.get_by_role("button", name="Open on the Design page").click()
    expect(page).not_to_have_url(re.compile("/rank"))
    expect(chart(page)).to_contain_text("7 layers × d_model 88")


def test_a_link_shows_the_same_in_another_browser(page: Page, fresh: Page, ranked: str) -> None:
    open_app(page, ranked, "rank?study=complete")
    choose(page, "Study", "partial")
    expect(main_area(page)).to_contain_text("So far, 60 of at least")
    chart(page).locator("svg .mark-rect path").nth(1).click()
    expect(page).to_have_url(re.compile("cell="))
    settle(page)
    page.get_by_role("radio", name="FLOPs").click()
    expect(page).to_have_url(re.compile("against=flops"))
    settle(page)
    plain, _ = shared_links(page)
    drawn = chart(page).text_content()
    fresh.goto(plain)
    settle(fresh)
    expect(chart(fresh)).to_have_text(drawn or "never")
    expect(main_area(fresh)).to_contain_text("8 layers of width 88")
    expect(fresh.get_by_role("radio", name="FLOPs")).to_have_attribute("aria-checked", "true")


def test_a_study_is_started_cancelled_and_resumed(fresh: Page, ranked: str) -> None:
    open_app(fresh, ranked, "rank")
    fresh.get_by_text("New study", exact=True).click()
    fresh.get_by_text("Rehearsal: a tiny study").click()
    expect(fresh.get_by_text("at least 44 runs")).to_be_visible()
    fresh.get_by_role("button", name="Start").click()
    expect(fresh).to_have_url(re.compile("study=rehearsal"))
    expect(main_area(fresh)).to_contain_text(re.compile(r"Training: \d+ of \d+ known runs over"))
    fresh.get_by_role("button", name="Cancel").click()
    expect(main_area(fresh)).to_contain_text("Cancelled:")
    fresh.get_by_role("button", name="Resume").click()
    expect(main_area(fresh)).to_contain_text("Training:")
    fresh.get_by_role("button", name="Cancel").click()
    expect(main_area(fresh)).to_contain_text("Cancelled:")


@pytest.mark.parametrize("widths", WIDTHS)
def test_nothing_is_cut_off_and_no_texts_overlap(fresh: Page, ranked: str, widths: str) -> None:
    start_at(fresh, widths)
    open_app(fresh, ranked, "rank?cell=embedding_ratio%3D0.35%2Cglu_expansion%3D2.66")
    expect(chart(fresh).locator("svg")).to_be_attached()
    assert faults(fresh, widths) == []
    for section in SECTIONS:
        open_section(fresh, section)
        assert faults(fresh, widths) == [], section
