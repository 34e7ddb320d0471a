"""User interface: the frame of the pages, the knobs, the URL state and the panels."""

from slimlm.ui.chart_first import let_the_browser_draw
from slimlm.ui.frame import (
    apply_request,
    full_link,
    keep_knobs,
    links_place,
    name_page,
    open_on_design,
    request,
    show_knobs,
    show_links,
    sidebar_head,
    start_page,
)
from slimlm.ui.presets import show_presets
from slimlm.ui.problems import keep_as_last, show_problem

__all__ = [
    "apply_request",
    "full_link",
    "keep_as_last",
    "keep_knobs",
    "let_the_browser_draw",
    "links_place",
    "name_page",
    "open_on_design",
    "request",
    "show_knobs",
    "show_links",
    "show_presets",
    "show_problem",
    "sidebar_head",
    "start_page",
]
