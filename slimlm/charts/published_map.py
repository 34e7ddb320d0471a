"""The map of published models: depth and width of every one, and where a design stands among them."""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import altair as alt

from slimlm.charts.layout import label_alignments, log_ticks
from slimlm.charts.palette import COMPONENT_COLORS, INK, MUTED, PAGE, Shade
from slimlm.charts.theme import Figure, Row, figure, layers, text_layer, text_width, wrap
from slimlm.core.describe import shape_phrase, size_words
from slimlm.core.design import Design
from slimlm.core.named_model import Subject
from slimlm.core.published import PublishedModel, published_models
from slimlm.core.shape_law import RESIDUAL, levine_shape, published_shape
from slimlm.utils.formatting import format_share

_HEIGHT_PX, _PLOT_PX = 400, 620
_LINE_PX = 540
"""Longest line of the subtitle: on a narrow page, what the axis leaves of the width."""
_CIRCLE = Shade(COMPONENT_COLORS["token_embedding"], "#9DB4E0")
_LARGEST_PX, _LARGEST = 1600, 1e10
_CURVED = "Levine et al. 2020"
_LAWS: dict[str, Callable[[float], tuple[float, float]]] = {
    "fit of these models": published_shape,
    _CURVED: levine_shape,
}


def published_map_chart(subjects: Sequence[Subject]) -> Figure:
    """Show depth and width of the published models and, ringed and named, of designs or named models.

    The area of a circle encodes the total, its opacity the embedding share. Two lines show the laws of the shape: the
    fit of the published models, and that of Levine et al. 2020, each for models of 12 · n_layers · d_model² parameters.

    Raises ValueError when there is no design.
    """
    if not subjects:
        raise ValueError(f"subjects={subjects!r} is empty: at least one design would work")
    published = published_models()
    rows = [_row(_name(subject), subject, ringed=True) for subject in subjects]
    rows += [
        _row(model.name, model) for model in sorted(published, key=_nearness(subjects[0])) if model not in subjects
    ]
    layers_ends, width_ends = (_ends([row[side] for row in rows]) for side in ("layers", "width"))
    ends = layers_ends, width_ends
    _fill_once(rows)
    _label_where_free(rows, ends)
    curves = [point for name in _LAWS for point in _curve(name, ends)]
    return figure(
        ({"values": curves}, _curve_layers(tuple(_LAWS))),
        ({"values": rows}, _point_layers()),
        title=f"Depth and width among {len(published)} published models",
        subtitle=[part for line in _explanation(subjects) for part in wrap(line, _LINE_PX, 12)],
        description=_describe(subjects),
        height=_HEIGHT_PX,
        axis_px=50,
        values={
            "layers_ends": layers_ends,
            "width_ends": width_ends,
            "layers_ticks": log_ticks(layers_ends[0], layers_ends[1], 9),
            "width_ticks": log_ticks(width_ends[0], width_ends[1], 8),
        },
    )


def _explanation(subjects: Sequence[Subject]) -> list[str]:
    ringed = (f"this design · {found.title}" if isinstance(found, Design) else found.title for found in subjects[:2])
    return [
        *(f"Ringed: {words}" for words in ringed),
        "Area: parameters · the fuller the colour, the larger the embedding share",
        f"Lines: usual shapes; a published model is typically within a factor of {RESIDUAL:.1f} of the fit",
    ]


def _name(subject: Subject) -> str:
    return "this design" if isinstance(subject, Design) else subject.name


def _nearness(subject: Subject) -> Callable[[PublishedModel], float]:
    return lambda model: abs(math.log(model.total_params / subject.total_params))


def _row(name: str, subject: Subject, *, ringed: bool = False) -> Row:
    arch, account = subject.architecture, subject.account
    return {
        "label": name,
        "layers": arch.n_layers,
        "width": arch.d_model,
        "area": max(12.0, _LARGEST_PX * math.sqrt(min(account.total_params, _LARGEST) / _LARGEST)),
        "opacity": 0.08 + 0.92 * account.embedding_ratio,
        "total": size_words(account),
        "share": format_share(account.embedding_ratio),
        "ringed": ringed,
        "name": "",
        "side": "left",
    }


def _ends(values: Sequence[float]) -> list[float]:
    """Return the ends of an axis, with room beyond the outermost circles."""
    return [min(values) / 1.35, max(values) * 1.35]


def _fill_once(rows: list[Row]) -> None:
    """Fill one circle of those in one place, so that several translucent ones do not look solid."""
    filled: set[tuple[int, int]] = set()
    for row in rows:
        place = row["layers"], row["width"]
        row["opacity"] *= place not in filled
        filled.add(place)


