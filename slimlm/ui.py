"""What the pages share: their frame, and the knobs in the sidebar and in the link."""

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import streamlit as st

from slimlm.config import ModelConfig
from slimlm.fields import field_limits
from slimlm.knobs import (
    ALIGNMENT,
    HEADS,
    KNOBS,
    MORE,
    PRESETS,
    REGULARISATION,
    SLIDERS,
    TIED,
    Knob,
    Value,
    complaint,
    to_query,
)
from slimlm.record import request_from_text
from slimlm.solver import BudgetError

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

_STYLE = """
<style>
  [data-testid="stMainBlockContainer"] { padding-top: 3.75rem; max-width: 1180px;
                                          padding-inline: clamp(1rem, 4vw, 5rem); }
  .st-key-figures [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
  .st-key-figures [data-testid="stColumn"] { min-width: 11.2rem; flex: 1 1 11.2rem; }
  [data-testid="stSidebarUserContent"] { padding-top: 0; }
  [data-testid="stSidebarHeader"] { height: 2.2rem; margin: 0; padding-bottom: 0; }
  [data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
  [data-testid="stMain"] table { width: 100%; font-variant-numeric: tabular-nums; border-collapse: collapse; }
  [data-testid="stMain"] table :is(th, td) { border: 0; padding: 0.28rem 0.6rem; }
  [data-testid="stMain"] table thead { border-block: 1px solid color-mix(in srgb, currentColor 45%, transparent); }
  [data-testid="stMain"] table tbody { border-bottom: 1px solid color-mix(in srgb, currentColor 45%, transparent); }
  [data-testid="stMain"] table thead:has(th:first-child:empty) { display: none; }
  [data-testid="stMain"] table td:nth-last-child(-n + 2) { white-space: nowrap; }
  .st-key-top { min-height: 13.5rem; }
  .st-key-real_model { min-height: 17rem; }
  .st-key-verdict { min-height: 1.5rem; }
  .alternative { display: grid; grid-template-columns: 2fr 1.6fr repeat(5, 1fr); gap: 0.6rem;
                 font-variant-numeric: tabular-nums; }
  .alternative span:nth-child(n + 2) { text-align: right; }
  .alternative .bent { color: light-dark(#A04D00, #FFB366); }
  .alternative.head { font-weight: 600; }
</style>
"""


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!<>|~$:&-])")


def plain(text: str) -> str:
    """Escape text that may come from a link, a file or a field, so that Markdown shows it as it is."""
    return _MARKDOWN.sub(r"\\\1", text)


def start_page(title: str) -> None:
    """Set the frame that every page has."""
    st.set_page_config(page_title=title, page_icon="📊", layout="wide")
    st.html(_STYLE)
    if st.context.is_embedded:  # a clean screenshot: no sidebar, and no bar that would open it
        st.set_page_config(initial_sidebar_state="collapsed")
        st.html("<style>[data-testid=stHeader] { display: none; }</style>")


def sidebar_head() -> "DeltaGenerator":
    """Draw the name above the knobs; return the place for `show_presets`, which nobody has to wait for."""
    with st.sidebar:
        name, presets = st.columns([0.5, 0.5], vertical_alignment="center")
    name.markdown("#### :material/stacked_bar_chart: slimlm")
    return presets.popover("Presets", width="stretch")


def knobs() -> ModelConfig:
    """Draw the knobs in the sidebar and return the request; the link holds every one that is not at its default."""
    state = st.session_state
    first_run = "complaints" not in state
    if first_run:
        state.complaints, state.corrected = _read_link()
    # A knob that has moved since keeps its new value.
    state.update({name: value for name, value in state.corrected.items() if first_run or state.get(name) == value})
    with st.sidebar:
        values = _widgets()
    if first_run and state.corrected:
        _run_again()
    else:
        state.corrected = {}
    try:
        config = ModelConfig(**values)  # type: ignore[arg-type]
    except ValueError as error:  # the widgets' limits are checked by the browser only
        st.error(plain(f"{error}."), icon=":material/error:")
        st.stop()
    if state.setdefault("linked", config) == config:  # once a knob has moved, the link is history
        for text in state.complaints:
            st.warning(plain(text), icon=":material/link_off:")
    return config


def _widgets() -> dict[str, Value]:
    values = {knob.field: _slider_and_field(knob) for knob in SLIDERS}
    values[HEADS.field] = _number(HEADS)
    values[TIED.field] = st.toggle(
        TIED.label, value=bool(TIED.default), key=TIED.field, bind="query-params", help=TIED.help
    )
    with st.expander("More choices"):
        values |= {knob.field: _number(knob) for knob in MORE}
        values[ALIGNMENT.field] = _slider(ALIGNMENT)
        values |= {knob.field: _number(knob) for knob in REGULARISATION}
    return values


def show_presets(place: "DeltaGenerator") -> None:
    """Offer requests to start from, and the loading of a saved one."""
    with place:
        _presets()


