"""Reports: pages need no network, tables add up, and the code reproduces the design."""

import csv
import io
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from slimlm.cli.main import main
from slimlm.core import accounting
from slimlm.core.accounting import Component
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel
from slimlm.core.table import format_param_table
from slimlm.export.downloads import components_csv
from slimlm.export.report_html import component_table, html_report
from slimlm.export.report_markdown import markdown
from slimlm.notes import design_notes
from slimlm.notes.verdict import verdict
from slimlm.serialization.code import command_line, python_code
from slimlm.serialization.design_json import request_from_record
from slimlm.solver.alternatives import alternatives
from slimlm.solver.solver import solve
from slimlm.utils.text import lightly
from tests.models import ARCHITECTURES
from tests.models import REQUESTS as STRUCTURED
from tests.pixels import colors_of, opened

REQUESTS = {
    "default": ModelConfig(),
    "untied": ModelConfig(total_params=125_000_000, vocab_size=32_000, tied_lm_head=False),
    "pinned": ModelConfig(total_params=12_345_678, n_layers=9, multiple_of=8, max_seq_length=1000, glu_expansion=8 / 3),
    "dropout": ModelConfig(dropout=0.0, layer_norm_eps=1e-5),
    "auto": ModelConfig(n_heads="auto", head_dim=32, n_kv_heads=2, positions="none"),
    **STRUCTURED,
}
every_request = pytest.mark.parametrize("name", REQUESTS)


def design_of(name: str) -> Design:
    return solve(REQUESTS[name])


# Reproducing.


def run(code: str) -> Design:
    names: dict[str, Design] = {}
    exec(code, names)
    return names["design"]


@every_request
def test_the_python_lines_make_the_same_design(name: str) -> None:
    assert run(python_code(design_of(name))) == design_of(name)


def test_the_python_lines_of_a_design_that_was_not_solved_for_carry_its_architecture() -> None:
    other = Design(ModelConfig(), Architecture(d_model=208, d_ff=536, n_layers=13))
    assert "solve" not in python_code(other)
    assert run(python_code(other)) == other
    assert command_line(other) is None


@pytest.mark.parametrize("name", sorted(REQUESTS.keys() - {"pinned"}))
def test_the_command_prints_the_same_design(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = command_line(design_of(name))
    assert command and command.startswith("python -m slimlm design ")
    assert main([*shlex.split(command)[3:], "--json"]) == 0
    assert request_from_record(json.loads(capsys.readouterr().out)) == REQUESTS[name]


def test_the_command_carries_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    config = replace(REQUESTS["pinned"], glu_expansion=2.666667, n_heads=4)
    command = command_line(solve(config))
    assert command
    assert main([*shlex.split(command)[3:], "--json"]) == 0
    assert request_from_record(json.loads(capsys.readouterr().out)) == config


def test_there_is_no_command_for_a_request_that_it_cannot_write_exactly() -> None:
    assert command_line(design_of("pinned")) is None  # 8/3 has more than six decimals
    assert "```sh" not in markdown(design_of("pinned"))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_python_lines_of_a_named_model_make_its_architecture(name: str) -> None:
    names: dict[str, Architecture] = {}
    exec(python_code(NamedModel(name, ARCHITECTURES[name], "From a test")), names)
    assert names["architecture"] == ARCHITECTURES[name]


def test_python_lines_leave_out_structure_that_is_at_its_default() -> None:
    assert "norm" not in python_code(design_of("default")).replace("layer_norm_eps", "")
    code = python_code(design_of("llama"))
    assert code.count("\n        n_kv_heads=3,\n        norm='rmsnorm',\n        positions='rope',\n") == 1
    assert "bias" not in code


# Markdown.


def markdown_tables(text: str) -> Iterator[list[list[str]]]:
    for block in text.split("\n\n"):
        if block.startswith("|"):
            yield [[cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines()]


@every_request
def test_the_component_table_adds_up(name: str) -> None:
    design = design_of(name)
    table = next(table for table in markdown_tables(markdown(design)) if table[0][0] == "Component")
    *parts, total = table[2:]
    counts = [int(row[4].replace(",", "")) for row in parts]
    assert sum(counts) == int(total[4].strip("*").replace(",", "")) == design.total_params
    assert (total[0], total[5]) == ("**Total**", "**100.00 %**")
    assert sum(round(100 * float(row[5].removesuffix(" %"))) for row in parts) == 10_000
    for row, count in zip(parts, counts, strict=True):
        if row[3]:
            one, copies = (int(number.replace(",", "")) for number in row[3].split(" × "))
            assert one * copies == count


@every_request
def test_every_row_of_every_table_has_the_cells_of_its_head(name: str) -> None:
    tables = list(markdown_tables(markdown(design_of(name))))
    assert len(tables) == 4
    for table in tables:
        assert {len(row) for row in table} == {len(table[0])}


def test_markdown_has_targets_alternatives_and_notes_with_sources() -> None:
    design, text = design_of("default"), markdown(design_of("default"))
    assert text.startswith(f"# {design.title}\n")
    assert "| GLU expansion | 2.66 | 2.5185 | −5.32 % (off target) |" in text
    assert all(note.text in text and note.source in text for note in design_notes(design))
    assert all(f"| {other.change} |" in text for other in alternatives(design.config))
    assert "\n\n\n" not in text


def test_the_structure_has_a_row_of_its_own_and_plain_feed_forwards_no_glu() -> None:
    text = markdown(design_of("gpt2"))
    assert "| Structure | GELU MLP · biases on every projection |" in text
    assert "| FFN expansion | 4 |" in text and "* FFN expansion: d_ff / d_model." in text
    assert "GLU expansion" not in text.replace("--glu-expansion", "")
    assert "| n_kv_heads | 3 |" in markdown(design_of("llama"))
    assert "Structure" not in markdown(design_of("default"))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_markdown_of_a_named_model_names_origin_and_figures_and_adds_up(name: str) -> None:
    named_model = NamedModel(name, ARCHITECTURES[name], "From a *test*")
    text = markdown(named_model)
    judged = lightly(str(verdict(named_model)))
    assert text.startswith(f"# {named_model.title}\n\n**{judged}**\n\nFrom a \\*test\\*.\n")
    figures, dimensions, components = markdown_tables(text)
    assert figures[2] == ["Total parameters", f"{named_model.total_params:,}"]
    assert dimensions[-1][0] == "Structure"
    *parts, total = components[2:]
    assert sum(int(row[4].replace(",", "")) for row in parts) == named_model.total_params
    assert sum(round(100 * float(row[5].removesuffix(" %"))) for row in parts) == 10_000
    assert total[0] == "**Total**"
    assert "Design: of all models" not in text and "## Alternatives" not in text


# HTML.


class Cells(HTMLParser):
    """The rows of a table."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip("\n")


@every_request
def test_html_markdown_text_and_csv_have_the_same_component_rows(name: str) -> None:
    design = design_of(name)
    _, *parts, total = Cells(component_table(design)).rows
    in_markdown = next(table for table in markdown_tables(markdown(design)) if table[0][0] == "Component")
    assert [[cell.replace("\\", "") for cell in row] for row in in_markdown[2:-1]] == parts
    assert [cell.strip("*") for cell in in_markdown[-1]] == total
    text = " ".join(format_param_table(design).split())
    assert all(" ".join(filter(None, (row[3], row[4], row[5]))) in text for row in parts)
    in_csv = csv.DictReader(io.StringIO(components_csv(design)))
    assert [(row["name"], f"{int(row['params']):,}") for row in in_csv] == [(row[0], row[4]) for row in parts]


class References(HTMLParser):
    """Collect what a page would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "link", "iframe", "img", "object", "embed", "base"}:
            self.found.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "xlink:href", "srcset", "data", "action"} or name.startswith("on"):
                self.found.append(f"{name}={value}")


