"""Panels of the Rank page: the verdict, the map of cells, the picked cell, links and downloads."""

import math
from typing import TYPE_CHECKING

import streamlit as st

from slimlm.charts.study_map import study_map
from slimlm.charts.study_text import cell_label, decimals_of, difference, interval, lowest_of, setting_line
from slimlm.charts.theme import for_page
from slimlm.core.budget_text import budget_params
from slimlm.core.config import ModelConfig
from slimlm.core.describe import counted
from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel
from slimlm.ranking.result import CellResult, Ranking
from slimlm.solver.inverse import nearest_request
from slimlm.study.cells import StudyCell
from slimlm.ui import rank_controls
from slimlm.ui.callbacks import completed
from slimlm.ui.downloads import show_downloads
from slimlm.ui.frame import full_link, open_on_design
from slimlm.ui.pins import pin_button
from slimlm.ui.query_params import CELL, STUDY
from slimlm.ui.rank_library import StudyView
from slimlm.ui.widget_keys import digest
from slimlm.utils.formatting import format_count, format_flops, format_miss, format_seconds
from slimlm.utils.text import one_line, plain

if TYPE_CHECKING:
    from slimlm.study.study import Study


def title_of(study: "Study") -> str:
    """Return the question of a study, in short: "12 allocations of 1M parameters, …"."""
    swept = {study.request.x.name, study.request.y.name}
    count = counted(len(study.cells), "allocation")
    if "total_params" in swept:
        return f"{count}, ranked by training"
    return f"{count} of {budget_params(study.request.base)}, ranked by training"


def show_heading(view: StudyView) -> None:
    """Show what was compared, and buttons to share and download."""
    row = st.container(horizontal=True, vertical_alignment="center", key="heading")
    with row.container(gap=None, width="stretch"):
        st.title(plain(title_of(view.study)), anchor=False)
        st.markdown(f":gray[:small[{plain(setting_line(view.study, view.ranking))}]]")
    if not st.context.is_embedded:
        buttons = row.container(horizontal=True, width="content")
        with buttons.popover("Share", icon=":material/share:"):
            _show_links(view)
        with buttons.popover("Download", icon=":material/download:"):
            _show_downloads(view)


def show_verdict(view: StudyView) -> None:
    """Show the answer in a box, and what could not be read."""
    done = view.ranking.complete
    icon = ":green[:material/leaderboard:]" if done else ":blue[:material/hourglass_top:]"
    box = "verdict_good" if done else "verdict_alignment"
    with st.container(key=box, horizontal=True, vertical_alignment="center"):
        st.markdown(f"{icon} {plain(view.ranking.verdict)}", width="stretch")
    for problem in view.problems[:4]:
        st.warning(plain(f"{problem[:1].upper()}{problem[1:]}."), icon=":material/warning:")


def show_map(view: StudyView) -> None:
    """Show the map of cells; a click picks one."""
    key = f"rank-map-{digest({'study': view.name})}"
    keys = [cell.key for cell in view.ranking.cells]

    @completed
    def take() -> None:
        found = st.session_state[key].selection["pick"]
        rank_controls.pick(keys, found[0]["i"] if found else None)

    st.altair_chart(
        for_page(study_map(view.study, view.ranking)),
        width="stretch",
        theme=None,
        key=key,
        on_select=take,
        selection_mode="pick",
    )


def show_picked(view: StudyView) -> None:
    """Show the list of all cells, and the facts of the picked one with buttons to open and pin its model."""
    keys = [cell.key for cell in view.ranking.cells]
    place, complaint = rank_controls.picked(keys)
    if complaint:
        st.warning(plain(complaint), icon=":material/link_off:")
    _list_cells(view.ranking, keys, place)
    if place is not None:
        _show_cell(view.study.cells[place], view.ranking.cells[place], view.ranking)


def _list_cells(ranking: Ranking, keys: list[str], place: int | None) -> None:
    """Draw a list of all cells with their losses: it picks as a click does, for keyboards and screen readers."""
    decimals = decimals_of(ranking)

    def label(number: int) -> str:
        cell = ranking.cells[number]
        loss = interval(cell, decimals) if cell.mean is not None else f"not ranked: {one_line(cell.reason, 80)}"
        return f"{cell_label(cell)}: {loss}{' ★' if cell.may_be_best else ''}"

    @completed
    def take() -> None:
        rank_controls.pick(keys, st.session_state.rank_cell)

    st.session_state.rank_cell = place
    st.selectbox(
        f"Cell · {one_line(ranking.unit, 40)}",
        range(len(keys)),
        index=None,
        format_func=label,
        key="rank_cell",
        on_change=take,
        placeholder="Click a cell of the map, or choose it here, to see, open or pin its model",
    )


