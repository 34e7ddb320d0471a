"""Comparison tables: HTML, Markdown and CSV."""

import csv
import io
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from slimlm.compare.comparison import Comparison, Line, Value
from slimlm.costs import Cost
from slimlm.costs.quantity import joined
from slimlm.export.report_html import html_table
from slimlm.export.report_markdown import markdown_table
from slimlm.utils.text import lightly

TABLE_STYLE = """
.comparison { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; width: 100%; }
.comparison :is(th, td) { border: 0; padding: 5px 0 5px 14px; text-align: right; vertical-align: top; }
.comparison.models { table-layout: fixed; }
.comparison.models :is(th, td) { overflow-wrap: anywhere; white-space: normal !important; }
.comparison.models thead th:first-child { width: 10.5rem; }
.comparison th { font-weight: 600; }
.comparison :is(th, td):first-child { padding-left: 0; text-align: left; }
.comparison tbody th { font-weight: normal; }
.comparison thead th { vertical-align: bottom; }
.comparison thead, .comparison tbody:last-child {
  border-bottom: 1px solid color-mix(in srgb, currentColor 45%, transparent); }
.comparison tr + tr { border-top: 1px solid color-mix(in srgb, currentColor 10%, transparent); }
.comparison .group th { font-weight: 600; padding-top: 18px; }
.comparison small { display: block; font-size: 12px; font-weight: normal; opacity: 0.72; }
.comparison .equal { opacity: 0.6; }
.costs td:nth-child(2) { white-space: nowrap; }
.costs :is(th, td):nth-child(n + 3) { font-size: 12.5px; text-align: left; }
.costs td:nth-child(n + 3) { opacity: 0.72; }
.scrolled { overflow-x: auto; }
"""
"""CSS of the tables, for light and dark pages."""

_NAMES_REM, _COLUMN_REM, _MOST_WIDE = 10.5, 5.8, 5
_CSV_HEAD = ("group", "key", "figure", "model", "value", "difference", "relative", "assumption", "source")


# HTML.


def differences_table(comparison: Comparison, *, only_differences: bool = False) -> str:
    """Return the comparison as an HTML table: each value, and below it the difference from the baseline."""
    head = (_head(comparison, place) for place in range(len(comparison.pins)))
    groups = groupby(comparison.shown(only_differences), lambda line: line.group)
    bodies = (_group(comparison, name, list(lines)) for name, lines in groups)
    width = _NAMES_REM + _COLUMN_REM * len(comparison.pins)
    return (
        f'<div class="scrolled"><table class="comparison models" style="min-width: {width:g}rem">\n<thead><tr>'
        f'<th scope="col">Figure</th>{"".join(head)}</tr></thead>\n{"".join(bodies)}</table></div>'
    )


def _head(comparison: Comparison, place: int) -> str:
    mark = "<small>baseline</small>" if place == comparison.baseline and len(comparison.pins) > 1 else ""
    return f'<th scope="col">{escape(comparison.names[place])}{mark}</th>'


def _group(comparison: Comparison, name: str, lines: Sequence[Line]) -> str:
    rows = "\n".join(_row(comparison, line) for line in lines)
    columns = len(comparison.pins) + 1
    return f'<tbody><tr class="group"><th colspan="{columns}">{escape(name)}</th></tr>\n{rows}</tbody>\n'


def _row(comparison: Comparison, line: Line) -> str:
    cells = "".join(_cell(comparison, line, place) for place in range(len(comparison.pins)))
    title = f' title="{escape(joined(line.shared_assumptions))}"' if line.assumptions else ""
    return f'<tr><th scope="row"{title}>{escape(line.name)}</th>{cells}</tr>'


def _cell(comparison: Comparison, line: Line, place: int) -> str:
    value, base = line.texts[place], comparison.baseline
    if place == base:
        return f"<td>{escape(value)}</td>"
    if line.values[place] == line.values[base]:
        return f'<td class="equal">{escape(value)}</td>'
    changes = line.changes(place, base)
    lines = changes if len(comparison.pins) > _MOST_WIDE else [" · ".join(changes)]
    return f"<td>{escape(value)}{''.join(f'<small>{escape(text)}</small>' for text in lines)}</td>"


