"""The Sweep page in a real Chromium: clicks on cells, links on a fresh server, cancelling, downloads, and looks."""

import csv
import io
import re
import xml.etree.ElementTree as ET

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import chart, choose, go_to, open_app, press, saved, settle
from tests.looks import WIDTHS, faults, start_at
from tests.pixels import colors_of, opened

SMALL = "total_params=1M&vocab_size=1000&n_heads=4"


def cells(page: Page) -> Locator:
    return chart(page).locator("svg .mark-rect path")


def main_area(page: Page) -> Locator:
    return page.get_by_test_id("stMain")


def type_values(page: Page, side: str, text: str) -> None:
    box = page.get_by_label(f"Values of the {side}", exact=True)
    box.fill(text)
    box.press("Enter")


def test_a_click_on_a_cell_shows_its_design_which_opens_on_the_design_page(page: Page, address: str) -> None:
    open_app(page, address, "sweep")
    expect(chart(page)).to_contain_text("Forward FLOPs per token of 12 designs")
    cells(page).nth(9).click()
    expect(main_area(page)).to_contain_text("18 layers of width 160")
    expect(main_area(page)).to_contain_text("Embedding ratio 0.25 · GLU expansion 4:")
    page.get_by_role("button", name="Open on the Design page").click()
    expect(page).not_to_have_url(re.compile("/sweep"))
    expect(chart(page)).to_contain_text("18 layers × d_model 160")
    expect(page).to_have_url(re.compile("embedding_ratio=0.25.*glu_expansion=4"))


def test_a_picked_cell_is_pinned_and_stays_picked_when_the_figure_changes(page: Page, address: str) -> None:
    open_app(page, address, "sweep")
    cells(page).nth(9).click()
    expect(main_area(page)).to_contain_text("18 layers of width 160")
    choose(page, "Metric", "Layers")
    expect(chart(page)).to_contain_text("Layers of 12 designs")
    expect(main_area(page)).to_contain_text("18 layers of width 160")
    settle(page)  # the old page is still there while the new one is being drawn
    page.get_by_role("button", name=re.compile("Pin$")).click()
    expect(page).to_have_url(re.compile("pin=design"))


def test_a_click_on_a_cell_without_a_model_says_why(page: Page, address: str) -> None:
    open_app(page, address, "sweep?x=total_params&xs=1M,10M&y=vocab_size&ys=16k,262144")
    expect(chart(page)).to_contain_text("no model")
    cells(page).nth(2).click()
    expect(main_area(page)).to_contain_text("total_params=1,000,000 clashes with vocab_size=262144")
    page.get_by_role("button", name="Open on the Design page").click()
    expect(page.get_by_role("alert")).to_contain_text("clashes with vocab_size=262144")


def test_a_tooltip_says_what_a_cell_is(page: Page, address: str) -> None:
    open_app(page, address, "sweep?x=total_params&xs=1M,10M&y=vocab_size&ys=16k,262144")
    cells(page).nth(1).hover()
    tooltip = page.locator("#vg-tooltip-element")
    expect(tooltip).to_contain_text("Layers × width")
    expect(tooltip).to_contain_text("25.2 MFLOP")
    cells(page).nth(2).hover()
    expect(tooltip).to_contain_text("the smallest such model")


def test_a_point_of_the_pareto_chart_is_clicked_too(page: Page, address: str) -> None:
    open_app(page, address, "sweep?view=pareto")
    expect(chart(page)).to_contain_text("Forward FLOPs per token against factor off the usual shape of 12 designs")
    chart(page).locator("svg .mark-symbol path").nth(0).click()
    expect(main_area(page)).to_contain_text("embedding ratio")
    expect(page.get_by_role("button", name="Open on the Design page")).to_be_visible()


def test_controls_move_the_link_which_opens_the_same_sweep_on_another_server(
    page: Page, address: str, fresh: Page, elsewhere: str
) -> None:
    open_app(page, address, "sweep?total_params=12.5M")
    choose(page, "Columns", "Norm")
    expect(page).to_have_url(re.compile(r"x=norm"))
    type_values(page, "rows", "2, 4")
    expect(page).to_have_url(re.compile(r"ys=2%2C\+4"))
    choose(page, "Metric", "KV cache per token")
    expect(chart(page)).to_contain_text("KV cache per token of 8 designs, by norm and GLU expansion")
    press(page, "Embedding ratio", "ArrowRight")
    expect(chart(page)).to_contain_text("embedding ratio 0.36")
    expect(page).to_have_url(re.compile(r"embedding_ratio=0.36"))
    settle(page)
    drawn, query = chart(page).text_content(), page.url.partition("/sweep?")[2]
    open_app(fresh, elsewhere, f"sweep?{query}")
    expect(chart(fresh)).to_have_text(drawn or "never")


def test_the_sweep_survives_a_visit_to_another_page_and_going_back(page: Page, address: str) -> None:
    open_app(page, address, "sweep")
    choose(page, "Columns", "Norm")
    expect(chart(page)).to_contain_text("by norm and GLU expansion")
    expect(page).to_have_url(re.compile(r"x=norm"))
    settle(page)
    go_to(page, "Design")
    go_to(page, "Sweep")
    expect(chart(page)).to_contain_text("by norm and GLU expansion")
    choose(page, "Metric", "Layers")
    expect(chart(page)).to_contain_text("Layers of 16 designs")
    settle(page)
    page.go_back()
    expect(chart(page)).to_contain_text("Forward FLOPs per token of 16 designs, by norm and GLU expansion")


