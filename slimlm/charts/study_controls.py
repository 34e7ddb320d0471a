"""The controls of a study: what each of them says, and whether the order of cells survives other conditions."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import altair as alt

from slimlm.charts.palette import INK, LINE_SHADE, MUTED, MUTED_SHADE, VERDICT_SHADES
from slimlm.charts.study_text import cell_label, per_unit, tidy
from slimlm.charts.theme import NARROW, Figure, Row, figure, layers, text_layer, text_width, wrap
from slimlm.core.describe import counted
from slimlm.ranking.result import Control, Ranking
from slimlm.study.schedule import Group, Schedule
from slimlm.utils.text import cut

_SENTENCE_PX, _LINE_PX, _SPACE_PX = 470, 18, 16
_SLOPES_PX, _HEAD_PX, _LABEL_PX = 190, 44, 16
_NAME_PX = 150
_SHORT_PX = 84

_CONDITIONS: tuple[tuple[Group, str, str], ...] = (
    ("second_recipe", "first recipe", "second recipe"),
    ("second_horizon", "first horizon", "second horizon"),
)


class _Slope(NamedTuple):
    """A cell under two conditions: differences from the mean of the cells, in the unit of losses."""

    name: str
    before: float
    after: float


def study_controls(ranking: Ranking, schedule: Schedule | None = None) -> Figure:
    """Show the controls with their outcomes; with the runs, also how the cells' order changes with recipe and horizon.

    A check mark is a control that passed, a cross one that failed, a dash one without a test or whose runs are missing.
    """
    strip, height = _strip(ranking.controls)
    panels = [(words, slopes) for *words, slopes in _panels(ranking, schedule)] if schedule else []
    drawn = [row for place, one in enumerate(panels) for row in _lines(one[1], place, len(panels), height)]
    heads = [
        {"x": (place + share) / len(panels), "y": height + 20, "words": word}
        for place, (words, _) in enumerate(panels)
        for share, word in zip((0.3, 0.7), words, strict=True)
    ]
    groups = [({"values": strip}, _strip_layers())]
    if panels:
        groups += [({"values": drawn}, _slope_layers()), ({"values": heads}, _head_layers())]
    return figure(
        *groups,
        title=_title(ranking.controls),
        subtitle=_subtitle(ranking, bool(panels)),
        description=" ".join(f"{tidy(one.name)}: {tidy(one.sentence)}" for one in ranking.controls) or "No controls.",
        height=height + (_HEAD_PX + _SLOPES_PX if panels else 0),
    )


def _title(controls: Sequence[Control]) -> str:
    tested = [one for one in controls if one.passed is not None]
    failed = [one.name for one in tested if not one.passed]
    if not controls:
        return "The study has no controls"
    if not tested:
        return "No control is tested yet"
    if not failed:
        return "The control passed" if len(tested) == 1 else f"All {len(tested):,} tested controls passed"
    return f"{len(tested) - len(failed):,} of {counted(len(tested), 'tested control')} passed"


def _subtitle(ranking: Ranking, has_slopes: bool) -> list[str]:
    if not has_slopes:
        return []
    return [
        f"Below: losses of cells less their mean under the same conditions, in {per_unit(ranking)}; lower is better",
        "Lines that cross are cells whose order changes",
    ]


def _strip(controls: Sequence[Control]) -> tuple[list[Row], int]:
    """Return a row for each control, and the height of all of them."""
    top, rows = 0, []
    for one in controls:
        lines = wrap(tidy(one.sentence), _SENTENCE_PX, 13)
        rows.append({"top": top + 10, "name": tidy(one.name, 30), "lines": lines, "mark": _mark(one)})
        top += _LINE_PX * len(lines) + _SPACE_PX
    return rows, max(top, 30)


def _mark(control: Control) -> str:
    return "none" if control.passed is None else "yes" if control.passed else "no"


def _panels(ranking: Ranking, schedule: Schedule) -> Iterator[tuple[str, str, list[_Slope]]]:
    """Yield the conditions under which two cells or more are compared."""
    first = _means(schedule, "ranking")
    names = {cell.key: cell_label(cell) for cell in ranking.cells}
    for group, before, after in _CONDITIONS:
        second = _means(schedule, group)
        shared = [key for key in second if key in first and key in names]
        if len(shared) >= 2:
            middles = [sum(means[key] for key in shared) / len(shared) for means in (first, second)]
            yield (
                before,
                after,
                [_Slope(names[key], first[key] - middles[0], second[key] - middles[1]) for key in shared],
            )


def _means(schedule: Schedule, group: Group) -> dict[str, float]:
    """Return the mean loss of each cell of which every run has finished."""
    found = {}
    for key, specs in schedule.runs(group).items():
        done = [schedule.outcomes[spec.key] for spec in specs if spec.key in schedule.outcomes]
        if len(done) == len(specs) and not any(outcome.diverged for outcome in done):
            found[key] = sum(outcome.loss for outcome in done) / len(done)
    return found


def _lines(slopes: Sequence[_Slope], place: int, panels: int, top: int) -> Iterator[Row]:
    """Yield the line of each cell, with heights in pixels, and its labels moved apart."""
    values = [value for one in slopes for value in (one.before, one.after)]
    low, high = min(values), max(values)
    start, room = top + _HEAD_PX, _SLOPES_PX - 24

    def height(value: float) -> float:
        return start + 8 + room * (high - value) / (high - low or 1.0)

    left, right = (_apart([height(side(one)) for one in slopes]) for side in (_before, _after))
    for one, label, other in zip(slopes, left, right, strict=True):
        yield {
            "x": (place + 0.3) / panels,
            "x2": (place + 0.7) / panels,
            "y": height(one.before),
            "y2": height(one.after),
            "name": _short(one.name),
            "label": f"{_short(one.name)}: {_signed(one.before)}",
            "other": _signed(one.after),
            "label_y": label,
            "other_y": other,
            "spoken": f"{one.name}: {_signed(one.before)}, then {_signed(one.after)}",
        }


def _short(name: str) -> str:
    """Cut a name to the room left of its line."""
    fitting = (length for length in range(len(name), 3, -1) if text_width(cut(name, length), 12) <= _SHORT_PX)
    return cut(name, next(fitting, 4))


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _before(one: _Slope) -> float:
    return one.before


def _after(one: _Slope) -> float:
    return one.after


def _apart(heights: Sequence[float]) -> list[float]:
    """Return heights at least a line apart, in the order of the given ones."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    moved = list(heights)
    for above, below in pairwise(order):
        moved[below] = max(moved[below], moved[above] + _LABEL_PX)
    return moved


