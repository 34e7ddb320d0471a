"""The benchmark's table as text."""

import math

from slimlm.utils.formatting import format_bytes
from tests.bench.kit import Row


def in_ms(seconds: float) -> str:
    """Write a time with three significant digits."""
    value = 1000 * seconds
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f} ms"


def in_unit(value: float | None, unit: str) -> str:
    """Write a figure of a row."""
    if value is None:
        return ""
    return {"seconds": in_ms, "bytes": format_bytes, "number": "{:,.4g}".format}[unit](value)


def cells(row: Row) -> tuple[str, ...]:
    ratio = row.ours / row.peer if row.peer else None
    aim = ""
    if row.most is not None:
        aim = f"≤ {in_unit(row.most, row.unit)}" + (" missed" if row.ours > row.most else "")
    elif row.most_ratio is not None and ratio is not None:
        aim = f"≤ {row.most_ratio:.2f}" + (" missed" if ratio > row.most_ratio else "")
    ours, peer = in_unit(row.ours, row.unit), in_unit(row.peer, row.unit)
    return row.what, ours, peer, "" if ratio is None else f"{ratio:.2f}", aim


def format_table(rows: list[Row]) -> str:
    lines = [("what | peer", "ours", "peer", "ratio", "aim"), *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(
            cell.ljust(width) if number in (0, len(widths) - 1) else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([text[0], "─" * (sum(widths) + 2 * (len(widths) - 1)), *text[1:]])
