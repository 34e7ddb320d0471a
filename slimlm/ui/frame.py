"""The frame of every page: page setup, links to pages, and the request."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

import streamlit as st

from slimlm.charts.palette import OFF_TARGET_TEXT, VERDICT_SHADES
from slimlm.core.config import ModelConfig
from slimlm.serialization.fields import Value, to_query, to_short_query, values_of
from slimlm.ui import query_params, url_state
from slimlm.ui.callbacks import completed
from slimlm.ui.chart_first import knobs_in_turn
from slimlm.ui.cost_panels import COST_PARAMETERS
from slimlm.ui.figure_tiles import LONG_VALUES_STYLE
from slimlm.ui.knob_widgets import move_knobs
from slimlm.ui.knobs import draw_knobs
from slimlm.ui.model_builds import PRECISION
from slimlm.ui.pins import pinned
from slimlm.ui.query_params import SCALE
from slimlm.ui.sections import TAB
from slimlm.ui.server_process import prepare_process
from slimlm.utils.text import one_line, plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


class PageLink(NamedTuple):
    """A page of the app."""

    path: str
    label: str
    icon: str


DESIGN = PageLink("app.py", "Design", ":material/tune:")
COMPARE = PageLink("pages/compare.py", "Compare", ":material/compare:")
PAGES = (
    DESIGN,
    PageLink("pages/sweep.py", "Sweep", ":material/grid_on:"),
    PageLink("pages/rank.py", "Rank", ":material/leaderboard:"),
    PageLink("pages/inspect.py", "Inspect", ":material/frame_inspect:"),
    COMPARE,
)

_COLOURS = "\n".join(
    [
        f"  :root {{ --off-target: {OFF_TARGET_TEXT.css}; }}",
        *(f"  .st-key-verdict_{name} {{ --verdict: {shade.css}; }}" for name, shade in VERDICT_SHADES.items()),
    ]
)
_STYLE = """
  [data-testid="stMainBlockContainer"] { padding-top: 3.75rem; max-width: 1180px;
                                          padding-inline: clamp(1rem, 4vw, 5rem); }
  .st-key-figures [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
  .st-key-figures [data-testid="stColumn"] { min-width: 11.2rem; flex: 1 1 11.2rem; }
  [data-testid="stSidebarUserContent"] { padding-top: 0; }
  [data-testid="stSidebarHeader"] { height: 2.2rem; margin: 0; padding-bottom: 0; }
  .st-key-pages { min-height: 3.5rem; }
  [data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
  .stMarkdown table { width: 100%; font-variant-numeric: tabular-nums; border-collapse: collapse; }
  .stMarkdown table :is(th, td) { border: 0; padding: 0.28rem 0.6rem; }
  .stMarkdown table thead { border-block: 1px solid color-mix(in srgb, currentColor 45%, transparent); }
  .stMarkdown table tbody { border-bottom: 1px solid color-mix(in srgb, currentColor 45%, transparent); }
  .stMarkdown table thead:has(th:first-child:empty) { display: none; }
  .stMarkdown table td:nth-last-child(-n + 2):not(:first-child) { white-space: nowrap; }
  .st-key-top { min-height: 17.6rem; }
  [class*="st-key-verdict_"] { border-inline-start: 0.25rem solid var(--verdict); border-radius: 0.3rem;
                               background: color-mix(in srgb, var(--verdict) 9%, transparent);
                               padding: 0.35rem 0.8rem; min-height: 3.9rem; }
  [data-testid="stCaptionContainer"] { opacity: 1; }
  [data-testid="stCaptionContainer"] p { color: light-dark(#5F6166, #B4B7BD); }
  .st-key-outdated { opacity: 0.45; }
  .st-key-heading h1 { padding: 0 0 0.9rem; line-height: 1.3; font-size: 1.2rem; font-weight: 600; }
  [data-testid="stElementToolbarButton"]:has([aria-label="Show data"]) { display: none; }
  .st-key-heading > :has(h1) { flex: 1 1 14rem; }
  .st-key-cell_facts > :has(p strong) { flex: 1 1 20rem; }
  .st-key-evidence > :first-child { flex: 1 1 20rem; }
  [data-testid="stToastContainer"] { inset: auto auto 1rem 1rem; }
  .alternative { display: grid; grid-template-columns: 1.4fr repeat(5, 1fr); gap: 0.2rem 0.8rem; margin: 0;
                 font-variant-numeric: tabular-nums; }
  .alternative dt { font-size: 0.75rem; color: light-dark(#5F6166, #B4B7BD); }
  .alternative dd { margin: 0; white-space: nowrap; }
  .alternative .off-target { color: var(--off-target); }
  [class*="st-key-alternative_"] > :has(.alternative) { flex: 1 1 18rem; }
  [data-testid="stPageLink"] p { white-space: normal; }
  @media (min-width: 641px) {
    [class*="st-key-wrapped_"] [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
    [class*="st-key-wrapped_"] [data-testid="stColumn"] { min-width: 12.4rem; flex: 1 1 12.4rem; }
    .st-key-wrapped_picker [data-testid="stColumn"]:first-child { min-width: 22rem; }
    .st-key-wrapped_figures [data-testid="stColumn"]:first-child { min-width: 10.2rem; flex-basis: 10.2rem; }
    .st-key-wrapped_figures [data-testid="stColumn"]:last-child { min-width: 14.4rem; flex-basis: 14.4rem; }
  }
  @media (max-width: 640px) {
    .st-key-figures [data-testid="stColumn"] { min-width: 9.5rem; flex-basis: 9.5rem; }
    .alternative { grid-template-columns: repeat(3, 1fr); }
    .stMarkdown table:has(th:nth-child(6)) :is(th, td):is(:nth-child(3), :nth-child(4)) { display: none; }
    [data-testid="stMetricValue"] { font-size: 1.7rem; }
  }
"""


def start_page(title: str) -> None:
    """Configure the page and its style."""
    prepare_process()
    st.set_page_config(page_title=title, page_icon="📊", layout="wide")
    st.html(f"<style>{_COLOURS}{_STYLE}{LONG_VALUES_STYLE}</style>")
    if st.context.is_embedded:  # for screenshots: without sidebar and header
        st.set_page_config(initial_sidebar_state="collapsed")
        st.html("<style>[data-testid=stHeader] { display: none; }</style>")


def name_page(name: str) -> None:
    """Put what the page shows into its title, for the browser's tabs and history."""
    st.set_page_config(page_title=f"{one_line(name, 60)} · slimlm")


def sidebar_head() -> "DeltaGenerator":
    """Show the app's name at the top of the sidebar; return the column to its right."""
    with st.sidebar:
        name, right = st.columns([0.5, 0.5], vertical_alignment="center")
    name.markdown("#### :material/stacked_bar_chart: slimlm")
    return right


def links_place() -> "DeltaGenerator":
    """Return the container in the sidebar for the links to all pages."""
    return st.sidebar.container(horizontal=True, key="pages")


def request() -> ModelConfig:
    """Return the request of the knobs; they need not be drawn yet, so that a chart can be sent before them.

    Raises ValueError for incompatible choices, which `show_problem` shows.
    """
    url_state.follow()
    for text in url_state.complaints():
        st.warning(plain(text), icon=":material/link_off:")
    return ModelConfig(**url_state.positions())  # type: ignore[arg-type]


def show_knobs() -> None:
    """Draw the knobs in the sidebar, in turn with other sessions."""
    with knobs_in_turn(), st.sidebar:
        st.caption("Set the budget; depth and widths follow.")
        draw_knobs()


def keep_knobs() -> None:
    """Show the links to all pages on a page without knobs; the links keep the request of the Design page."""
    _draw_links(links_place(), url_state.follow())


def show_links(place: "DeltaGenerator") -> None:
    """Write the request into the URL and into the links to all pages; call it after the chart."""
    _draw_links(place, url_state.write())


def _draw_links(place: "DeltaGenerator", values: Mapping[str, Value]) -> None:
    carried = url_state.others() | to_short_query(values)
    count = len(pinned())
    for page in PAGES:
        label = f"{page.label} · {count}" if page == COMPARE and count else page.label
        place.page_link(page.path, label=label, icon=page.icon, query_params=carried)


@completed
def apply_request(config: ModelConfig) -> None:
    """Set the knobs to a request; a callback."""
    move_knobs(values_of(config))


def open_on_design(config: ModelConfig) -> None:
    """Open the Design page with a request; a callback."""
    apply_request(config)
    carried = query_params.hand_over(url_state.others() | url_state.note(values_of(config)))
    st.switch_page(DESIGN.path, query_params=carried)


def view_in_url() -> dict[str, str]:
    """Return the query parameters that say what of a model is shown: the section, the precision, the costs."""
    return {name: text for name in (TAB, PRECISION, SCALE, *COST_PARAMETERS) if (text := query_params.get(name))}


def full_link(config: ModelConfig | None, *, embedded: bool = False, extra: Mapping[str, str] | None = None) -> str:
    """Return a link that opens this page with this request, defaults included, and with more query parameters.

    embedded: without Streamlit's frame, for screenshots.
    """
    asked = (to_query(values_of(config)) if config else {}) | view_in_url()
    return f"{st.context.url}?{urlencode(asked | dict(extra or {}) | ({'embed': 'true'} if embedded else {}))}"
