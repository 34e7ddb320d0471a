"""Markdown report of a design or a named model."""

from collections.abc import Iterable

from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel, Subject
from slimlm.export.report_rows import (
    ALTERNATIVES_HEAD,
    TABLE_HEAD,
    TARGETS_HEAD,
    Cells,
    alternative_rows,
    definitions,
    dimension_rows,
    figure_rows,
    table_rows,
    target_rows,
)
from slimlm.notes import Note, design_notes
from slimlm.notes.verdict import verdict
from slimlm.ranking.evidence import evidence_for
from slimlm.serialization.code import command_line, python_code
from slimlm.utils.text import lightly


def markdown(subject: Subject) -> str:
    """Return a design or a named model as Markdown, for a pull request or a design document."""
    command = command_line(subject) if isinstance(subject, Design) else None
    sections = [
        f"# {lightly(subject.title)}",
        f"**{lightly(str(verdict(subject)))}**",
        *([f"{lightly(subject.origin)}."] if isinstance(subject, NamedModel) else []),
        *([_markdown_remarks(subject)] if isinstance(subject, NamedModel) and subject.remarks else []),
        *([lightly(evidence.sentence)] if (evidence := evidence_for(subject)) else []),
        _markdown_figures(subject),
        markdown_table(("", "Actual"), dimension_rows(subject), left=1),
        *(_markdown_review(subject) if isinstance(subject, Design) else ()),
        "## Parameters",
        component_table(subject),
        "## Definitions",
        "\n".join(f"* {lightly(line)}" for line in definitions(subject)),
        "## Reproduce",
        *([f"```sh\n{command}\n```"] if command else []),
        f"```python\n{python_code(subject)}\n```",
    ]
    return "\n\n".join(sections) + "\n"


def _markdown_remarks(model: NamedModel) -> str:
    return "\n".join(f"* {lightly(remark)}" for remark in model.remarks)


def _markdown_figures(subject: Subject) -> str:
    if isinstance(subject, NamedModel):
        return markdown_table(("", "Counted"), figure_rows(subject), left=1)
    return markdown_table(TARGETS_HEAD, target_rows(subject), left=1)


def _markdown_review(design: Design) -> list[str]:
    return [
        "## Design notes",
        "\n".join(map(_markdown_note, design_notes(design))),
        "## Alternatives",
        markdown_table(ALTERNATIVES_HEAD, alternative_rows(design), left=1),
    ]


def component_table(subject: Subject) -> str:
    """Return the parameter table of a design or a named model as a Markdown table."""
    return markdown_table(TABLE_HEAD, table_rows(subject), left=3, bold_last=True)


def markdown_table(head: Cells, rows: Iterable[Cells], *, left: int, bold_last: bool = False) -> str:
    """Return a Markdown table with its first `left` columns aligned left; every cell is escaped."""
    aligned = [":--" if column < left else "--:" for column in range(len(head))]
    titles, *cells = ([lightly(cell) for cell in row] for row in (head, *rows))
    if bold_last:
        cells[-1] = [f"**{cell}**" if cell else "" for cell in cells[-1]]
    lines = [titles, aligned, *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _markdown_note(note: Note) -> str:
    return f"* **{note.severity.capitalize()}:** {lightly(note.text)} ({lightly(note.source)})"
