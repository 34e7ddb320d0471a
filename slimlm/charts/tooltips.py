"""Tooltips, and their text as the description that screen readers read."""

import json
from typing import Any

_Row = dict[str, Any]


def object_expression(rows: dict[str, str]) -> str:
    """Return the Vega expression of an object, such as the rows of a tooltip, from expressions by name."""
    return f"{{{', '.join(f'{json.dumps(name)}: {expression}' for name, expression in rows.items())}}}"


def spoken_expression(rows: dict[str, str]) -> str:
    """Return the Vega expression of one line of text, from expressions by name: "Model: this design; Share: 34 %"."""
    return " + '; ' + ".join(f"{json.dumps(f'{name}: ')} + ({expression})" for name, expression in rows.items())


def with_description(layer: _Row) -> _Row:
    """Return a layer whose marks are described by their tooltip, and are silent if they have none.

    Without it Vega describes a mark by its position: "start: 0; end: 0.421034527239".
    """
    mark = layer["mark"]
    if "description" in mark:
        return layer
    tooltip = layer.get("encoding", {}).get("tooltip")
    spoken: _Row = {"description": {"expr": _spoken_fields(tooltip)}} if isinstance(tooltip, list) else {"aria": False}
    return layer | {"mark": mark | spoken}


def _spoken_fields(fields: list[_Row]) -> str:
    rows = {}
    for field in fields:
        value = f"datum[{json.dumps(field['field'])}]"
        rows[field["title"]] = f"format({value}, {json.dumps(field['format'])})" if "format" in field else value
    return spoken_expression(rows)
