"""Panels of the Sweep page: charts, the picked cell, links and downloads."""

from collections import OrderedDict
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

import streamlit as st

from slimlm.charts.heatmap import heat_map
from slimlm.charts.heatmap_layers import NO_MODEL
from slimlm.charts.pareto import pareto_chart
from slimlm.charts.theme import Figure, for_page
from slimlm.core.captions import target_name
from slimlm.core.config import ModelConfig
from slimlm.serialization.fields import to_query, values_of
from slimlm.sweep.axis_values import parse_values
from slimlm.sweep.best import best_line
from slimlm.sweep.csv import sweep_csv
from slimlm.sweep.describe import mid_sentence, pair_label, ratio_reading
from slimlm.sweep.grid import Axis, Sweep, sweep
from slimlm.sweep.metrics import Metric, Reports
from slimlm.ui.callbacks import completed
from slimlm.ui.design_panels import sentence
from slimlm.ui.downloads import show_downloads
from slimlm.ui.frame import full_link, open_on_design
from slimlm.ui.pins import pin_button
from slimlm.ui.sweep_controls import PARETO, Asked
from slimlm.ui.sweep_measuring import identity
from slimlm.ui.sweep_trained import TrainedLoss, metrics_of
from slimlm.ui.widget_keys import digest
from slimlm.utils.formatting import format_miss
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


_MOST_CELLS = 10_000
"""Most cells of a sweep on the page: a browser draws a mark for each, and the charts of all sessions share a server."""

_MOST_CELLS_KEPT, _MOST_SWEEPS_KEPT = 25_000, 64
_WORTH_A_BAR = 1_000
_MOST_LISTED = 1_500


class SweepCache:
    """Solved sweeps for all sessions; the least recently used ones give way to new ones."""

    def __init__(self, most_cells: int = _MOST_CELLS_KEPT, most_sweeps: int = _MOST_SWEEPS_KEPT) -> None:
        self._sweeps: OrderedDict[object, Sweep] = OrderedDict()
        self._most_cells, self._most_sweeps = most_cells, most_sweeps
        self._lock = Lock()

    def get(self, key: object) -> Sweep | None:
        """Return a sweep and mark it as used; None when it is not cached."""
        with self._lock:
            found = self._sweeps.get(key)
            if found:
                self._sweeps.move_to_end(key)
            return found

    def put(self, key: object, sweep: Sweep) -> None:
        """Store a sweep; it stays even if it alone exceeds the limit of cells."""
        with self._lock:
            self._sweeps[key] = sweep
            self._sweeps.move_to_end(key)
            while len(self._sweeps) > 1 and self._is_full():
                self._sweeps.popitem(last=False)

    def _is_full(self) -> bool:
        cells = sum(len(one.cells) for one in self._sweeps.values())
        return len(self._sweeps) > self._most_sweeps or cells > self._most_cells


@st.cache_resource(show_spinner=False)
def sweep_cache() -> SweepCache:
    """Return the server-wide cache."""
    return SweepCache()


def find(config: ModelConfig, asked: Asked) -> Sweep:
    """Return the requested sweep, from the cache or solved with a progress bar.

    Raises ValueError for values that cannot be parsed and for too many cells.
    """
    slot = st.empty()  # in every run, so that the elements below keep their position
    x, y = (Axis(name, parse_values(name, text)) for name, text in ((asked.x, asked.xs), (asked.y, asked.ys)))
    cache, wanted = sweep_cache(), (config, x, y)
    if cached := cache.get(wanted):
        return cached

    def show(done: int, count: int) -> None:
        if count >= _WORTH_A_BAR:
            slot.progress(done / count, f"{done:,} of {count:,} designs")

    found = sweep(config, (x.name, x.values), (y.name, y.values), show, most=_MOST_CELLS)
    slot.empty()
    cache.put(wanted, found)
    return found


def chart_of(found: Sweep, asked: Asked, reports: Reports) -> Figure:
    """Return the chart of the selected view."""
    metrics = metrics_of(found.base, asked.axes)
    metric = metrics[asked.fig]
    if asked.view == PARETO:
        return pareto_chart(found, metrics[asked.vs], metric, reports)
    return heat_map(found, metric, reports)


def show_chart(found: Sweep, asked: Asked, reports: Reports) -> None:
    """Show the chart; a click picks the cell that `show_picked` shows."""
    # Each sweep has a chart of its own, whose callback a session keeps to its end: it must not keep the sweep.
    key, shown = chart_key(found, asked.view), identity(found)

    def pick() -> None:
        picked = st.session_state[key].selection["pick"]
        st.session_state.sweep_picked = (shown, picked[0]["i"]) if picked else None

    st.altair_chart(
        for_page(chart_of(found, asked, reports)),
        width="stretch",
        theme=None,
        key=key,
        on_select=pick,
        selection_mode="pick",
    )
    if "sweep_picked" not in st.session_state:  # after a server restart the browser resends the pick
        pick()


