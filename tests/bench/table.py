"""The benchmark's table as text, line by line: its columns have fixed widths."""

import math

from slimlm.utils.formatting import format_bytes
from tests.bench.kit import Row

NAME_WIDTH, FIGURE_WIDTH, RATIO_WIDTH = 64, 10, 6


def in_ms(seconds: float) -> str:
    """Write a time with three significant digits."""
    value = 1000 * seconds
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f} ms"


def in_digits(number: float) -> str:
    """Write a number with four significant digits, and a larger one whole.

    >>> in_digits(21_430), in_digits(0.190625)
    ('21,430', '0.1906')
    """
    return f"{number:,.0f}" if abs(number) >= 10_000 else f"{number:,.4g}"


def in_unit(value: float | None, unit: str) -> str:
    """Write a figure of a row."""
    if value is None:
        return ""
    return {"seconds": in_ms, "bytes": format_bytes, "number": in_digits}[unit](value)


def misses_aim(row: Row) -> bool:
    """Return whether a row exceeds its aim."""
    if row.most is not None:
        return row.ours > row.most
    return row.most_ratio is not None and row.ratio is not None and row.ratio > row.most_ratio


def describe_aim(row: Row) -> str:
    """Write the aim of a row, and that it is missed."""
    if not row.has_aim:
        return ""
    limit = f"{row.most_ratio:.2f}" if row.most is None else in_unit(row.most, row.unit)
    return f"≤ {limit}{' missed' if misses_aim(row) else ''}"


def _line(what: str, ours: str, peer: str, ratio: str, aim: str) -> str:
    figures = f"{ours:>{FIGURE_WIDTH}}  {peer:>{FIGURE_WIDTH}}  {ratio:>{RATIO_WIDTH}}"
    return f"{what:<{NAME_WIDTH}}  {figures}  {aim}".rstrip()


def table_head() -> str:
    """Return the names of the columns and a rule."""
    head = _line("what | peer", "ours", "peer", "ratio", "aim")
    return f"{head}\n{'─' * len(head)}"


def format_row(row: Row) -> str:
    """Write one line of the table."""
    ours, peer = in_unit(row.ours, row.unit), in_unit(row.peer, row.unit)
    return _line(row.what, ours, peer, "" if row.ratio is None else f"{row.ratio:.2f}", describe_aim(row))
