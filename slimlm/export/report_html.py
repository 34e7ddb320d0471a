"""Stand-alone HTML report of a design, and the HTML parts of other reports."""

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from slimlm.core.design import Design
from slimlm.core.named_model import Subject
from slimlm.export.report_rows import (
    NEARBY_HEAD,
    TABLE_HEAD,
    TARGETS_HEAD,
    Cells,
    OffTarget,
    definitions,
    dimension_rows,
    nearby_row,
    neighbours,
    request_rows,
    table_rows,
    target_rows,
)
from slimlm.notes import Note, design_notes
from slimlm.serialization.code import command_line, python_code

if TYPE_CHECKING:
    from slimlm.charts.theme import Figure

_STYLE = """
:root { color-scheme: light dark; --page: #FFFFFF; --ink: #1F2328; --muted: #59636E; --faint: #D8DDE3; }
:root { --off-target: #8A5A00; }
body { background: var(--page); color: var(--ink); font: 16px/1.5 Arial, sans-serif; margin: 0; }
main { max-width: 960px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 28px; line-height: 1.25; margin: 0 0 24px; }
h2 { font-size: 20px; margin: 44px 0 12px; }
figure { margin: 32px -6px; } svg { display: block; width: 100%; height: auto; } .dark { display: none; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { border-bottom: 1px solid var(--faint); padding: 6px 16px 6px 0; text-align: right; vertical-align: top; }
th { color: var(--muted); font-weight: normal; }
th:last-child, td:last-child { padding-right: 0; }
.request :is(th, td), .left1 :is(th, td):nth-child(-n+1), .left3 :is(th, td):nth-child(-n+3) { text-align: left; }
.sum tr:last-child td { border-top: 2px solid var(--ink); font-weight: 600; }
.figures { display: grid; gap: 0 48px; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); }
.off-target { color: var(--off-target); font-weight: 600; } small { color: var(--muted); }
ul { list-style: none; padding: 0; } li { margin: 0 0 12px; } li small { display: block; }
pre { border: 1px solid var(--faint); border-radius: 6px; font: 13px/1.5 monospace; padding: 12px 16px; }
pre { white-space: pre-wrap; }
@media screen and (prefers-color-scheme: dark) {
  :root { --page: #0E1117; --ink: #F5F5F5; --muted: #A9B2BC; --faint: #343A42; --off-target: #E3B341; }
  .light { display: none; } .dark { display: block; }
}
"""


def html_report(design: Design) -> str:
    """Return a design as an HTML page that needs no other file and no network; light or dark as the reader's system.

    Where no picture can be drawn, a sentence says why in its place.
    """
    from slimlm.charts.allocation import allocation_chart
    from slimlm.charts.layer_profile import layer_profile_chart

    return html_page(
        design.title,
        [
            '<div class="figures">',
            html_table(TARGETS_HEAD, target_rows(design)),
            html_table(("", "Actual"), dimension_rows(design)),
            "</div>",
            *(html_figure(chart) for chart in (allocation_chart(design), layer_profile_chart(design))),
            f"<h2>Parameters</h2>\n{component_table(design)}",
            f"<h2>Alternatives</h2>\n{html_table(NEARBY_HEAD, map(nearby_row, neighbours(design)))}",
            f"<h2>Design notes</h2>\n<ul>{''.join(map(_html_note, design_notes(design)))}</ul>",
            f"<h2>Request</h2>\n{html_table(('Field', 'Value', 'Meaning'), request_rows(design), kind='request')}",
            f"<h2>Definitions</h2>\n<ul>{''.join(f'<li>{escape(line)}</li>' for line in definitions(design))}</ul>",
            f"<h2>Reproduce</h2>\n{_html_code(command_line(design))}{_html_code(python_code(design))}",
        ],
    )


def html_page(title: str, parts: Iterable[str], style: str = "") -> str:
    """Return an HTML page of some parts under a title, which needs no other file and no network.

    `style` is CSS besides that of every page.
    """
    # The policy makes sure of it: nothing is fetched and nothing is run.
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>\n<main>",
            f"<h1>{escape(title)}</h1>",
            *parts,
            "</main>\n</body>\n</html>\n",
        ]
    )


def component_table(subject: Subject) -> str:
    """Return the account of a design or a named model as an HTML table."""
    return html_table(TABLE_HEAD, table_rows(subject), kind="left3 sum")


def html_table(head: Cells, rows: Iterable[Cells], *, kind: str = "left1") -> str:
    """Return an HTML table; every cell is escaped, and one off target is marked."""
    written = "\n".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in rows)
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    return f'<div class="wide"><table class="{kind}">\n<tr>{heads}</tr>\n{written}\n</table></div>'


def _html_cell(cell: str) -> str:
    return f'<td class="off-target">{escape(cell)}</td>' if isinstance(cell, OffTarget) else f"<td>{escape(cell)}</td>"


def html_figure(chart: "Figure") -> str:
    """Return a chart as an HTML figure, light or dark as the reader's system; or why it cannot be drawn here."""
    from slimlm.export.pictures import inline_svg

    try:
        pictures = [f'<div class="{kind}">{inline_svg(chart, dark=kind == "dark")}</div>' for kind in ("light", "dark")]
    except RuntimeError as error:  # the tables say it all the same
        return f"<p><small>A chart belongs here: {escape(str(error))}.</small></p>"
    return f"<figure>{''.join(pictures)}</figure>"


def _html_note(note: Note) -> str:
    return (
        f"<li><b>{escape(note.severity.capitalize())}:</b> {escape(note.text)}<small>{escape(note.source)}</small></li>"
    )


def _html_code(code: str | None) -> str:
    return f"<pre>{escape(code)}</pre>" if code else ""