def chart_key(found: Sweep, view: str) -> str:
    """Return the widget key of a sweep's chart: each sweep has its own, so that its chart starts without a pick."""
    axes = {f"sweep_{side}": f"{axis.name}={axis.values!r}" for side, axis in (("x", found.x), ("y", found.y))}
    return f"sweep-{view}-{digest(to_query(values_of(found.base)) | axes)}"


def show_best(found: Sweep, asked: Asked, reports: Reports) -> None:
    """Say which cell is best and where the current design stands."""
    metric = metrics_of(found.base, asked.axes)[asked.fig]
    line = metric.verdict if isinstance(metric, TrainedLoss) else best_line(found, metric, reports)
    if line:
        st.markdown(f":material/star: {plain(line)}")


def show_reading(found: Sweep) -> None:
    """Say that a sweep of the embedding ratio also varies depth and width."""
    if reading := ratio_reading(found):
        st.caption(f":material/swap_vert: {plain(reading)}")


def show_picked(found: Sweep, asked: Asked, reports: Reports) -> None:
    """Show the picked cell: its design or why there is none, and buttons to open and pin it."""
    of_sweep, place = st.session_state.get("sweep_picked") or (None, None)
    picked = place if of_sweep == identity(found) else None
    if len(found.cells) <= _MOST_LISTED:
        _list_cells(found, metrics_of(found.base, asked.axes)[asked.fig], reports, picked)
    elif picked is None:
        st.caption("Click a cell to see its design, to open it on the Design page or to pin it.")
    if picked is not None:
        _show_cell(found, picked)


def _list_cells(found: Sweep, metric: Metric, reports: Reports, picked: int | None) -> None:
    """Draw a list of all cells with their values: it picks as a click does, for keyboards and screen readers."""

    def label(place: int) -> str:
        text = found.text(place, metric, reports) if found.cells[place].design else NO_MODEL
        return f"{pair_label(found, place, named=True)}: {text or 'not measured'}"

    @completed
    def pick() -> None:
        place = st.session_state.sweep_cell
        st.session_state.sweep_picked = None if place is None else (identity(found), place)

    st.session_state.sweep_cell = picked
    st.selectbox(
        f"Cell · {mid_sentence(metric.name)}",
        range(len(found.cells)),
        index=None,
        format_func=label,
        key="sweep_cell",
        on_change=pick,
        placeholder="Click a cell of the chart, or choose it here, to see, open or pin its design",
    )


def _show_cell(found: Sweep, place: int) -> None:
    cell = found.cells[place]
    words, open_button, pin_place = st.columns([0.66, 0.22, 0.12], vertical_alignment="center")
    label = plain(pair_label(found, place, named=True))
    if cell.design:
        misses = (f"{target_name(cell.design.config, knob)} {format_miss(knob.miss)}" for knob in cell.design.targets)
        words.markdown(
            f"**{label[0].upper()}{label[1:]}:** {plain(sentence(cell.design))}  \n:gray[:small[{' · '.join(misses)}]]"
        )
        pin_button(pin_place, cell.design, architecture=cell.design.architecture, key="pin_cell")
    else:
        words.markdown(f"**{label[0].upper()}{label[1:]}:** {plain(cell.reason)}.")
    if cell.config:
        open_button.button(
            "Open on the Design page",
            key="open_cell",
            on_click=open_on_design,
            args=(cell.config,),
            icon=":material/tune:",
            width="stretch",
        )


def show_share_and_download(place: "DeltaGenerator", found: Sweep, asked: Asked, reports: Reports) -> None:
    """Show links and downloads of the sweep."""
    row = place.container(horizontal=True, horizontal_alignment="right")
    with row.popover("Share", icon=":material/share:"):
        st.caption("Link to this sweep, with every knob")
        st.code(full_link(found.base, extra=_full_query(asked)), language=None, wrap_lines=True)
        st.caption("The same without frame and sidebar, for screenshots")
        st.code(full_link(found.base, embedded=True, extra=_full_query(asked)), language=None, wrap_lines=True)
    with row.popover("Download", icon=":material/download:"):
        _show_downloads(found, asked, reports)


def _full_query(asked: Asked) -> dict[str, str]:
    return {name: getattr(asked, name) for name in ("x", "xs", "y", "ys", "fig", "vs", "view")}


def _show_downloads(found: Sweep, asked: Asked, reports: Reports) -> None:
    from slimlm.export.downloads import Download, picture_downloads

    shown = "Pareto chart" if asked.view == PARETO else "Heat map"
    stem = f"slimlm-sweep-{found.x.name}-{found.y.name}"
    csv = partial(sweep_csv, found, reports)
    draw = partial(chart_of, found, asked, reports)
    show_downloads(
        [
            Download("Cells (CSV)", f"{stem}.csv", csv, "Every cell with its design and metrics for a spreadsheet."),
            *picture_downloads(shown, f"{stem}-{asked.view}", draw, f"The {shown[0].lower()}{shown[1:]}"),
        ]
    )
