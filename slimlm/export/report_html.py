"""HTML report of a design."""

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.core.design import Design
from slimlm.core.named_model import Subject
from slimlm.export.html_templates import drawing, render, render_part
from slimlm.export.report_rows import (
    ALTERNATIVES_HEAD,
    TABLE_HEAD,
    TARGETS_HEAD,
    alternative_rows,
    definitions,
    dimension_rows,
    request_rows,
    table_rows,
    target_rows,
)
from slimlm.notes import design_notes
from slimlm.notes.verdict import verdict
from slimlm.ranking.evidence import evidence_for
from slimlm.serialization.code import command_line, python_code


def html_report(design: Design) -> str:
    """Return a design as a self-contained HTML page, light or dark as the reader's system.

    A chart that cannot be drawn is replaced by the reason.
    """
    return render(
        "report.html.jinja",
        title=design.title,
        verdict=verdict(design),
        evidence=evidence_for(design),
        targets_head=TARGETS_HEAD,
        targets=target_rows(design),
        dimensions=dimension_rows(design),
        drawings=[drawing(allocation_chart(design)), drawing(layer_profile_chart(design))],
        parameters_head=TABLE_HEAD,
        parameters=table_rows(design),
        alternatives_head=ALTERNATIVES_HEAD,
        alternatives=alternative_rows(design),
        notes=design_notes(design),
        request=request_rows(design),
        definitions=definitions(design),
        listings=filter(None, (command_line(design), python_code(design))),
    )


def component_table(subject: Subject) -> str:
    """Return the parameter table of a design or a named model as an HTML table."""
    return render_part("table", TABLE_HEAD, table_rows(subject), "left3 sum")