def test_the_copied_link_holds_everything_and_an_embedded_page_the_chart_alone(page: Page, address: str) -> None:
    open_app(page, address, f"sweep?{SMALL}&fig=n_layers")
    page.get_by_role("button", name="Share").click()
    links = page.get_by_test_id("stCode")
    expect(links.first).to_contain_text(
        re.compile("vocab_size=1000.*x=embedding_ratio&xs=0.25.*fig=n_layers.*view=map")
    )
    embedded = (links.last.text_content() or "").strip()
    page.goto(embedded)
    expect(chart(page)).to_contain_text("Layers of 12 designs")
    expect(page.get_by_role("combobox", name="Columns")).to_have_count(0)
    expect(page.get_by_role("button", name="Share")).to_have_count(0)


def test_measured_models_fill_the_map(page: Page, address: str) -> None:
    open_app(page, address, f"sweep?{SMALL}&xs=0.2,0.3&ys=2,3&fig=forward_seconds")
    expect(chart(page)).to_contain_text("not measured: 4")
    page.get_by_role("button", name=re.compile("Measure 4 PyTorch models")).click()
    expect(main_area(page)).to_contain_text("4 of 4 PyTorch models measured", timeout=60_000)
    expect(chart(page)).to_contain_text(re.compile(r"\d ms"))
    expect(chart(page)).not_to_contain_text("not measured")


def test_a_measurement_is_cancelled_while_a_model_is_being_built_and_keeps_what_it_has(
    page: Page, address: str
) -> None:
    # The first model is small and the second takes many seconds.
    open_app(page, address, f"sweep?{SMALL}&x=total_params&xs=1M,500M&y=glu_expansion&ys=2.66&fig=forward_seconds")
    page.get_by_role("button", name=re.compile("Measure 2 PyTorch models")).click()
    expect(main_area(page)).to_contain_text(
        re.compile("Measuring model 2 of 2, about .* left.*initialising the weights"), timeout=60_000
    )
    expect(page.get_by_role("button", name=re.compile("Measur"))).to_be_disabled()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name=re.compile("Measure the other"))).to_be_visible(timeout=15_000)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(main_area(page)).to_contain_text("1 of 2 PyTorch models measured")
    expect(chart(page)).to_contain_text("not measured: 1")
    settle(page)
    # The lock is free again.
    type_values(page, "columns", "1M,1.1M")
    expect(chart(page)).to_contain_text("1.1M")
    settle(page)
    page.get_by_role("button", name=re.compile("Measure the other")).click()
    expect(main_area(page)).to_contain_text("2 of 2 PyTorch models measured", timeout=60_000)


def test_every_download_is_saved_and_opens(page: Page, address: str) -> None:
    open_app(page, address, "sweep")
    drawn = chart(page).text_content()
    page.get_by_role("button", name="Download", exact=True).click()
    name, data = saved(page, "Cells (CSV)")
    assert name == "slimlm-sweep-embedding_ratio-glu_expansion.csv"
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert [int(row["total_params"]) for row in rows][4] == 10_047_024
    name, data = saved(page, "Heat map (PNG)")
    picture = opened(data)
    assert (name[-8:], picture.width) == ("-map.png", 1920)
    assert len(colors_of(picture)) > 50
    name, data = saved(page, "Heat map (SVG)")
    texts = [text.text for text in ET.fromstring(data).iter("{http://www.w3.org/2000/svg}text")]
    assert "25.2 MFLOP" in texts
    expect(chart(page)).to_have_text(drawn or "never")


def test_ten_thousand_cells_are_drawn_explained_and_clicked(page: Page, address: str) -> None:
    open_app(page, address, "sweep?xs=0.05..0.85+x+100&ys=0.5..8+x+100&fig=n_layers")
    canvas = chart(page).locator("canvas")
    expect(canvas).to_be_visible(timeout=60_000)
    expect(main_area(page)).to_contain_text("at most 400 can be built and measured")
    box = canvas.bounding_box()
    assert box
    middle = {"x": box["width"] / 2, "y": 0.7 * box["height"]}
    canvas.hover(position=middle)  # type: ignore[arg-type]
    expect(page.locator("#vg-tooltip-element")).to_contain_text("Layers × width")
    canvas.click(position=middle)  # type: ignore[arg-type]
    expect(main_area(page)).to_contain_text(re.compile(r"Embedding ratio 0\.\d+ · GLU expansion \d"))


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize(
    "query",
    ["", "view=pareto", "x=total_params&xs=1M,2M,5M,10M,20M,50M&y=vocab_size&ys=1k,16k,50257,262144", "x=norm&y=block"],
    ids=["specified", "pareto", "impossible", "words"],
)
def test_nothing_is_cut_off_and_no_texts_overlap(fresh: Page, address: str, query: str, widths: str) -> None:
    start_at(fresh, widths)
    open_app(fresh, address, f"sweep?{query}")
    expect(chart(fresh).locator("svg")).to_be_attached()
    assert faults(fresh, widths) == []
