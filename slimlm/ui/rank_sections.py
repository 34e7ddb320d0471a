"""Sections of the Rank page: learning rates, curves, costs, controls and the method of a study."""

from collections.abc import Iterator

import streamlit as st

from slimlm.charts.study_curves import study_curves
from slimlm.charts.study_parabolas import study_parabolas
from slimlm.charts.study_text import cell_label, data_names
from slimlm.charts.study_tradeoffs import study_tradeoffs
from slimlm.core.describe import counted
from slimlm.export.report_markdown import markdown_table
from slimlm.ranking.result import Control, Ranking
from slimlm.study.request import StudyRequest
from slimlm.study.study import Study
from slimlm.ui import rank_controls
from slimlm.ui.chart_first import show_chart
from slimlm.ui.rank_library import StudyView
from slimlm.ui.sections import show_sections
from slimlm.utils.formatting import format_count, format_flops, format_seconds, format_share
from slimlm.utils.text import listed, one_line, plain


def show_study_sections(view: StudyView) -> None:
    """Show the sections as tabs, the open one rendered."""
    show_sections(
        {
            "Trade-offs": lambda: _show_tradeoffs(view),
            "Learning rates": lambda: _show_rates(view),
            "Curves": lambda: _show_curves(view),
            "Costs": lambda: _show_costs(view),
            "Controls": lambda: _show_controls(view),
        }
    )
    with st.expander(f"Method, prediction and {counted(len(view.ranking.remarks), 'remark')}"):
        st.markdown("\n".join(f"* {plain(line)}" for line in method_lines(view.study, view.ranking)))


def _show_tradeoffs(view: StudyView) -> None:
    rank_controls.draw_against()
    against = rank_controls.against()
    show_chart(study_tradeoffs(view.ranking, against), key=f"rank_tradeoffs_{against}")


def _show_rates(view: StudyView) -> None:
    show_chart(study_parabolas(view.study, view.schedule, view.ranking), key="rank_parabolas")


def _show_curves(view: StudyView) -> None:
    show_chart(study_curves(view.study, view.outcomes, view.ranking, view.under_way), key="rank_curves")


_COST_HEAD = ("Cell", "Layers × width", "Learning rate", "Tokens a run", "FLOPs a run", "Time a run", "Runs over")


def _show_costs(view: StudyView) -> None:
    ranking = view.ranking
    rows = [tuple(cell.replace(" ", "\u00a0") for cell in row) for row in cost_rows(ranking)]
    st.markdown(markdown_table(_COST_HEAD, rows, left=1))
    devices = listed(one_line(name, 40) for name in ranking.devices) if ranking.devices else "no device yet"
    st.caption(
        plain(
            f"The whole study, with searches for learning rates and controls: {counted(ranking.runs_done, 'run')}, "
            f"{format_count(ranking.tokens)} tokens, {format_flops(ranking.flops)}, {format_seconds(ranking.seconds)} "
            f"of training on {devices}. All cells have equal {view.study.request.equal}."
        )
    )


def cost_rows(ranking: Ranking) -> Iterator[tuple[str, ...]]:
    """Yield what a run of each cell costs."""
    for cell in ranking.cells:
        rate = cell.rate.rate if cell.rate else None
        yield (
            cell_label(cell),
            f"{cell.n_layers:,} × {cell.d_model:,}",
            "–" if rate is None else f"{rate:.3g}",
            format_count(cell.tokens),
            format_flops(cell.flops),
            "–" if cell.seconds is None else format_seconds(cell.seconds),
            f"{len(cell.losses):,} of {ranking.seeds:,}",
        )


_OUTCOMES = {
    True: ":green[:material/check_circle:]",
    False: ":red[:material/error:]",
    None: ":gray[:material/info:]",
}


def _show_controls(view: StudyView) -> None:
    controls = view.ranking.controls
    if not controls:
        st.caption("This study was made without controls: nothing shows whether its order depends on the recipe.")
        return
    for control in controls:
        st.markdown(_control_line(control))


def _control_line(control: Control) -> str:
    return f"{_OUTCOMES[control.passed]} **{plain(one_line(control.name, 40))}.** {plain(control.sentence)}"


def method_lines(study: Study, ranking: Ranking) -> list[str]:
    """Return the method, the prediction, the statistics and the remarks, one sentence or two each."""
    return [
        *_method(study, study.request),
        *([f"Prediction, written before the first run: {ranking.prediction}"] if ranking.prediction else []),
        *_statistics(ranking),
        *ranking.remarks,
    ]


def _method(study: Study, request: StudyRequest) -> Iterator[str]:
    recipe = request.recipe
    changes = listed(f"{name} {value}" for name, value in request.recipe_changes.items()) or "nothing"
    yield (
        f"Data: {data_names(study)}, of which {format_share(_share(study))} is seen in a run; the held-out loss is of "
        "the same windows for every run."
    )
    yield (
        f"Learning rates: a search in factors of 2 around {recipe.learning_rate:g} over the whole run, with a parabola "
        "through the minimum; in larger grids some cells are searched, and a law over width and depth gives the rest. "
        "A cell whose best rate is at an end of the search is not ranked."
    )
    yield (
        f"Recipe: {recipe.optimizer}, {recipe.schedule}, batches of {recipe.batch_tokens:,} tokens, warm-up "
        f"{format_share(recipe.warmup_share)}. The second recipe changes {changes}."
    )
    if request.head_dim is not None:
        yield f"Attention heads are {request.head_dim:,} wide in the whole grid, so that their width is no difference."


def _share(study: Study) -> float:
    return min(1.0, max(study.request.recipe.tokens / max(1, one.train_tokens) for one in study.data.values()))


def _statistics(ranking: Ranking) -> Iterator[str]:
    if ranking.pooled_sd is None:
        return
    freedom = f" ({counted(ranking.degrees_of_freedom, 'degree')} of freedom)" if ranking.degrees_of_freedom else ""
    yield f"Standard deviation between seeds, pooled: {ranking.pooled_sd:.2g} {one_line(ranking.unit, 40)}{freedom}."
    if ranking.least_difference is not None:
        yield (
            f"Smallest significant difference: {ranking.least_difference:.2g}, all pairs considered at once at 95 % "
            "(Tukey); cells that may be best: multiple comparisons with the best (Edwards and Hsu)."
        )
    if ranking.equal_variance_p is not None:
        yield f"Equal variances (Bartlett's test): p = {ranking.equal_variance_p:.2g}."
    if ranking.agreement is not None:
        yield f"Agreement between the orders of two seeds: Kendall τ = {ranking.agreement:.2f}."