def _label_where_free(rows: list[Row], ends: tuple[list[float], list[float]]) -> None:
    """Name the ringed models and the published ones nearest in size whose names overlap nothing."""

    def share(value: float, axis: list[float]) -> float:
        return math.log(value / axis[0]) / math.log(axis[1] / axis[0])

    places = [
        (_PLOT_PX * share(row["layers"], ends[0]), _HEIGHT_PX * (1 - share(row["width"], ends[1]))) for row in rows
    ]
    widths = [text_width(row["label"], 12) for row in rows]
    sides = label_alignments(places, widths, _PLOT_PX, always=sum(row["ringed"] for row in rows))
    for row, side in zip(rows, sides, strict=True):
        if side:
            row |= {"name": row["label"], "side": side}


def _curve(name: str, ends: tuple[list[float], list[float]]) -> list[Row]:
    """Return the points of a law that lie within the plot; one end carries its name."""
    shapes = [_LAWS[name](10 ** (5 + step / 12)) for step in range(12 * 7)]
    inside = [
        {"law": name, "layers": depth, "width": width, "name": ""}
        for depth, width in shapes
        if ends[0][0] <= depth <= ends[0][1] and ends[1][0] <= width <= ends[1][1]
    ]
    if inside:
        inside[0 if name == _CURVED else -1]["name"] = name
    return inside


def _describe(subjects: Sequence[Subject]) -> str:
    places = ", ".join(f"{_name(subject)} {shape_phrase(subject.architecture)}" for subject in subjects)
    return f"Depth and width of {len(published_models())} published models; {places}."


@cache
def _axes() -> tuple[alt.X, alt.Y]:
    def scale(name: str) -> alt.Scale:
        return alt.Scale(type="log", domain=alt.ExprRef(f"{name}_ends"), nice=False)

    def axis(name: str, title: str) -> alt.Axis:
        return alt.Axis(title=title, values=alt.ExprRef(f"{name}_ticks"), format=",~r", domain=False, titlePadding=8)

    return (
        alt.X("layers:Q", scale=scale("layers"), axis=axis("layers", "n_layers (log scale)")),
        alt.Y("width:Q", scale=scale("width"), axis=axis("width", "d_model (log scale)")),
    )


@cache
def _curve_layers(laws: tuple[str, ...]) -> Row:
    x, y = _axes()
    line = (
        alt.Chart()
        .mark_line(stroke=MUTED, strokeWidth=1.3, clip=True, description=alt.ExprRef("datum.law"))
        .encode(x, y, alt.StrokeDash("law:N", scale=alt.Scale(domain=list(laws), range=[[1, 0], [5, 4]]), legend=None))
    )
    names = text_layer(
        "datum.name",
        x=f"scale('x', datum.layers) + (datum.law == '{_CURVED}' ? 2 : -8)",
        y="scale('y', datum.width) - 10",
        align=alt.ExprRef(f"datum.law == '{_CURVED}' ? 'left' : 'right'"),
        fontSize=12,
        fontStyle="italic",
        fill=MUTED,
    )
    return layers(line, names)


@cache
def _point_layers() -> Row:
    x, y = _axes()
    titles = {"label": "Model", "total": "Parameters", "share": "Embedding share"}
    tooltip = [alt.Tooltip(f"{key}:N", title=title) for key, title in titles.items()]
    tooltip += [
        alt.Tooltip("layers:Q", title="n_layers", format=","),
        alt.Tooltip("width:Q", title="d_model", format=","),
    ]
    circles = (
        alt.Chart()
        .mark_point(
            size=alt.ExprRef("datum.area"),
            stroke=_CIRCLE.reference,
            strokeWidth=1,
            fill=_CIRCLE.reference,
            fillOpacity=alt.ExprRef("datum.opacity"),
        )
        .encode(x, y, tooltip=tooltip)
    )
    rings = (
        alt.Chart()
        .mark_point(size=alt.ExprRef("pow(sqrt(datum.area) + 9, 2)"), stroke=INK, strokeWidth=2.2, fillOpacity=0)
        .encode(x, y)
        .transform_filter("datum.ringed")
    )
    halos = _names(fill=PAGE, stroke=PAGE, strokeWidth=5, strokeJoin="round", aria=False)
    return layers(halos, circles, rings, _names(fill=INK))


def _names(**style: Any) -> alt.Chart:
    """Return the names beside their circles; in the page's colour, they interrupt the lines that cross them."""
    return text_layer(
        "width < 500 && !datum.ringed ? '' : datum.name",
        x="scale('x', datum.layers) + (datum.side == 'left' ? 1 : -1) * (sqrt(datum.area) / 2 + 4 + 5 * datum.ringed)",
        y="scale('y', datum.width)",
        align=alt.ExprRef("datum.side"),
        fontSize=12,
        fontWeight=alt.ExprRef("datum.ringed ? 600 : 400"),
        **style,
    )
