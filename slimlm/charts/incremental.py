"""Figures for a page that redraws them at every key press: what a design changes is data, the rest stays the same.

A page keeps the view of a specification that it has drawn, and only passes it new data: half the time of a new view.
"""

from slimlm.charts.theme import Figure, Row

_LABEL = "Chart of where the parameters are"
_HEADING = "data('heading')[0]"
_COVER: Row = {
    "data": {"name": "heading"},
    "mark": {"type": "rect", "x": 0, "y": 0, "x2": {"expr": "width"}, "y2": {"expr": "height"}, "opacity": 0}
    | {"description": {"expr": "datum.description"}, "ariaRoleDescription": "description"},
}
"""What cannot be seen, and says in words what the figure shows: a view's own description never changes."""


def split(figure: Figure) -> tuple[Row, dict[str, list[Row]]]:
    """Return the specification of a figure over named data, and the data by name, its rows before its heading.

    Every layer has to hold its rows, as those of `allocation_chart` do.
    """
    written = figure.to_dict()
    numbers = {param["name"]: param["value"] for param in written["params"] if "value" in param}
    heading = {part: "\n".join(written["title"][part]) for part in ("text", "subtitle")}
    lines = {part: {"expr": f"split({_HEADING}.{part}, '\\n')"} for part in heading}
    others = [param for param in written["params"] if "value" not in param]
    rows = {f"rows_{place}": layer["data"]["values"] for place, layer in enumerate(written["layer"])}
    named = [layer | {"data": {"name": name}} for name, layer in zip(rows, written["layer"], strict=True)]
    specification = written | {
        "description": _LABEL,
        "title": written["title"] | lines,
        "params": [{"name": name, "expr": f"{_HEADING}.{name}"} for name in numbers] + others,
        "layer": [_COVER, *named],
    }
    return specification, rows | {"heading": [heading | numbers | {"description": written["description"]}]}
