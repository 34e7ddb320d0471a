"""Markdown report of a design or a named model."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel, Subject
from slimlm.notes import Note, design_notes
from slimlm.serialization.code import command_line, python_code
from slimlm.utils.text import lightly

if TYPE_CHECKING:
    pass
from slimlm.export.report_rows import (
    NEARBY_HEAD,
    TABLE_HEAD,
    TARGETS_HEAD,
    Cells,
    component_rows,
    definitions,
    dimension_rows,
    figure_rows,
    nearby_row,
    neighbours,
    target_rows,
)

# Markdown.


def markdown(subject: Subject) -> str:
    """Return a design or a named model as Markdown, for a pull request or a design document."""
    command = command_line(subject) if isinstance(subject, Design) else None
    sections = [
        f"# {lightly(subject.title)}",
        *_markdown_figures(subject),
        markdown_table(("", "Actual"), dimension_rows(subject), left=1),
        "## Parameters",
        markdown_table(TABLE_HEAD, component_rows(subject), left=3),
        *(_markdown_review(subject) if isinstance(subject, Design) else ()),
        "## Definitions",
        "\n".join(f"* {lightly(line)}" for line in definitions(subject)),
        "## Reproduce",
        *([f"```sh\n{command}\n```"] if command else []),
        f"```python\n{python_code(subject)}\n```",
    ]
    return "\n\n".join(sections) + "\n"


def _markdown_figures(subject: Subject) -> list[str]:
    if isinstance(subject, NamedModel):
        return [f"{lightly(subject.origin)}.", markdown_table(("", "Counted"), figure_rows(subject), left=1)]
    return [markdown_table(TARGETS_HEAD, target_rows(subject), left=1)]


def _markdown_review(design: Design) -> list[str]:
    return [
        "## Alternatives",
        markdown_table(NEARBY_HEAD, map(nearby_row, neighbours(design)), left=1),
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