def assumptions_table(comparison: Comparison) -> str:
    """Return assumption and source of every cost as an HTML table."""
    return html_table(_ASSUMPTIONS_HEAD, _assumption_rows(comparison), kind="left3")


_ASSUMPTIONS_HEAD = ("Figure", "Assumption", "Source")


def _assumption_rows(comparison: Comparison) -> Iterator[Sequence[str]]:
    return ((line.name, _assumption(comparison, line), line.source) for line in comparison.lines if line.assumptions)


def _assumption(comparison: Comparison, line: Line) -> str:
    """Write the assumptions that all models share, then those of some models with their names."""
    named: dict[tuple[str, ...], list[str]] = {}
    for place, name in enumerate(comparison.names):
        named.setdefault(line.own_assumptions(place), []).append(name)
    own_of_some = (f"{', '.join(names)}: {joined(own)}" for own, names in named.items() if own)
    return joined([*line.shared_assumptions, *own_of_some])


def costs_table(rows: Sequence[Cost]) -> str:
    """Return the costs of one model as an HTML table: quantity, value, assumption and source."""
    bodies = (_cost_group(name, list(found)) for name, found in groupby(rows, lambda row: row.group))
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Figure", "Value", "Assumption", "Source"))
    return (
        f'<div class="scrolled"><table class="comparison costs">\n<thead><tr>{head}</tr></thead>\n'
        f"{''.join(bodies)}</table></div>"
    )


def _cost_group(name: str, rows: Sequence[Cost]) -> str:
    lines = (
        f'<tr><th scope="row">{escape(row.name)}</th><td>{escape(row.text)}</td><td>{escape(row.assumption)}</td>'
        f"<td>{escape(row.source)}</td></tr>"
        for row in rows
    )
    return f'<tbody><tr class="group"><th colspan="4">{escape(name)}</th></tr>\n{"".join(lines)}</tbody>\n'


# Markdown.


def comparison_markdown(comparison: Comparison) -> str:
    """Return a comparison as Markdown: differences from the baseline in brackets, and the assumptions of costs."""
    head = ("Figure", *comparison.names)
    sections = [f"# {lightly(comparison.title)}"]
    if len(comparison.pins) > 1:
        sections.append(f"In brackets: the difference from {lightly(comparison.names[comparison.baseline])}.")
    for name, lines in groupby(comparison.lines, lambda line: line.group):
        rows = ((line.name, *_bracketed(comparison, line)) for line in lines)
        sections += [f"## {name}", markdown_table(head, rows, left=1)]
    sections += ["## Assumptions of the costs", f"{comparison.terms_line}."]
    sections.append(markdown_table(_ASSUMPTIONS_HEAD, _assumption_rows(comparison), left=3))
    return "\n\n".join(sections) + "\n"


def _bracketed(comparison: Comparison, line: Line) -> Iterator[str]:
    for place, text in enumerate(line.texts):
        difference = line.difference(place, comparison.baseline) if place != comparison.baseline else ""
        yield f"{text} ({difference})" if difference else text


# CSV.


def comparison_csv(comparison: Comparison) -> str:
    """Return a comparison as CSV (RFC 4180): one value of one model per line, as plain numbers."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_CSV_HEAD)
    for line in comparison.lines:
        for place, name in enumerate(comparison.names):
            figures = (_plain(line.values[place]), *_changes(comparison, line, place))
            assumption = joined(line.assumptions[place]) if line.assumptions else ""
            writer.writerow((line.group, line.key, line.name, _text(name), *figures, assumption, line.source))
    return text.getvalue()


def _changes(comparison: Comparison, line: Line, place: int) -> Iterator[str]:
    for change in (line.change, line.relative):
        value = change(place, comparison.baseline)
        yield "" if value is None or place == comparison.baseline else repr(value)


def _plain(value: Value) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, str) else repr(value)


def _text(name: str) -> str:
    # Names come from links, and spreadsheets run text that starts like a formula.
    return f"'{name}" if name.startswith(("=", "+", "-", "@")) else name