_CHECK = "M-0.8,0.05L-0.25,0.6L0.8,-0.6"
_CROSS = "M-0.6,-0.6L0.6,0.6M0.6,-0.6L-0.6,0.6"
_DASH = "M-0.6,0L0.6,0"


@cache
def _strip_layers() -> Row:
    good, bad = VERDICT_SHADES["good"].expression, VERDICT_SHADES["shape"].expression
    colours = f"datum.mark == 'yes' ? ({good}) : datum.mark == 'no' ? ({bad}) : ({MUTED_SHADE.expression})"
    mark = alt.Chart().mark_point(
        shape=alt.ExprRef(f"datum.mark == 'yes' ? '{_CHECK}' : datum.mark == 'no' ? '{_CROSS}' : '{_DASH}'"),
        filled=False,
        size=180,
        strokeWidth=2.6,
        opacity=1,
        stroke=alt.ExprRef(colours),
        x=8,
        y=alt.ExprRef("datum.top"),
        description=alt.ExprRef("datum.mark == 'yes' ? 'passed' : datum.mark == 'no' ? 'failed' : 'not tested'"),
    )
    name = text_layer("datum.name", x="26", y="datum.top", fontWeight=600, fill=INK, limit=_NAME_PX - 34)
    words = text_layer("datum.lines", x=f"{_NAME_PX}", y="datum.top", lineHeight=_LINE_PX, fill=INK)
    return layers(mark, name, words)


@cache
def _slope_layers() -> Row:
    ends: Row = {"x": "datum.x * width", "x2": "datum.x2 * width", "y": "datum.y", "y2": "datum.y2"}
    places: Row = {side: alt.value(alt.ExprRef(place)) for side, place in ends.items()}
    line = alt.Chart().mark_rule(stroke=LINE_SHADE.reference, strokeWidth=2, description=alt.ExprRef("datum.spoken"))
    dots = [
        alt.Chart().mark_point(
            filled=True,
            size=50,
            opacity=1,
            fill=LINE_SHADE.reference,
            x=alt.ExprRef(f"datum.{x} * width"),
            y=alt.ExprRef(f"datum.{y}"),
        )
        for x, y in (("x", "y"), ("x2", "y2"))
    ]
    size = alt.ExprRef(f"{NARROW} ? 10 : 12")
    words = f"{NARROW} ? datum.name : datum.label"
    label = text_layer(words, x="datum.x * width - 10", y="datum.label_y", align="right", fontSize=size, fill=INK)
    other = text_layer("datum.other", x="datum.x2 * width + 10", y="datum.other_y", fontSize=size, fill=INK)
    return layers(line.encode(**places), *dots, label, other)


@cache
def _head_layers() -> Row:
    words = text_layer("datum.words", x="datum.x * width", y="datum.y", align="center", fontSize=12, fill=MUTED)
    return layers(words)
