"""What axe-core finds on every page, light and dark: nothing serious."""

from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.browser import chart, open_app

PAGES = {
    "design": "",
    "costs": "?tab=costs",
    "sweep": "sweep",
    "inspect": "inspect",
    "compare": "compare?pin=design&pin=model~gpt2",
}

OF_VEGA = "svg-img-alt"
"""Vega's SVG renderer names the chart and its marks, and leaves the groups of marks between them without a name."""

RULES: dict[Literal["light", "dark"], dict[str, Any]] = {
    "light": {"rules": {OF_VEGA: {"enabled": False}}},
    "dark": {"runOnly": ["color-contrast"]},
}
"""Rules by colour scheme; only the contrast of colours depends on it."""


@pytest.mark.parametrize("name", PAGES)
def test_nothing_serious_hinders_a_reader_light_or_dark(page: Page, address: str, name: str) -> None:
    open_app(page, address, PAGES[name])
    expect(chart(page).locator("svg")).to_be_visible()
    assert page.get_by_role("heading", level=1).count() == (name != "sweep")
    for scheme, rules in RULES.items():
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page, options={"resultTypes": ["violations"]} | rules)
        grave = [
            (fault["id"], node["html"])
            for fault in found.response["violations"]
            for node in fault["nodes"]
            if fault["impact"] in ("serious", "critical")
        ]
        assert grave == [], scheme