def _presets() -> None:
    st.button("Reset every knob", on_click=apply_request, args=(ModelConfig(),), icon=":material/restart_alt:")
    for label, preset in PRESETS.items():
        st.button(label, on_click=apply_request, args=(preset,), type="tertiary")
    st.file_uploader("Load a saved design (JSON)", type="json", key="saved", on_change=_load_saved)
    if problem := st.session_state.get("saved_problem"):
        st.error(plain(f"{problem}."), icon=":material/error:")


def _load_saved() -> None:
    file = st.session_state.saved
    st.session_state.saved_problem = None
    if file is None:
        return
    try:
        apply_request(request_from_text(file.getvalue()))
    except ValueError as error:
        st.session_state.saved_problem = str(error)


@st.fragment(run_every=0.1)
def _run_again() -> None:
    """Set corrected values a second time: only then are they written to the address bar, which had dropped them."""
    if st.session_state.pop("corrected_once", False):
        st.rerun()
    st.session_state.corrected_once = True


def _read_link() -> tuple[list[str], dict[str, Value]]:
    """Return what of the link cannot be used, and the values that its widgets would not take as they are written."""
    complaints, corrected = [], {}
    for name, text in st.query_params.to_dict().items():
        if name not in KNOBS:
            continue
        knob, times = KNOBS[name], len(st.query_params.get_all(name))
        if times > 1:
            complaints.append(f"The link gives {name} {times} times; the last one counts.")
            corrected[name] = knob.nearest(text)
        if problem := complaint(name, text):
            complaints.append(problem)
            corrected[name] = knob.nearest(text)
        elif knob.write(value := knob.from_text(text)) != text:
            corrected[name] = value
    return complaints, corrected


def _current(knob: Knob) -> Value:
    """Return a slider's value before it is drawn, so that it can be among its stops."""
    if knob.field in st.session_state:
        value: Value = st.session_state[knob.field]
        return value
    text = st.query_params.get(knob.field)
    return knob.default if text is None else knob.from_text(text)


def _slider(knob: Knob, on_change: Callable[[Knob], None] | None = None) -> Value:
    value: Value = st.select_slider(
        knob.label,
        knob.stops(_current(knob)),
        value=knob.default,
        format_func=knob.write,
        key=knob.field,
        bind="query-params",
        help=knob.help,
        on_change=on_change,
        args=(knob,),
    )
    return value


def _slider_and_field(knob: Knob) -> Value:
    """Draw a slider and, beside it, a field for any exact value; each follows the other."""
    state, typed, problem = st.session_state, f"{knob.field}_typed", f"{knob.field}_problem"
    wide, narrow = st.columns([0.66, 0.34], vertical_alignment="bottom", gap="small")
    with wide:
        value = _slider(knob, _forget_problem)
    if problem not in state and state.get(typed) != knob.write(value):
        state[typed] = knob.write(value)
    narrow.text_input(
        f"{knob.label}, exact", key=typed, label_visibility="collapsed", on_change=_take_typed, args=(knob,)
    )
    if problem in state:
        st.error(plain(f"{state[problem]}. {knob.write(value)} is kept."))
    return value


def _forget_problem(knob: Knob) -> None:
    st.session_state.pop(f"{knob.field}_problem", None)


def _take_typed(knob: Knob) -> None:
    _forget_problem(knob)
    try:
        st.session_state[knob.field] = knob.from_text(st.session_state[f"{knob.field}_typed"])
    except ValueError as error:
        st.session_state[f"{knob.field}_problem"] = str(error)


def _number(knob: Knob) -> Value:
    limits = field_limits(ModelConfig, knob.field)
    real = isinstance(knob.default, float)
    value: Value = st.number_input(
        knob.label,
        min_value=limits.low,
        max_value=limits.high,
        value=knob.default,
        step=None if not real else 0.05 if limits.low == 0 else knob.default,
        format="%g" if real else None,
        key=knob.field,
        bind="query-params",
        help=knob.help,
        placeholder="chosen by the solver",
    )
    return value


def apply_request(config: ModelConfig) -> None:
    """Move the knobs to a request; a callback of the buttons that offer one."""
    for name, knob in KNOBS.items():
        if getattr(config, name) != _current(knob):
            st.session_state[name] = getattr(config, name)
        _forget_problem(knob)


def let_the_browser_draw() -> None:
    """Wait while the browser draws what it has: what is sent meanwhile delays it, by half of 200 ms measured."""
    time.sleep(0.06)


def full_link(config: ModelConfig, *, embedded: bool = False) -> str:
    """Return a link that opens this page with this request, defaults included; embedded: without Streamlit's frame."""
    query = to_query(config) | ({"embed": "true"} if embedded else {})
    return f"{st.context.url}?{urlencode(query)}"


def show_budget_error(error: BudgetError) -> None:
    """Say in a sentence which knobs clash, and offer what would work as buttons."""
    st.error(plain(f"{error}."), icon=":material/error:")
    for suggestion in error.suggestions:
        label = f"Set {suggestion.field} to {str(suggestion).split('=')[1]}"
        st.button(label, on_click=apply_request, args=(suggestion.config,), icon=":material/auto_fix_high:")
