"""Reports of a study: HTML, Markdown and JSON."""

import json
from collections.abc import Mapping

from slimlm.charts.study_controls import study_controls
from slimlm.charts.study_curves import study_curves
from slimlm.charts.study_map import study_map
from slimlm.charts.study_parabolas import study_parabolas
from slimlm.charts.study_text import by_axes, per_unit, runs_line, setting_line, tidy
from slimlm.charts.study_tradeoffs import study_tradeoffs
from slimlm.charts.theme import Figure
from slimlm.export.html_templates import drawing, render
from slimlm.export.report_markdown import markdown_table
from slimlm.export.study_tables import (
    CONTROL_HEAD,
    COST_HEAD,
    cell_head,
    cell_rows,
    control_rows,
    cost_line,
    cost_rows,
    statistics_lines,
)
from slimlm.ranking.record import ranking_record
from slimlm.ranking.result import Ranking
from slimlm.runs.record import finite
from slimlm.study.outcome import Outcome
from slimlm.study.schedule import Schedule
from slimlm.study.study import Study
from slimlm.utils.text import lightly


def study_title(study: Study) -> str:
    """Name what the study compares."""
    return f"Measured loss of {len(study.cells):,} allocations, by {by_axes(study)}"


def study_html(study: Study, outcomes: Mapping[str, Outcome], ranking: Ranking) -> str:
    """Return a study as a self-contained HTML page, light or dark as the reader's system.

    A chart that cannot be drawn is replaced by the reason.
    """
    schedule = Schedule(study, outcomes)
    charts: tuple[Figure, ...] = (
        study_parabolas(study, schedule, ranking),
        study_curves(study, outcomes, ranking),
        study_tradeoffs(ranking, "n_layers"),
        study_tradeoffs(ranking, "flops"),
        study_tradeoffs(ranking, "seconds"),
    )
    return render(
        "study.html.jinja",
        title=study_title(study),
        verdict=tidy(ranking.verdict, 1000),
        facts=(setting_line(study, ranking), runs_line(ranking), cost_line(ranking)),
        map=drawing(study_map(study, ranking)),
        controls_drawing=drawing(study_controls(ranking, schedule)),
        drawings=map(drawing, charts),
        cells_head=cell_head(ranking),
        cells=cell_rows(ranking),
        costs_head=COST_HEAD,
        costs=cost_rows(ranking),
        controls_head=CONTROL_HEAD,
        controls=control_rows(ranking),
        remarks=_remarks(ranking),
    )


def study_markdown(study: Study, ranking: Ranking) -> str:
    """Return a study as Markdown, for a pull request or a design document."""
    sections = [
        f"# {lightly(study_title(study))}",
        f"**{lightly(tidy(ranking.verdict, 1000))}**",
        "\n".join(f"* {lightly(line)}" for line in (setting_line(study, ranking), runs_line(ranking))),
        "## Cells",
        f"Held-out loss in {lightly(per_unit(ranking))}: mean ± half-width. Lower is better.",
        markdown_table(cell_head(ranking), cell_rows(ranking), left=1),
        "## Controls",
        markdown_table(CONTROL_HEAD, control_rows(ranking), left=3) if ranking.controls else "The study has none.",
        "## Cost",
        f"{lightly(cost_line(ranking))}.",
        markdown_table(COST_HEAD, cost_rows(ranking), left=1, bold_last=True),
    ]
    if remarks := _remarks(ranking):
        sections += ["## Statistics and remarks", "\n".join(f"* {lightly(line)}" for line in remarks)]
    return "\n\n".join(sections) + "\n"


def _remarks(ranking: Ranking) -> list[str]:
    lines = [*statistics_lines(ranking), tidy(ranking.prediction, 1000), *(tidy(one, 1000) for one in ranking.remarks)]
    return [line for line in lines if line]


def study_json(study: Study, ranking: Ranking) -> str:
    """Return a study and its ranking as JSON: study.json and the ranking of verdict.json."""
    record = finite({"study": study.to_record(), "ranking": ranking_record(ranking)})
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
