"""Comparisons as HTML, Markdown and CSV."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from slimlm.charts.comparison_profiles import profiles_chart
from slimlm.charts.comparison_strips import Measure, comparison_chart
from slimlm.compare.comparison import Comparison
from slimlm.compare.findings import Finding, findings
from slimlm.compare.line import Line, Value
from slimlm.compare.ranking import ranked
from slimlm.compare.remarks import config_remarks
from slimlm.costs import Cost
from slimlm.costs.quantity import joined
from slimlm.export.html_templates import drawing, render, render_part
from slimlm.export.report_markdown import markdown_table
from slimlm.utils.text import lightly

TABLE_STYLE = render("comparison.css")
"""CSS of the tables, for light and dark pages."""

_ASSUMPTIONS_HEAD = ("Figure", "Assumption", "Source")
_CSV_HEAD = ("group", "key", "figure", "model", "value", "difference", "relative", "assumption", "source")

T = TypeVar("T", Line, Cost)


# HTML.


def differences_table(comparison: Comparison) -> str:
    """Return the quantities that differ as an HTML table, largest difference first, or all of a single model.

    Each value stands above its difference from the baseline.
    """
    return render_part("differences", comparison, *_differences(comparison))


def equal_table(comparison: Comparison) -> str:
    """Return the quantities in which all models agree as an HTML table."""
    return render_part("differences", comparison, _grouped(comparison.equal_lines))


def _differences(comparison: Comparison) -> tuple[Iterable[tuple[str, Sequence[Line]]], bool]:
    """Return the rows of the table with their headings, and whether they are ranked."""
    if len(comparison.pins) == 1:
        return _grouped(comparison.lines), False
    return ranked(comparison), True


def assumptions_table(comparison: Comparison) -> str:
    """Return assumption and source of every cost as an HTML table."""
    return render_part("table", _ASSUMPTIONS_HEAD, _assumption_rows(comparison), "left3")


def costs_table(rows: Sequence[Cost]) -> str:
    """Return the costs of one model as an HTML table: quantity, value, assumption and source."""
    return render_part("costs", _grouped(rows))


def comparison_html(comparison: Comparison, measure: Measure = "share") -> str:
    """Return a comparison as a self-contained HTML page, light or dark as the reader's system.

    A chart that cannot be drawn is replaced by the reason.
    """
    charts = (comparison_chart(comparison.pins, measure), profiles_chart(comparison.pins, measure))
    groups, is_ranked = _differences(comparison)
    return render(
        "comparison.html.jinja",
        title=comparison.title,
        findings=findings(comparison),
        remarks=config_remarks(comparison.pins),
        drawings=map(drawing, charts),
        comparison=comparison,
        groups=groups,
        ranked=is_ranked,
        equal=[] if len(comparison.pins) == 1 else list(_grouped(comparison.equal_lines)),
        equal_count=len(comparison.equal_lines),
        assumptions_head=_ASSUMPTIONS_HEAD,
        assumptions=_assumption_rows(comparison),
    )


def _grouped(rows: Iterable[T]) -> Iterator[tuple[str, list[T]]]:
    return ((name, list(found)) for name, found in groupby(rows, lambda row: row.group))


def _assumption_rows(comparison: Comparison) -> Iterator[Sequence[str]]:
    return ((line.name, _assumption(comparison, line), line.source) for line in comparison.lines if line.assumptions)


def _assumption(comparison: Comparison, line: Line) -> str:
    """Write the assumptions that all models share, then those of some models with their names."""
    named: dict[tuple[str, ...], list[str]] = {}
    for place, name in enumerate(comparison.names):
        named.setdefault(line.own_assumptions(place), []).append(name)
    own_of_some = (f"{', '.join(names)}: {joined(own)}" for own, names in named.items() if own)
    return joined([*line.shared_assumptions, *own_of_some])


# Markdown.


def comparison_markdown(comparison: Comparison) -> str:
    """Return a comparison as Markdown: differences from the baseline in brackets, and the assumptions of costs."""
    head = ("Figure", *comparison.names)
    sections = [f"# {lightly(comparison.title)}"]
    sections += map(_finding, findings(comparison))
    sections += [f"**{lightly(name)}:** {lightly(remark)}." for name, remark in config_remarks(comparison.pins)]
    if len(comparison.pins) > 1:
        sections.append(f"In brackets: the difference from {lightly(comparison.names[comparison.baseline])}.")
    for name, lines in _grouped(comparison.lines):
        rows = ((line.name, *_bracketed(comparison, line)) for line in lines)
        sections += [f"## {name}", markdown_table(head, rows, left=1)]
    sections += ["## Assumptions of the costs", f"{comparison.terms_line}."]
    sections.append(markdown_table(_ASSUMPTIONS_HEAD, _assumption_rows(comparison), left=3))
    return "\n\n".join(sections) + "\n"


def _finding(finding: Finding) -> str:
    source = f" ({lightly(finding.source)})" if finding.source else ""
    return f"**{finding.kind}.** {lightly(finding.text)}{source}"


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
            writer.writerow(
                (line.group, line.key, line.name, spreadsheet_text(name), *figures, assumption, line.source)
            )
    for name, remark in config_remarks(comparison.pins):
        row = ("Remarks", "remark", "Remark", spreadsheet_text(name), spreadsheet_text(remark))
        writer.writerow((*row, *[""] * (len(_CSV_HEAD) - len(row))))
    return text.getvalue()


def _changes(comparison: Comparison, line: Line, place: int) -> Iterator[str]:
    for change in (line.change, line.relative):
        value = change(place, comparison.baseline)
        yield "" if value is None or place == comparison.baseline else repr(value)


def _plain(value: Value) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, str) else repr(value)


def spreadsheet_text(name: str) -> str:
    """Return text that a spreadsheet does not run: names come from links, and one may start like a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@")) else name
