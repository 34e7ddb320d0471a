"""Parts of the Sweep page: the grid in use, its charts, the cell that was clicked, and what to take away."""

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from slimlm.charts.heatmap import heat_map
from slimlm.charts.pareto import pareto_chart
from slimlm.charts.theme import Figure
from slimlm.core.config import ModelConfig
from slimlm.core.describe import expansion_name
from slimlm.sweep.axis_values import parse_values
from slimlm.sweep.csv import sweep_csv
from slimlm.sweep.describe import pair_label, ratio_reading
from slimlm.sweep.grid import Axis, Sweep, sweep
from slimlm.sweep.metrics import METRICS, Reports
from slimlm.ui.design_panels import sentence
from slimlm.ui.downloads import Offer, show_downloads
from slimlm.ui.frame import full_link, open_on_design
from slimlm.ui.pins import pin_button
from slimlm.ui.sweep_controls import PARETO, Asked
from slimlm.ui.sweep_measuring import identity
from slimlm.utils.formatting import format_miss
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slimlm.export.pictures import Format

_MOST_CELLS_KEPT = 25_000
_WORTH_A_BAR = 1_000


@st.cache_resource(show_spinner=False)
def _kept() -> OrderedDict[object, Sweep]:
    """Sweeps that were solved lately, shared by all sessions."""
    return OrderedDict()


def find(config: ModelConfig, asked: Asked) -> Sweep:
    """Return the grid that is asked for, with a bar while thousands of designs are being found.

    Raises ValueError, in one sentence, for values that cannot be read and for too many cells.
    """
    slot = st.empty()  # in every run: what is drawn below keeps its place on the page
    x, y = (Axis(name, parse_values(name, text)) for name, text in ((asked.x, asked.xs), (asked.y, asked.ys)))
    kept, wanted = _kept(), (config, x, y)
    if wanted in kept:
        return kept[wanted]

    def show(done: int, count: int) -> None:
        if count >= _WORTH_A_BAR:
            slot.progress(done / count, f"{done:,} of {count:,} designs")

    found = sweep(config, (x.name, x.values), (y.name, y.values), show)
    slot.empty()
    kept[wanted] = found
    while len(kept) > 1 and sum(len(other.cells) for other in list(kept.values())) > _MOST_CELLS_KEPT:
        kept.popitem(last=False)
    return found


def chart_of(found: Sweep, asked: Asked, reports: Reports) -> Figure:
    """Return the chart of the view that is asked for."""
    figure = METRICS[asked.fig]
    if asked.view == PARETO:
        return pareto_chart(found, METRICS[asked.vs], figure, reports)
    return heat_map(found, figure, reports)


def show_chart(found: Sweep, asked: Asked, reports: Reports) -> None:
    """Draw the chart; a click picks the cell that `show_picked` shows."""
    key = f"sweep-{asked.view}-{hash(identity(found))}"  # another sweep's chart starts with nothing picked

    def pick() -> None:
        picked = st.session_state[key].selection["pick"]
        st.session_state.sweep_picked = (identity(found), picked[0]["i"]) if picked else None

    st.altair_chart(
        chart_of(found, asked, reports), width="stretch", theme=None, key=key, on_select=pick, selection_mode="pick"
    )
    if "sweep_picked" not in st.session_state:  # a restarted server hears from the browser what was picked
        pick()


def show_reading(found: Sweep) -> None:
    """Say what a sweep of the embedding ratio varies besides."""
    if reading := ratio_reading(found):
        st.caption(f":material/swap_vert: {plain(reading)}")
    else:
        st.space("small")  # for the chart's own buttons, which hang above it


def show_picked(found: Sweep) -> None:
    """Show the cell that was clicked: its design or the reason why there is none, and where to go with it."""
    of_sweep, place = st.session_state.get("sweep_picked") or (None, 0)
    if of_sweep != identity(found):
        st.caption("Click a cell to see its design, to open it on the Design page or to pin it.")
        return
    cell = found.cells[place]
    words, open_button, pin_place = st.columns([0.66, 0.22, 0.12], vertical_alignment="center")
    label = plain(pair_label(found, place, named=True))
    if cell.design:
        total, ratio, expansion = (format_miss(knob.miss) for knob in cell.design.targets)
        words.markdown(
            f"**{label[0].upper()}{label[1:]}:** {plain(sentence(cell.design))}  \n"
            f":gray[:small[total {total} · embedding ratio {ratio} · {expansion_name(cell.design.config)} {expansion}]]"
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


def show_takeaways(place: "DeltaGenerator", found: Sweep, asked: Asked, reports: Reports) -> None:
    """Offer the sweep's link and its files."""
    share, downloads = place.columns(2)
    with share.popover("Share", icon=":material/share:", width="stretch"):
        st.caption("Link to this sweep, every knob included")
        st.code(full_link(found.base, extra=_full_query(asked)), language=None, wrap_lines=True)
        st.caption("The same without frame and sidebar, for screenshots")
        st.code(full_link(found.base, embedded=True, extra=_full_query(asked)), language=None, wrap_lines=True)
    with downloads.popover("Download", icon=":material/download:", width="stretch"):
        _show_downloads(found, asked, reports)


def _full_query(asked: Asked) -> dict[str, str]:
    return {name: getattr(asked, name) for name in ("x", "xs", "y", "ys", "fig", "vs", "view")}


def _show_downloads(found: Sweep, asked: Asked, reports: Reports) -> None:
    shown = "Pareto chart" if asked.view == PARETO else "Heat map"
    draw = partial(_picture, found, asked, reports)
    csv = partial(sweep_csv, found, reports)
    name = f"slimlm-sweep-{found.x.name}-{found.y.name}"
    show_downloads(
        (
            Offer("Cells (CSV)", csv, f"{name}.csv", "text/csv"),
            Offer(f"{shown} (PNG)", partial(draw, "png"), f"{name}-{asked.view}.png", "image/png"),
            Offer(f"{shown} (SVG)", partial(draw, "svg"), f"{name}-{asked.view}.svg", "image/svg+xml"),
        )
    )


def _picture(found: Sweep, asked: Asked, reports: Reports, format: "Format") -> bytes:
    from slimlm.export.pictures import picture

    return picture(chart_of(found, asked, reports), format=format)