def _show_cell(cell: StudyCell, result: CellResult, ranking: Ranking) -> None:
    request = nearest_request(cell.architecture)
    row = st.container(horizontal=True, vertical_alignment="center", key="cell_facts")
    lines = [f"**{plain(cell_label(result))}:** {plain(_shape(result))}", *map(_small, _facts(cell, result, ranking))]
    row.markdown("  \n".join(lines), width="stretch")
    buttons = row.container(horizontal=True, width="content")
    buttons.button(
        "Open on the Design page",
        key="open_cell",
        on_click=open_on_design,
        args=(request,),
        icon=":material/tune:",
    )
    pin_button(buttons, _to_pin(cell, request), architecture=cell.architecture, key="pin_cell", width="content")


def _small(text: str) -> str:
    return f":gray[:small[{plain(text)}]]"


def _to_pin(cell: StudyCell, request: ModelConfig) -> NamedModel | ModelConfig:
    return cell.subject if isinstance(cell.subject, NamedModel) else request


def _shape(cell: CellResult) -> str:
    return (
        f"{format_count(cell.total_params)} parameters: {counted(cell.n_layers, 'layer')} of width {cell.d_model:,}, "
        f"feed-forward {cell.d_ff:,}."
    )


def _facts(cell: StudyCell, result: CellResult, ranking: Ranking) -> list[str]:
    """Return lines of facts: the loss, the learning rate and cost, and what was asked beside what it became."""
    return [line for line in (_loss(result, ranking), _training(result), _targets(cell, result)) if line]


def _loss(cell: CellResult, ranking: Ranking) -> str:
    decimals, unit = decimals_of(ranking), one_line(ranking.unit, 40)
    by_seed = ", ".join(f"{loss:.{decimals}f}" if math.isfinite(loss) else "diverged" for loss in cell.losses)
    parts = [f"by seed {by_seed}" if by_seed else ""]
    if cell.mean is None:
        parts.insert(0, f"Not ranked: {one_line(cell.reason, 200)}")
    else:
        parts.insert(0, f"{interval(cell, decimals)} {unit}, {difference(cell, lowest_of(ranking), decimals)}")
        parts += ["may be best" if cell.may_be_best else "not best", _rank(cell), _chance(cell)]
    return " · ".join(filter(None, parts))


def _rank(cell: CellResult) -> str:
    if cell.ranks is None:
        return ""
    low, high = cell.ranks
    return f"rank {low}" if low == high else f"rank {low} to {high}"


def _chance(cell: CellResult) -> str:
    return "" if cell.p_best is None else f"best with probability {_percent(cell.p_best)}"


def _percent(share: float) -> str:
    return "< 1 %" if share < 0.005 else f"{100 * share:.0f} %"


def _training(cell: CellResult) -> str:
    rate = ""
    if cell.rate:
        known = "" if cell.rate.rate is None else f" {cell.rate.rate:.3g}"
        rate = f"Learning rate{known} ({cell.rate.origin})"
    seconds = "" if cell.seconds is None else f" in {format_seconds(cell.seconds)}"
    return " · ".join(filter(None, [rate, f"{cell.tokens:,} tokens, {format_flops(cell.flops)} a run{seconds}"]))


def _targets(cell: StudyCell, result: CellResult) -> str:
    """Write what was asked of a design of the grid beside what it became."""
    if not isinstance(cell.subject, Design):
        return ""
    config = cell.subject.config
    pairs = (
        ("total", cell.subject.targets[0].actual, config.total_params),
        ("embedding ratio", result.embedding_ratio, config.embedding_ratio),
        ("GLU expansion", result.glu_expansion, config.glu_expansion),
    )
    off = [
        f"{name} {_number(actual)} ({format_miss(actual / target - 1)})"
        for name, actual, target in pairs
        if isinstance(target, int | float) and target
    ]
    return f"Actual against target: {' · '.join(off)}" if off else ""


def _number(value: float) -> str:
    return format_count(value) if value >= 1000 else f"{value:.3g}"


def _show_links(view: StudyView) -> None:
    cell = rank_controls.picked([cell.key for cell in view.ranking.cells])[0]
    shown = {STUDY: view.name, rank_controls.AGAINST: rank_controls.against()}
    shown |= {CELL: view.ranking.cells[cell].key} if cell is not None else {}
    st.caption("Link to this study, with what is shown of it")
    st.code(full_link(None, extra=shown), language=None, wrap_lines=True)
    st.caption("The same without frame and sidebar, for screenshots")
    st.code(full_link(None, embedded=True, extra=shown), language=None, wrap_lines=True)


def _show_downloads(view: StudyView) -> None:
    from slimlm.export.study_downloads import study_downloads

    show_downloads(study_downloads(view.study, view.outcomes, view.ranking))
