"""What axe-core finds on a page."""

from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page

OF_VEGA = "svg-img-alt"
"""Vega's SVG renderer names the chart and its marks, and leaves the groups of marks between them without a name."""

RULES: dict[Literal["light", "dark"], dict[str, Any]] = {
    "light": {"rules": {OF_VEGA: {"enabled": False}}},
    "dark": {"runOnly": ["color-contrast"]},
}
"""Rules by colour scheme; only the contrast of colours depends on it."""


def grave_faults(page: Page) -> list[tuple[str, str, str]]:
    """Return the serious faults of a page: colour scheme, rule and element."""
    faults: list[tuple[str, str, str]] = []
    for scheme, rules in RULES.items():
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page, options={"resultTypes": ["violations"]} | rules)
        faults += [
            (scheme, fault["id"], node["html"])
            for fault in found.response["violations"]
            for node in fault["nodes"]
            if fault["impact"] in ("serious", "critical")
        ]
    return faults
