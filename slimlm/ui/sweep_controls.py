"""Controls of the Sweep page: two knobs, their values and the metrics, all kept in the URL."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from slimlm.core.config import ModelConfig
from slimlm.serialization.fields import KNOBS
from slimlm.sweep.axis_values import default_values
from slimlm.sweep.metrics import METRICS, Metric
from slimlm.ui import query_params
from slimlm.ui.sweep_trained import TRAINED, metrics_of
from slimlm.utils.text import plain, some_of

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

MAP, PARETO = "map", "pareto"
_VIEWS = {MAP: "Heat map", PARETO: "Pareto"}
_LABEL_PX = 12
"""Height of a label less the gap between elements: space above the buttons in the row, which have no label."""

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
    vs: str = "off_usual_shape"
    """The metric on the x axis of the Pareto view.

    Wide and shallow designs of one size are cheapest by every cost at once, so no two costs trade off on the default
    grid. They are paid for with an unusual shape, the quality of which no published model shows.
    """
    view: str = MAP

    def query(self) -> dict[str, str]:
        """Return the query parameters: everything that is not the default."""
        usual = self._usual()
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    def changed(self, name: str, value: str) -> "Asked":
        """Return this state with another value.

        A new knob brings its default values; the knob of the other axis swaps both.
        """
        if name not in ("x", "y"):
            return replace(self, **{name: value})
        if value == getattr(self, "y" if name == "x" else "x"):
            return replace(self, x=self.y, xs=self.ys, y=self.x, ys=self.xs)
        return replace(self, **{name: value, f"{name}s": default_values(value)})

    @property
    def axes(self) -> dict[str, str]:
        """The two knobs, and their values as text."""
        return {self.x: self.xs, self.y: self.ys}

    def possible(self, metrics: Mapping[str, Metric]) -> "tuple[Asked, list[str]]":
        """Return this state with metrics that the sweep has, and an error message for each that it does not have."""
        gone = [name for name in ("fig", "vs") if getattr(self, name) not in metrics]
        usual = self._usual()
        sentence = "The link's {} was ignored: no shipped study has trained the cells of this sweep."
        return replace(self, **{name: usual[name] for name in gone}), [sentence.format(name) for name in gone]

    def _usual(self) -> dict[str, str]:
        return asdict(Asked()) | {"xs": default_values(self.x), "ys": default_values(self.y)}


_FIGURES: dict[str, object] = {**METRICS, TRAINED: None}
_OPTIONS: dict[str, Mapping[str, object]] = {"x": KNOBS, "y": KNOBS, "fig": _FIGURES, "vs": _FIGURES, "view": _VIEWS}


def _key(name: str) -> str:
    return f"sweep_{name}"


def read(texts: Mapping[str, str]) -> tuple[Asked, list[str]]:
    """Parse query parameters; also return an error message for each one that is invalid and stays at its default.

    >>> read({"x": "norm", "fig": "beauty"})[0].xs, read({"x": "norm", "fig": "beauty"})[1]
    ('layernorm, rmsnorm, layernorm_no_bias, layernorm_no_params', ["The link's fig was ignored: 'beauty' is ..."])
    """
    usual, complaints, taken = Asked(), [], {}
    for name, text in texts.items():
        if name in _OPTIONS and text not in _OPTIONS[name]:
            complaints.append(
                f"The link's {name} was ignored: {text[:40]!r} is not one of {some_of(_OPTIONS[name], text)}."
            )
        else:
            taken[name] = text[:_LONGEST]
    asked = replace(usual, **taken)
    if asked.x == asked.y:
        complaints.append(f"The link varies {asked.x} twice: two different knobs would work.")
        asked = usual
    values = {side: taken.get(side, default_values(getattr(asked, side[0]))) for side in ("xs", "ys")}
    return replace(asked, **values), complaints


def asked(config: ModelConfig | None = None) -> Asked:
    """Return the state that the URL gives, with metrics that the sweep of a request has."""
    found = _from_url()[0]
    return found.possible(metrics_of(config, found.axes))[0] if config else found


def _from_url() -> tuple[Asked, list[str]]:
    sent = query_params.current()
    return read({name: sent[name][-1] for name in asdict(Asked()) if name in sent})


def draw_controls(config: ModelConfig) -> tuple[Asked, "DeltaGenerator"]:
    """Draw the controls; return their state and the column beside them."""
    linked, complaints = _from_url()
    metrics = metrics_of(config, linked.axes)
    shown, impossible = linked.possible(metrics)
    complaints += impossible
    for name, value in asdict(shown).items():
        query_params.show(_key(name), value)
    names = st.columns([0.25, 0.25, 0.25, 0.25], vertical_alignment="bottom")
    _choose(names[0], "x", "Columns", _knob_label)
    _type(names[1], "xs", "Values of the columns")
    _choose(names[2], "y", "Rows", _knob_label)
    _type(names[3], "ys", "Values of the rows")
    view, figure, *against, beside = st.container(key="wrapped_figures").columns(4 if shown.view == PARETO else 3)
    view.segmented_control("View", list(_VIEWS), format_func=_VIEWS.__getitem__, required=True, **_bound("view"))
    beside.space(_LABEL_PX)
    names_of_metrics = {key: metric.name for key, metric in metrics.items()}
    _choose(figure, "fig", "Metric", names_of_metrics.__getitem__, names_of_metrics)
    if against:
        _choose(against[0], "vs", "Against", names_of_metrics.__getitem__, names_of_metrics)
    for sentence in complaints:
        st.warning(plain(sentence), icon=":material/link_off:")
    return shown, beside


_VALUES_HELP = (
    "Comma-separated values, and ranges that include both ends: `0.25, 0.35, 45%`, `0.2..0.5 in 7 steps`, "
    "`10M..1B x 9 (log)`, `auto, 4, 8`, `none, 12`, `layernorm, rmsnorm`, `true, false`."
)


def _bound(name: str) -> dict[str, Any]:
    return {"key": _key(name), "on_change": _take, "args": (name,)}


def _choose(
    place: "DeltaGenerator", name: str, label: str, written: Callable[[str], str], options: Iterable[str] = KNOBS
) -> None:
    place.selectbox(label, list(options), format_func=written, **_bound(name))


def _type(place: "DeltaGenerator", name: str, label: str) -> None:
    place.text_input(label, help=_VALUES_HELP, **_bound(name))


def _knob_label(name: str) -> str:
    return KNOBS[name].label


def _take(name: str) -> None:
    """Write a control's new value into the URL."""
    if query_params.is_outdated(_key(name)):
        return
    chosen = asked().changed(name, st.session_state[_key(name)]).query()
    query_params.change({parameter: chosen.get(parameter, "") for parameter in asdict(Asked())})
