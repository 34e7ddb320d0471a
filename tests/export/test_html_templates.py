"""HTML templates: what they write, that every value is escaped, and that a missing one is an error."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import UndefinedError

from slimlm import export
from slimlm.compare.comparison import Comparison
from slimlm.compare.line import Line
from slimlm.compare.pins import Pin
from slimlm.core.config import ModelConfig
from slimlm.costs.shape import SHAPE_QUANTITIES
from slimlm.export.html_templates import Drawing, render, render_part
from slimlm.export.report_rows import OffTarget

TEMPLATES = sorted((Path(export.__file__).parent / "templates").glob("*.jinja"))
RUDE = """</td><script>alert('x')</script>" onload="alert(1) &amp; {{ title }} {% raw %}"""
INERT = (
    "&lt;/td&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&#34; onload=&#34;alert(1) &amp;amp; "
    "{{ title }} {% raw %}"
)


def test_a_table_marks_a_cell_by_its_type_and_never_by_its_text() -> None:
    rows = [("mine (off target)", "+1 %"), (RUDE, OffTarget("+9 % (off target)"))]
    assert (
        render_part("table", ("Model", "Miss"), rows)
        == f"""\
<div class="wide"><table class="left1">
<tr><th scope="col">Model</th><th scope="col">Miss</th></tr>
<tr><td>mine (off target)</td><td>+1 %</td></tr>
<tr><td>{INERT}</td><td class="off-target">+9 % (off target)</td></tr>
</table></div>
"""
    )


def line(key: str, *values: int, **assumed: object) -> Line:
    return Line(quantity=SHAPE_QUANTITIES[key], group="Shape", values=values, **assumed)  # type: ignore[arg-type]


def test_a_comparison_has_values_and_below_them_the_differences_from_the_baseline() -> None:
    pins = (Pin(ModelConfig(), "a"), Pin(ModelConfig(), "b <i>"), Pin(ModelConfig(), "c"))
    lines = [line("n_layers", 8, 12, 8), line("d_model", 64, 96, 32, assumptions=(('a "b"', "c"),) * 3)]
    assert (
        render_part("differences", Comparison(pins), [("Shape", lines)])
        == """\
<div class="scrolled"><table class="comparison models" style="min-width: 27.9rem">
<thead><tr><th scope="col">Figure</th><th scope="col">a<small>baseline</small></th>\
<th scope="col">b &lt;i&gt;</th><th scope="col">c</th></tr></thead>
<tbody><tr class="group"><th colspan="4">Shape</th></tr>
<tr><th scope="row">Layers</th><td>8</td><td>12<small>+4 · +50.0 %</small></td><td class="equal">8</td></tr>
<tr><th scope="row" title="a &#34;b&#34;; c">Width (d_model)</th>\
<td>64</td><td>96<small>+32 · +50.0 %</small></td><td>32<small>−32 · −50.0 %</small></td></tr>
</tbody>
</table></div>
"""
    )


def test_the_narrow_columns_of_many_models_have_absolute_and_relative_differences_below_each_other() -> None:
    pins = tuple(Pin(ModelConfig(), str(number)) for number in range(6))
    table = render_part("differences", Comparison(pins), [("Shape", [line("n_layers", 8, 12, 8, 8, 8, 8)])])
    assert "<td>12<small>+4</small><small>+50.0 %</small></td>" in table


def test_costs_have_assumption_and_source() -> None:
    row = SimpleNamespace(name="KV cache", text="1 kB", assumption="1 < 2", source=RUDE)
    assert (
        render_part("costs", [("Memory", [row])])
        == f"""\
<div class="scrolled"><table class="comparison costs">
<thead><tr><th scope="col">Figure</th><th scope="col">Value</th><th scope="col">Assumption</th>\
<th scope="col">Source</th></tr></thead>
<tbody><tr class="group"><th colspan="4">Memory</th></tr>
<tr><th scope="row">KV cache</th><td>1 kB</td><td>1 &lt; 2</td><td>{INERT}</td></tr>
</tbody>
</table></div>
"""
    )


def test_a_chart_is_drawn_for_light_and_dark_pages_or_replaced_by_the_reason() -> None:
    drawn = render_part("figure", Drawing(light="<svg>1</svg>", dark="<svg>2</svg>"))
    assert drawn.strip() == (
        '<figure><div class="light"><svg>1</svg></div><div class="dark"><svg>2</svg></div></figure>'
    )
    missing = render_part("figure", Drawing(problem=RUDE))
    assert missing.strip() == f"<p><small>A chart belongs here: {INERT}.</small></p>"


def report(**values: object) -> str:
    names = "targets_head targets dimensions drawings parameters_head parameters alternatives_head alternatives notes"
    empty = dict.fromkeys(f"{names} request definitions listings".split(), ())
    return render("report.html.jinja", **{"title": "t", "verdict": "v", "evidence": None, **empty, **values})


def test_a_page_forbids_scripts_and_requests() -> None:
    head, _, rest = report(title="10M").partition("<style>")
    assert (
        head
        == """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>10M</title>
"""
    )
    assert rest.partition("</style>")[2].startswith("\n</head>\n<body>\n<main>\n<h1>10M</h1>\n")
    assert rest.endswith("</main>\n</body>\n</html>\n")


def test_every_text_of_a_report_is_escaped() -> None:
    note = SimpleNamespace(severity=RUDE, text=RUDE, source=RUDE)
    rows = {name: [(RUDE,)] for name in ("targets", "dimensions", "parameters", "alternatives", "request")}
    heads = dict.fromkeys(("targets_head", "parameters_head", "alternatives_head"), (RUDE,))
    page = report(
        title=RUDE,
        verdict=RUDE,
        **rows,
        **heads,
        notes=[note],
        definitions=[RUDE],
        listings=[RUDE],
        evidence=SimpleNamespace(sentence=RUDE),
    )
    assert "<script" not in page and "onload=&#34;" in page and 'onload="' not in page
    assert (
        page.count(INERT) == 2 + len(rows) + len(heads) + 1 + 3 + 2 + 1
    )  # the title occurs twice, a note has three texts
    assert "<li>" in page and "<pre>" in page


@pytest.mark.parametrize(
    "template", ["page.html.jinja", "report.html.jinja", "comparison.html.jinja", "study.html.jinja"]
)
def test_a_missing_value_is_an_error(template: str) -> None:
    with pytest.raises(UndefinedError, match="'title' is undefined"):
        render(template)


def test_only_charts_skip_the_escaping() -> None:
    assert len(TEMPLATES) == 5
    texts = [path.read_text(encoding="utf-8") for path in TEMPLATES]
    unescaped = [found for text in texts for found in re.findall(r"(\S+) *\| *safe|autoescape|Markup", text)]
    assert unescaped == ["drawing.light", "drawing.dark"]
