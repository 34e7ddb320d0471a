"""From page to page in a real Chromium: the knobs go along by links, buttons, history and copied addresses."""

import re

from playwright.sync_api import Page, expect

from tests.browser import TITLES, chart, choose, go_to, open_app, press, settle, type_exactly

ASKED = re.compile(r"total_params=12\.5M.*norm=rmsnorm")
DESIGN, INSPECT = TITLES["Design"], TITLES["Inspect"]


def test_knobs_survive_a_change_of_page_in_both_directions(page: Page, address: str) -> None:
    open_app(page, address)
    type_exactly(page, "Total parameters", "12.5M")
    expect(chart(page)).to_contain_text("Target: 12.5M")
    page.get_by_text("Architecture", exact=True).click()
    choose(page, "Norm", "RMSNorm")
    expect(page).to_have_url(ASKED)
    settle(page)
    drawn = chart(page).text_content()
    for _ in range(2):
        go_to(page, "Inspect")
        expect(page).to_have_url(ASKED)
        go_to(page, "Design")
        expect(page).to_have_url(ASKED)
        expect(chart(page)).to_have_text(drawn or "never")
        expect(page.get_by_label("Total parameters, exact")).to_have_value("12.5M")


def test_a_copied_address_of_any_page_carries_the_knobs(fresh: Page, elsewhere: str) -> None:
    open_app(fresh, elsewhere, "inspect?total_params=12.5M&norm=rmsnorm&n_kv_heads=2")
    go_to(fresh, "Design")
    expect(chart(fresh)).to_contain_text("Target: 12.5M")
    expect(chart(fresh)).to_contain_text("8 heads (2 KV)")
    expect(fresh).to_have_url(ASKED)


def test_going_back_and_forth_in_history_keeps_page_and_knobs_in_step(page: Page, address: str) -> None:
    open_app(page, address, "?total_params=12.5M&norm=rmsnorm")
    go_to(page, "Inspect")
    go_to(page, "Design")
    press(page, "GLU expansion", "ArrowRight")
    expect(page).to_have_url(re.compile("glu_expansion=2.7"))
    page.go_back()
    expect(chart(page)).to_contain_text("GLU expansion 2.66")
    settle(page)
    page.go_back()
    expect(page).to_have_url(re.compile(rf"/inspect\?{ASKED.pattern}"))
    # Every page is waited for to its end: Streamlit's frontend pushes the address of a page whose run begins after the
    # next step, and with it drops the rest of the history.
    expect(page).to_have_title(INSPECT)
    settle(page)
    page.go_back()
    expect(page).to_have_title(DESIGN)
    expect(chart(page)).to_contain_text("Target: 12.5M")
    settle(page)
    for title in (INSPECT, DESIGN):
        page.go_forward()
        expect(page).to_have_title(title)
        settle(page)
    page.go_forward()
    expect(chart(page)).to_contain_text("GLU expansion 2.7 ")


def test_choices_that_exclude_each_other_survive_a_change_of_page(page: Page, address: str) -> None:
    open_app(page, address, "?n_kv_heads=3")
    go_to(page, "Inspect")
    expect(page).to_have_url(re.compile("n_kv_heads=3"))
    page.get_by_role("link", name="Design", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("n_kv_heads=3 is not allowed")


def test_a_link_opens_the_other_page_with_the_knobs_in_a_new_tab_too(page: Page, address: str) -> None:
    open_app(page, address, "?total_params=12.5M")
    expect(page.get_by_role("link", name="Inspect", exact=True)).to_have_attribute(
        "href", re.compile(r"inspect\?total_params=12\.5M$")
    )


def test_an_inspected_model_is_opened_as_a_request(page: Page, address: str) -> None:
    open_app(page, address, "?total_params=12.5M&ffn=gelu")
    go_to(page, "Inspect")
    page.get_by_role("button", name="Edit as a design").click()
    expect(page.get_by_label("Total parameters, exact")).to_be_visible()
    expect(page.get_by_label("Total parameters, exact")).not_to_have_value("12.5M")
    expect(page).to_have_url(re.compile("norm=rmsnorm"))
    expect(page).not_to_have_url(re.compile("ffn=gelu"))
