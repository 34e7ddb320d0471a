"""Incremental redraws: a figure as a specification that never changes, and named data that a design changes.

A page keeps the Vega view of an unchanged specification and only passes it new data, in half the time of a new view.
"""

from slimlm.charts.theme import NARROW, Figure, Row, narrow_heading

_LABEL = "Chart of where the parameters are"
_HEADING = "data('heading')[0]"
_DESCRIPTION: Row = {
    "data": {"name": "heading"},
    "mark": {"type": "rect", "x": 0, "y": 0, "x2": {"expr": "width"}, "y2": {"expr": "height"}, "opacity": 0}
    | {"description": {"expr": "datum.description"}, "ariaRoleDescription": "description"},
}
"""Invisible mark with the description for screen readers, because Vega never updates that of a view."""


def separate_data(figure: Figure) -> tuple[Row, dict[str, list[Row]]]:
    """Return the specification of a figure over named data, and the data by name: the rows, then the heading.

    Every layer must hold its rows, as in `allocation_chart`.
    """
    whole = figure.to_dict()
    numbers = {param["name"]: param["value"] for param in whole["params"] if "value" in param}
    title, narrow = whole["title"], narrow_heading(whole["title"])
    heading = {part: "\n".join(title[part]) for part in narrow} | {
        f"narrow_{part}": "\n".join(lines) for part, lines in narrow.items()
    }
    lines = {
        part: {"expr": f"split({NARROW} ? {_HEADING}.narrow_{part} : {_HEADING}.{part}, '\\n')"} for part in narrow
    }
    others = [param for param in whole["params"] if "value" not in param]
    rows = {f"rows_{place}": layer["data"]["values"] for place, layer in enumerate(whole["layer"])}
    named = [layer | {"data": {"name": name}} for name, layer in zip(rows, whole["layer"], strict=True)]
    specification = whole | {
        "description": _LABEL,
        "title": title | lines,
        "params": [{"name": name, "expr": f"{_HEADING}.{name}"} for name in numbers] + others,
        "layer": [_DESCRIPTION, *named],
    }
    return specification, rows | {"heading": [heading | numbers | {"description": whole["description"]}]}
