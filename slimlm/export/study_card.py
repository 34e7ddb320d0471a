"""The study card: the verdict, the map of losses, what it cost and what the controls say, on one slide."""

from collections.abc import Iterator
from datetime import date
from html import escape

from slimlm.charts.study_map import study_map
from slimlm.charts.study_text import (
    cell_label,
    decimals_of,
    interval,
    lowest_of,
    operations,
    per_unit,
    sentence_lines,
    setting_line,
    tidy,
)
from slimlm.core.describe import counted
from slimlm.export.card_svg import Colors, Figure, chart_body, figure_column, rule, text_line
from slimlm.export.pictures import Format, convert
from slimlm.export.study_reports import study_title
from slimlm.export.study_tables import cost_line
from slimlm.ranking.result import Ranking
from slimlm.study.study import Study
from slimlm.utils.formatting import format_count, format_seconds

_WIDTH, _HEIGHT, _LEFT, _RIGHT = 1600, 900, 56, 1544
_MAP_PX, _FIGURES_PX = 1136, 284
_TOP, _BOTTOM, _LARGEST_SCALE, _MOST_GAP = 188, 782, 1.28, 48


def study_card(
    study: Study, ranking: Ranking, *, format: Format = "png", dark: bool = False, on: date | None = None
) -> bytes:
    """Return a study on one picture of 1600 × 900 pixels. `on` is the date on the card; None is today.

    Raises RuntimeError if the picture converter is missing, broken or fails.
    """
    svg = _card(study, ranking, Colors.of(dark), on or date.today())
    if format == "svg":
        return svg.encode()
    # Half the scale at twice the resolution, as in the design card.
    return bytes(convert("svg_to_png", svg, scale=0.5, ppi=144))


def _card(study: Study, ranking: Ranking, colors: Colors, on: date) -> str:
    title = escape(tidy(ranking.verdict, 300))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
            f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="{colors.page}"/>',
            *_header(study, ranking, colors),
            _map(study, ranking, colors),
            *_figures(ranking, colors),
            *_footer(study, ranking, colors, on),
            "</svg>",
        ]
    )


def _header(study: Study, ranking: Ranking, colors: Colors) -> Iterator[str]:
    """Yield the verdict in at most three lines, and the setting."""
    width = _RIGHT - _LEFT
    size, lines = _verdict_lines(ranking, width)
    for line, y in zip(lines, {1: (88,), 2: (70, 104), 3: (56, 83, 110)}[len(lines)], strict=True):
        yield text_line(_LEFT, y, line, size, colors.ink, width, bold=True)
    yield text_line(_LEFT, 138, setting_line(study, ranking), 17, colors.muted, width)
    yield rule(_LEFT, _RIGHT, 158, colors.faint)


def _verdict_lines(ranking: Ranking, width: float) -> tuple[int, list[str]]:
    """Return the verdict in the largest letters in which it fits; a longer one is cut."""
    verdict = tidy(ranking.verdict, 600) or "No verdict yet"
    for most, size in enumerate((32, 25, 20), start=1):
        if len(lines := sentence_lines(verdict, width / 1.06, size)) <= most:
            return size, lines
    return size, [*lines[:2], f"{lines[2]} …"]


def _map(study: Study, ranking: Ranking, colors: Colors) -> str:
    spec = study_map(study, ranking).to_dict()
    axes_px = 46  # labels and title of the horizontal axis
    scale = min(_LARGEST_SCALE, (_BOTTOM - _TOP) / (spec["height"] + axes_px))
    return chart_body(spec, colors, _LEFT, _TOP - 6, _MAP_PX, scale)


def _figures(ranking: Ranking, colors: Colors) -> Iterator[str]:
    ends, figures = (_TOP, _BOTTOM), list(_key_figures(ranking))
    yield from figure_column(figures, ends, _RIGHT - _FIGURES_PX, _FIGURES_PX, colors, _MOST_GAP)


def _key_figures(ranking: Ranking) -> Iterator[Figure]:
    lowest, places = lowest_of(ranking), decimals_of(ranking)
    if lowest:
        yield Figure("Lowest mean", interval(lowest, places), f"{per_unit(ranking)} · {cell_label(lowest)}")
    may = sum(cell.may_be_best for cell in ranking.cells)
    ranked = sum(cell.mean is not None for cell in ranking.cells)
    without = len(ranking.cells) - ranked
    left_out = f" · {without:,} not ranked" if without else ""
    if ranked:
        yield Figure("May be best", f"{may:,} of {ranked:,}", f"{counted(ranked, 'ranked cell')}{left_out}")
    if ranking.least_difference is not None:
        spread = "" if ranking.pooled_sd is None else f"SD between seeds {ranking.pooled_sd:.2g}"
        yield Figure("Smallest significant difference", f"{ranking.least_difference:.2g}", spread)
    yield Figure(
        "Runs", f"{ranking.runs_done:,}", f"{ranking.runs_diverged:,} diverged · {ranking.seeds:,} seeds a cell"
    )
    time = format_seconds(ranking.seconds)
    yield Figure("Training", operations(ranking.flops), f"{format_count(ranking.tokens)} tokens · {time}")


def controls_line(ranking: Ranking) -> str:
    """Return the controls on one line: each name with its outcome."""
    said = {True: "passed", False: "failed", None: "no test"}
    outcomes = " · ".join(f"{tidy(one.name, 30)}: {said[one.passed]}" for one in ranking.controls)
    return f"Controls: {outcomes}" if outcomes else "Controls: none"


def _footer(study: Study, ranking: Ranking, colors: Colors, on: date) -> Iterator[str]:
    bottom, width = _HEIGHT - 28, _RIGHT - _LEFT
    legend = (
        "Star: may be best · mean ± half-width: cells differ where their intervals do not overlap · lower is better"
    )
    lines = [f"{legend} (fainter fill)", controls_line(ranking), f"Cost: {cost_line(ranking)}"]
    for place, line in enumerate(lines):
        yield text_line(_LEFT, bottom - 22 * (len(lines) - place), line, 15, colors.muted, width)
    yield text_line(_LEFT, bottom, study_title(study), 15, colors.ink, _MAP_PX, bold=True)
    yield text_line(_RIGHT, bottom, f"slimlm · {on.day} {on:%B %Y}", 15, colors.muted, _FIGURES_PX, anchor="end")
