"""Controls of the Sweep page: two knobs, their values and the metrics, all kept in the URL."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from slimlm.serialization.fields import KNOBS
from slimlm.sweep.axis_values import default_values
from slimlm.sweep.metrics import METRICS
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

MAP, PARETO = "map", "pareto"
_VIEWS = {MAP: "Heat map", PARETO: "Pareto"}
_LONGEST = 20_000
"""Largest number of characters in a list of values in a link."""


@dataclass(frozen=True)
class Asked:
    """The state of the controls, by the names of the query parameters."""

    x: str = "embedding_ratio"
    """The knob of the columns."""
    xs: str = default_values("embedding_ratio")
    """Its values, as text."""
    y: str = "glu_expansion"
    """The knob of the rows."""
    ys: str = default_values("glu_expansion")
    fig: str = "forward_flops_per_token"
    """The metric shown."""
    vs: str = "worst_miss"
    """The metric on the x axis of the Pareto view."""
    view: str = MAP

    def query(self) -> dict[str, str]:
        """Return the query parameters: everything that is not the default."""
        usual = self._usual()
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    def _usual(self) -> dict[str, str]:
        return asdict(Asked()) | {"xs": default_values(self.x), "ys": default_values(self.y)}


_OPTIONS: dict[str, Mapping[str, object]] = {"x": KNOBS, "y": KNOBS, "fig": METRICS, "vs": METRICS, "view": _VIEWS}


def _key(name: str) -> str:
    return f"sweep_{name}"


def follow() -> None:
    """Set the controls, before they are drawn, to a URL that has changed."""
    state = st.session_state
    query = {name: st.query_params[name] for name in asdict(Asked()) if name in st.query_params}
    if "sweep_asked" not in state or (query != state.sweep_address and not _moved()):
        state.sweep_asked, state.sweep_complaints = read(query)
        state.sweep_address = query
        _show(state.sweep_asked)
    elif _key("x") not in state:  # Streamlit drops the widgets' values on another page
        _show(state.sweep_asked)


def asked() -> Asked:
    """Return the state of the URL, for pages without controls."""
    found: Asked = st.session_state.sweep_asked
    return found


def read(query: Mapping[str, str]) -> tuple[Asked, list[str]]:
    """Parse query parameters; also return an error message for each one that is invalid and stays at its default.

    >>> read({"x": "norm", "fig": "beauty"})[0].xs, read({"x": "norm", "fig": "beauty"})[1]
    ('layernorm, rmsnorm, layernorm_no_bias, layernorm_no_params', ["The link's fig was ignored: 'beauty' is ..."])
    """
    usual, complaints, taken = Asked(), [], {}
    for name, text in query.items():
        if name in _OPTIONS and text not in _OPTIONS[name]:
            complaints.append(
                f"The link's {name} was ignored: {text[:40]!r} is not one of {', '.join(_OPTIONS[name])}."
            )
        else:
            taken[name] = text[:_LONGEST]
    asked = replace(usual, **taken)
    if asked.x == asked.y:
        complaints.append(f"The link varies {asked.x} twice: two different knobs would work.")
        asked = usual
    values = {side: taken.get(side, default_values(getattr(asked, side[0]))) for side in ("xs", "ys")}
    return replace(asked, **values), complaints


def _show(asked: Asked) -> None:
    st.session_state.update({_key(name): value for name, value in asdict(asked).items()})


def _moved() -> bool:
    state = st.session_state
    return any(state.get(_key(name), value) != value for name, value in asdict(state.sweep_asked).items())


def draw_controls() -> tuple[Asked, "DeltaGenerator"]:
    """Draw the controls and update the URL; return their state and the column beside them."""
    state = st.session_state
    names = st.columns([0.2, 0.3, 0.2, 0.3], vertical_alignment="bottom")
    _choose(names[0], "x", "Columns", _knob_label, on_change=_take_knob)
    names[1].text_input("Values of the columns", key=_key("xs"), help=_VALUES_HELP)
    _choose(names[2], "y", "Rows", _knob_label, on_change=_take_knob)
    names[3].text_input("Values of the rows", key=_key("ys"), help=_VALUES_HELP)
    view, figure, against, beside = st.columns([0.2, 0.25, 0.25, 0.3], vertical_alignment="bottom")
    view.segmented_control("View", list(_VIEWS), format_func=_VIEWS.__getitem__, key=_key("view"), required=True)
    _choose(figure, "fig", "Figure", _figure_label)
    if state[_key("view")] == PARETO:
        state.setdefault(_key("vs"), state.sweep_asked.vs)  # dropped by Streamlit while it was hidden
        _choose(against, "vs", "Against", _figure_label)
    shown = Asked(**{name: state.get(_key(name), value) for name, value in asdict(state.sweep_asked).items()})
    _write(shown)
    for sentence in state.sweep_complaints:
        st.warning(plain(sentence), icon=":material/link_off:")
    return shown, beside


_VALUES_HELP = (
    "Comma-separated values, and ranges that include both ends: `0.25, 0.35, 45%`, `0.2..0.5 in 7 steps`, "
    "`10M..1B x 9 (log)`, `auto, 4, 8`, `none, 12`, `layernorm, rmsnorm`, `true, false`."
)


def _choose(
    place: "DeltaGenerator",
    name: str,
    label: str,
    written: Callable[[str], str],
    on_change: Callable[[str], None] | None = None,
) -> None:
    place.selectbox(label, list(_OPTIONS[name]), format_func=written, key=_key(name), on_change=on_change, args=(name,))


def _knob_label(name: str) -> str:
    return KNOBS[name].label


def _figure_label(key: str) -> str:
    return METRICS[key].name


def _take_knob(side: str) -> None:
    """Give a newly chosen knob its default values; choosing the other axis's knob swaps the axes."""
    state, other = st.session_state, "y" if side == "x" else "x"
    before: Asked = state.sweep_asked
    if state[_key(side)] == state[_key(other)]:
        _show(replace(before, x=before.y, xs=before.ys, y=before.x, ys=before.xs))
    else:
        state[_key(f"{side}s")] = default_values(state[_key(side)])


def _write(asked: Asked) -> None:
    state = st.session_state
    if asked == state.sweep_asked:
        return
    state.sweep_asked, state.sweep_address = asked, asked.query()
    state.sweep_complaints = []
    others = {name: st.query_params.get_all(name) for name in st.query_params if name not in asdict(asked)}
    st.query_params.from_dict(others | state.sweep_address)
