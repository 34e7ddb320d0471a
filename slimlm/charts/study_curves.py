"""The curves of a study: held-out loss of every cell by training tokens, with bands over the seeds."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

import altair as alt

from slimlm.charts.layout import round_ticks, tick_format
from slimlm.charts.palette import BEST_SHADE, LINE_SHADE, MUTED_SHADE
from slimlm.charts.study_losses import LossCurve, curves_of, curves_under_way, limits_of, roles_of
from slimlm.charts.study_text import cell_label, per_unit, said_label, setting_line
from slimlm.charts.theme import NARROW, Figure, Row, figure, layers, text_layer, text_width
from slimlm.charts.training_curve import loss_axis, token_axis
from slimlm.core.describe import counted
from slimlm.ranking.result import Ranking
from slimlm.study.outcome import Outcome
from slimlm.study.study import Study
from slimlm.utils.formatting import format_count
from slimlm.utils.text import cut

_HEIGHT_PX, _LABEL_PX, _LONGEST_NAME = 400, 17, 24
_MOST_NAMED = 6
"""Up to this many cells are all named; of more, the lowest and the highest."""


def study_curves(
    study: Study,
    outcomes: Mapping[str, Outcome],
    ranking: Ranking,
    under_way: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> Figure:
    """Show the held-out loss of every cell by training tokens: the mean over its seeds, and their range as a band.

    The cells with the lowest and the highest loss are coloured, the others faint; names stand at the right.
    `under_way` has the metrics of runs that are not over by key: each is a dashed line.
    """
    curves = curves_of(study, outcomes, ranking)
    live = list(curves_under_way(study, outcomes, ranking, under_way or {}))
    if not curves + live:
        return _empty(study, ranking)
    tokens = max(*(cell.tokens for cell in ranking.cells), *(curve.points[-1][0] for curve in curves + live))
    low, high = limits_of(curves + live, tokens)
    roles = roles_of(curves, ranking)
    names = _names(curves or live, roles, (high - low) / _HEIGHT_PX, high)
    rows = [row for number, curve in enumerate(curves + live) for row in _rows(number, curve, roles)]
    ticks = round_ticks(low, high, 7)
    return figure(
        ({"values": [row for row in rows if row["role"] != "other" and not row["under_way"]]}, _band_layers()),
        ({"values": rows}, _line_layers(per_unit(ranking))),
        ({"values": names}, _name_layers()),
        title=_title(curves, live, roles),
        subtitle=_subtitle(study, ranking, curves, live, high),
        description=_describe(curves + live, ranking),
        height=_HEIGHT_PX,
        axis_px=50,
        values={
            "token_end": tokens,
            "label_px": 1.06 * max(text_width(row["words"], 13) for row in names) + 18,
            "token_ticks": round_ticks(0, tokens, 6),
            "loss_ends": [low, high],
            "loss_ticks": ticks,
            "loss_format": tick_format(ticks),
        },
    )


def _empty(study: Study, ranking: Ranking) -> Figure:
    words = text_layer("'No run of the ranking is over yet'", x="width / 2", y="60", align="center", fontSize=13)
    return figure(
        ({"values": [{}]}, layers(words)),
        title="Held-out loss by training tokens",
        subtitle=[setting_line(study, ranking)],
        description="No run of the ranking is over yet.",
        height=120,
    )


def _rows(number: int, curve: LossCurve, roles: Mapping[int, str]) -> Iterator[Row]:
    for tokens, mean, low, high in curve.points:
        yield {
            "i": curve.place,
            "name": cell_label(curve.cell),
            "role": roles.get(curve.place, "other"),
            "line": number,
            "under_way": curve.under_way,
            "tokens": tokens,
            "loss": mean,
            "low": low,
            "high": high,
            "shown": f"{mean:.4f}" if curve.seeds == 1 else f"{mean:.4f} ({low:.4f} to {high:.4f})",
        }


def _names(curves: Sequence[LossCurve], roles: Mapping[int, str], per_px: float, high: float) -> list[Row]:
    """Return the names at the ends of the curves, moved apart where they would overlap."""
    named = [curve for curve in curves if len(curves) <= _MOST_NAMED or roles.get(curve.place, "other") != "other"]
    rows: list[Row] = [
        {
            "tokens": curve.points[-1][0],
            "loss": curve.end,
            "role": roles.get(curve.place, "other"),
            "words": f"{cut(cell_label(curve.cell), _LONGEST_NAME)}: {curve.end:.3f}",
        }
        for curve in sorted(named, key=lambda curve: -curve.end)
    ]
    for below, above in pairwise(reversed(rows)):  # from the lowest end upwards
        above["loss"] = max(above["loss"], below["loss"] + _LABEL_PX * per_px)
    return [row | {"loss": min(row["loss"], high)} for row in rows]


def _title(curves: Sequence[LossCurve], live: Sequence[LossCurve], roles: Mapping[int, str]) -> str:
    if not curves:
        return f"Held-out loss of {counted(len(live), 'run')} under way"
    ends = {roles[curve.place]: curve for curve in curves}
    if "worst" not in ends:
        return f"Held-out loss of {said_label(ends['best'].cell)}"
    apart = ends["worst"].end - ends["best"].end
    return f"Held-out loss of {counted(len(curves), 'cell')}: {apart:.3f} between the lowest and the highest"


def _subtitle(
    study: Study, ranking: Ranking, curves: Sequence[LossCurve], live: Sequence[LossCurve], high: float
) -> list[str]:
    first = max(point[3] for curve in [*curves, *live] for point in curve.points)
    above = f" · earlier losses, up to {first:.2f}, lie above the plot" if first > high else ""
    said = " · ".join(_marks(curves, live))
    return [
        f"{per_unit(ranking).capitalize()}{_scored_part(study)} by training tokens{above}",
        f"{said[:1].upper()}{said[1:]}",
        setting_line(study, ranking),
    ]


def _scored_part(study: Study) -> str:
    """Write which part of the held-out text is scored during training, where that is not all of it."""
    part = study.request.recipe.evaluate_tokens
    return "" if part is None else f" of the first {format_count(part)} held-out tokens (the ranking is of all)"


def _marks(curves: Sequence[LossCurve], live: Sequence[LossCurve]) -> Iterator[str]:
    """Yield what lines, colours and bands mean."""
    if curves:
        yield from ("line: mean over the seeds", "band: their range", "orange: lowest mean")
    if len(curves) > 1:
        yield "blue: highest"
    if len(curves) > 2:
        yield "grey: the others"
    if live:
        yield f"dashed: {counted(len(live), 'run')} under way"


def _describe(curves: Sequence[LossCurve], ranking: Ranking) -> str:
    ends = "; ".join(
        f"{cell_label(curve.cell)} {curve.end:.3f} after {format_count(curve.points[-1][0])} tokens"
        for curve in sorted(curves, key=lambda curve: curve.end)[:24]
    )
    return f"Held-out loss in {per_unit(ranking)} by training tokens: {ends}."


_COLOUR = (
    f"datum.role == 'best' ? ({BEST_SHADE.expression}) : datum.role == 'worst' ? ({LINE_SHADE.expression}) : "
    f"({MUTED_SHADE.expression})"
)


@cache
def _axes(field: str = "loss") -> tuple[alt.X, alt.Y]:
    end = alt.ExprRef(f"token_end * ({NARROW} ? 1.02 : width / (width - label_px))")
    return token_axis(end), loss_axis(field, "held-out loss")


@cache
def _band_layers() -> Row:
    x, y = _axes("low")
    band = alt.Chart().mark_area(fill=alt.ExprRef(_COLOUR), fillOpacity=0.18, clip=True)
    # A fill that depends on the datum needs a mark for each cell.
    return layers(band.encode(x, y, alt.Y2("high:Q"), alt.Detail("i:N")))


@lru_cache(maxsize=8)
def _line_layers(unit: str) -> Row:
    x, y = _axes()
    titles = {"name": "Cell", "shown": f"Loss, {unit}"}
    tooltip = [alt.Tooltip(f"{key}:N", title=title) for key, title in titles.items()]
    tooltip.append(alt.Tooltip("tokens:Q", title="Tokens", format=","))
    line = alt.Chart().mark_line(clip=True, strokeWidth=2.2, stroke=alt.ExprRef(_COLOUR))
    over = "!datum.under_way && datum.role"
    faint = alt.Chart().mark_line(clip=True, strokeWidth=1.2, opacity=0.45, stroke=alt.ExprRef(_COLOUR))
    dashed = alt.Chart().mark_line(clip=True, strokeWidth=1.6, strokeDash=[5, 4], stroke=alt.ExprRef(_COLOUR))
    dots = alt.Chart().mark_point(
        filled=True,
        size=26,
        opacity=alt.ExprRef("datum.role == 'other' ? 0.4 : 1"),
        clip=True,
        fill=alt.ExprRef(_COLOUR),
    )
    return layers(
        faint.encode(x, y, alt.Detail("i:N")).transform_filter(f"{over} == 'other'"),
        line.encode(x, y, alt.Detail("i:N")).transform_filter(f"{over} != 'other'"),
        dashed.encode(x, y, alt.Detail("line:N")).transform_filter("datum.under_way"),
        dots.encode(x, y, tooltip=tooltip),
    )


@cache
def _name_layers() -> Row:
    name = text_layer(
        f"{NARROW} ? '' : datum.words",
        x="scale('x', datum.tokens) + 10",
        y="scale('y', datum.loss)",
        fontWeight=alt.ExprRef("datum.role == 'other' ? 400 : 600"),
        fill=alt.ExprRef(_COLOUR),
    )
    return layers(name)
