"""What axe-core finds on every page, light and dark: nothing serious."""

import pytest
from playwright.sync_api import Page, expect

from tests.accessibility import grave_faults
from tests.browser import chart, open_app

PAGES = {
    "design": "",
    "costs": "?tab=costs",
    "sweep": "sweep",
    "inspect": "inspect",
    "compare": "compare?pin=design&pin=model~gpt2",
}


@pytest.mark.parametrize("name", PAGES)
def test_nothing_serious_hinders_a_reader_light_or_dark(page: Page, address: str, name: str) -> None:
    open_app(page, address, PAGES[name])
    expect(chart(page).locator("svg")).to_be_visible()
    assert page.get_by_role("heading", level=1).count() == (name != "sweep")
    assert grave_faults(page) == []