def without_papers(page: str) -> str:
    """Return a page without its links to papers, which nothing fetches until a reader follows them."""
    return re.sub(r'<a href="https://arxiv\.org/abs/\d{4}\.\d{4,5}">(arXiv [\d.]+)</a>', r"\1", page)


@every_request
def test_the_page_refers_to_nothing_outside_it(name: str) -> None:
    text = without_papers(html_report(design_of(name)))
    references = References()
    references.feed(text)
    assert references.found == []
    assert not re.search(r"https?://|//[a-z]|@import|url\(|<script", text)


def test_reports_give_advice_before_details() -> None:
    sections = ["Design notes", "Alternatives", "Parameters", "Definitions", "Reproduce"]
    assert re.findall(r"^## (.*)$", markdown(design_of("default")), re.MULTILINE) == sections
    in_html = re.findall(r"<h2>(.*)</h2>", html_report(design_of("default")))
    assert in_html == [*sections[:3], "Request", *sections[3:]]


def test_the_page_says_what_the_markdown_says() -> None:
    design = design_of("untied")
    text = without_papers(html_report(design))
    assert f"<title>{design.title}</title>" in text
    assert text.count("<svg ") == 4  # two charts, light and dark
    for needed in ("Target", "Alternatives", "Design notes", "vocabulary-sized matrices", "--untied", "ModelConfig("):
        assert needed in text
    for note in design_notes(design):
        assert note.source.replace("&", "&amp;").replace("'", "&#39;") in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_shown_offline_in_the_readers_colours(
    scheme: Literal["light", "dark"], browser: Browser, tmp_path: Path
) -> None:
    design, file, problems = design_of("default"), tmp_path / "design.html", list[str]()
    file.write_text(html_report(design), encoding="utf-8")
    context = browser.new_context(offline=True, color_scheme=scheme, viewport=ViewportSize(width=1200, height=900))
    page = context.new_page()
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", name=design.title)).to_be_visible()
    expect(page.locator(f"figure .{scheme} svg").filter(visible=True)).to_have_count(2)
    expect(page.locator("figure svg").filter(visible=True)).to_have_count(2)
    image = opened(page.screenshot()).convert("RGB")
    assert image.getpixel((2, 2)) == ((14, 17, 23) if scheme == "dark" else (255, 255, 255))
    assert len(colors_of(image)) > 100
    # On a narrow screen only a wide table scrolls, inside its own frame.
    page.set_viewport_size(ViewportSize(width=400, height=900))
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    context.close()
    assert not problems


def test_all_text_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    def hostile(architecture: Architecture) -> tuple[Component, ...]:
        first, *rest = original(architecture)
        return (replace(first, name="<script>alert('&')</script>", formula="a | b"), *rest)

    original = accounting.components_of
    monkeypatch.setattr(accounting, "components_of", hostile)
    design = design_of("default")
    for text in (html_report(design), component_table(design)):
        assert "<script" not in text
        assert "&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;" in text
    assert "\\<script>" in markdown(design)
    assert "| a \\| b |" in markdown(design)
