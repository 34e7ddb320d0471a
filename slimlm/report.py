"""A model in a document: a stand-alone HTML page, Markdown, and the lines that bring the model back."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from slimlm.accounting import EMBEDDING_RATIO_DEFINITION, Component
from slimlm.config import ModelConfig
from slimlm.design import BENT, TOLERANCE, AskedGot, Design
from slimlm.fields import field_docs
from slimlm.markdown import lightly
from slimlm.nearby import Alternative, alternatives
from slimlm.notes import Note, design_notes
from slimlm.recipe import command_line, field_names, literal, python_code
from slimlm.solver import BudgetError
from slimlm.specimen import Specimen, Subject
from slimlm.table import whole_shares
from slimlm.units import format_miss, format_share
from slimlm.words import expansion_name, structure_words

if TYPE_CHECKING:
    from slimlm.charts.theme import Figure

Cells = Sequence[str]

_ASKED_GOT_HEAD = ("", "Asked", "Got", "Miss")
_TABLE_HEAD = ("Component", "Formula", "Tensors", "Per layer × layers", "Parameters", "Share")
_NEARBY_HEAD = ("Instead", "Layers × d_model", "d_ff", "head_dim", "Total", "Ratio", "Expansion")
_RULES = (
    f"A design lies within ±{100 * TOLERANCE:g} % of the total asked; among all that do, it is the one with the least "
    "ln(ratio got / asked)² + ln(expansion got / asked)², the ratio got taken of the total asked.",
    f"A knob that is missed by more than {100 * BENT:g} % is called bent.",
)


# What both documents say.


def _asked_got_rows(design: Design) -> list[Cells]:
    labels = ("Total parameters", "Embedding ratio", expansion_name(design.config))
    knobs = zip(labels, design.asked_got, strict=True)
    return [(label, *_asked_got_cells(knob), _miss(knob)) for label, knob in knobs]


def _figure_rows(specimen: Specimen) -> list[Cells]:
    """Return the figures of a model that nobody asked for."""
    return [
        ("Total parameters", f"{specimen.total_params:,}"),
        ("Embedding ratio", format_share(specimen.account.embedding_ratio)),
        (expansion_name(specimen.architecture), f"{specimen.architecture.glu_expansion:.4f}"),
    ]


def _asked_got_cells(knob: AskedGot) -> tuple[str, str]:
    if knob.name == "total_params":
        return f"{knob.asked:,}", f"{knob.got:,}"
    return f"{knob.asked:.6g}", f"{knob.got:.4f}"


def _miss(knob: AskedGot) -> str:
    return format_miss(knob.miss) + (" (bent)" if knob.bent else "")


def _dimension_rows(subject: Subject) -> list[Cells]:
    arch = subject.architecture
    structure, grouped = structure_words(arch), arch.n_kv_heads != arch.n_heads
    return [
        ("n_layers × d_model", f"{arch.n_layers:,} × {arch.d_model:,}"),
        ("d_ff", f"{arch.d_ff:,}"),
        ("n_heads × head_dim", f"{arch.n_heads:,} × {arch.head_dim:,}"),
        *([("n_kv_heads", f"{arch.n_kv_heads:,}")] if grouped else []),
        ("vocab_size, LM head", f"{arch.vocab_size:,}, {'tied' if arch.tied_lm_head else 'untied'}"),
        ("max_seq_length", f"{arch.max_seq_length:,}"),
        *([("Structure", " · ".join(structure))] if structure else []),
    ]


def _component_rows(subject: Subject) -> Iterator[Cells]:
    """Yield the account and its sum; the shares are rounded so that they add up as well."""
    components = subject.account.components
    shares = whole_shares({part.key: part.params for part in components})
    for part in components:
        per_layer = f"{part.copy_params:,} × {part.copies:,}" if part.per_layer else ""
        share = f"{shares[part.key] / 100:.2f} %"
        yield part.name, part.formula, _tensors(part), per_layer, f"{part.params:,}", share
    yield "Total", "", "", "", f"{subject.total_params:,}", "100.00 %"


def _tensors(part: Component) -> str:
    counted = Counter(part.shapes.values())
    sizes = {shape: " × ".join(f"{size:,}" for size in shape) for shape in counted}
    return ", ".join((f"{n} of " if n > 1 else "") + sizes[shape] for shape, n in counted.items()) or part.note


def _definitions(subject: Subject) -> list[str]:
    return [
        f"Embedding ratio: {EMBEDDING_RATIO_DEFINITION}. Position embeddings are not part of it.",
        f"{expansion_name(subject.architecture)}: d_ff / d_model.",
        *(_RULES if isinstance(subject, Design) else ()),
    ]


def _neighbours(design: Design) -> tuple[Alternative, ...]:
    try:
        return alternatives(design.config)
    except BudgetError:  # a design made by hand, for a request that no model meets
        return ()


def _nearby_row(other: Alternative) -> Cells:
    arch = other.design.architecture
    misses = map(_miss, other.design.asked_got)
    return other.change, f"{arch.n_layers:,} × {arch.d_model:,}", f"{arch.d_ff:,}", f"{arch.head_dim:,}", *misses


def _request_rows(design: Design) -> list[Cells]:
    docs = field_docs(ModelConfig)
    names = field_names(ModelConfig)
    return [(name, literal(getattr(design.config, name)), " ".join(docs[name].split())) for name in names]


# Markdown.


def markdown(subject: Subject) -> str:
    """Return a design or a specimen as Markdown, for a pull request or a design document."""
    command = command_line(subject) if isinstance(subject, Design) else None
    sections = [
        f"# {lightly(subject.title)}",
        *_markdown_figures(subject),
        markdown_table(("", "Got"), _dimension_rows(subject), left=1),
        "## Parameters",
        markdown_table(_TABLE_HEAD, _component_rows(subject), left=3),
        *(_markdown_review(subject) if isinstance(subject, Design) else ()),
        "## Definitions",
        "\n".join(f"* {lightly(line)}" for line in _definitions(subject)),
        "## Reproduce",
        *([f"```sh\n{command}\n```"] if command else []),
        f"```python\n{python_code(subject)}\n```",
    ]
    return "\n\n".join(sections) + "\n"


def _markdown_figures(subject: Subject) -> list[str]:
    if isinstance(subject, Specimen):
        return [f"{lightly(subject.origin)}.", markdown_table(("", "Counted"), _figure_rows(subject), left=1)]
    return [markdown_table(_ASKED_GOT_HEAD, _asked_got_rows(subject), left=1)]


def _markdown_review(design: Design) -> list[str]:
    return [
        "## Alternatives",
        markdown_table(_NEARBY_HEAD, map(_nearby_row, _neighbours(design)), left=1),
        "## Design notes",
        "\n".join(map(_markdown_note, design_notes(design))),
    ]


def markdown_table(head: Cells, rows: Iterable[Cells], *, left: int) -> str:
    """Return a Markdown table whose first columns, `left` of them, are aligned left; every cell is escaped."""
    aligned = [":--" if column < left else "--:" for column in range(len(head))]
    titles, *cells = ([lightly(cell) for cell in row] for row in (head, *rows))
    lines = [titles, aligned, *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _markdown_note(note: Note) -> str:
    return f"* **{note.severity.capitalize()}:** {lightly(note.text)} ({lightly(note.source)})"


# HTML.

_STYLE = """
:root { color-scheme: light dark; --page: #FFFFFF; --ink: #1F2328; --muted: #59636E; --faint: #D8DDE3; }
:root { --bent: #8A5A00; }
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
.bent { color: var(--bent); font-weight: 600; } small { color: var(--muted); }
ul { list-style: none; padding: 0; } li { margin: 0 0 12px; } li small { display: block; }
pre { border: 1px solid var(--faint); border-radius: 6px; font: 13px/1.5 monospace; padding: 12px 16px; }
pre { white-space: pre-wrap; }
@media screen and (prefers-color-scheme: dark) {
  :root { --page: #0E1117; --ink: #F5F5F5; --muted: #A9B2BC; --faint: #343A42; --bent: #E3B341; }
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
            html_table(_ASKED_GOT_HEAD, _asked_got_rows(design)),
            html_table(("", "Got"), _dimension_rows(design)),
            "</div>",
            *(html_figure(chart) for chart in (allocation_chart(design), layer_profile_chart(design))),
            f"<h2>Parameters</h2>\n{component_table(design)}",
            f"<h2>Alternatives</h2>\n{html_table(_NEARBY_HEAD, map(_nearby_row, _neighbours(design)))}",
            f"<h2>Design notes</h2>\n<ul>{''.join(map(_html_note, design_notes(design)))}</ul>",
            f"<h2>Request</h2>\n{html_table(('Field', 'Value', 'Meaning'), _request_rows(design), kind='request')}",
            f"<h2>Definitions</h2>\n<ul>{''.join(f'<li>{escape(line)}</li>' for line in _definitions(design))}</ul>",
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
    """Return the account of a design or a specimen as an HTML table."""
    return html_table(_TABLE_HEAD, _component_rows(subject), kind="left3 sum")


def html_table(head: Cells, rows: Iterable[Cells], *, kind: str = "left1") -> str:
    """Return an HTML table; every cell is escaped, and a bent one is marked."""
    written = "\n".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in rows)
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    return f'<div class="wide"><table class="{kind}">\n<tr>{heads}</tr>\n{written}\n</table></div>'


def _html_cell(cell: str) -> str:
    return f'<td class="bent">{escape(cell)}</td>' if cell.endswith("(bent)") else f"<td>{escape(cell)}</td>"


def html_figure(chart: "Figure") -> str:
    """Return a chart as an HTML figure, light or dark as the reader's system; or why it cannot be drawn here."""
    from slimlm.card import inline_svg

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
