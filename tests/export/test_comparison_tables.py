"""Exported comparisons: HTML, Markdown and CSV tables, and downloads."""

import csv
import io
import re
import xml.etree.ElementTree as ET
from html import unescape
from html.parser import HTMLParser

import pytest

from slimlm.compare.comparison import Comparison
from slimlm.compare.findings import findings
from slimlm.compare.pins import Pin
from slimlm.compare.presets import preset_pins
from slimlm.core.config import ModelConfig
from slimlm.costs import costs
from slimlm.export.comparison_tables import (
    assumptions_table,
    comparison_csv,
    comparison_html,
    comparison_markdown,
    costs_table,
    differences_table,
    equal_table,
)
from slimlm.export.downloads import Download, comparison_downloads

THREE = preset_pins("The default design, SmolLM2-135M and Qwen3-0.6B")
RUDE = '<img src=x onerror="alert(1)">**b**|`c`'


GOLDEN = """\
| Figure | 25 % embedding | 35 % embedding | 45 % embedding |
| :-- | --: | --: | --: |
| Total | 10,022,720 | 10,047,024 (+24.30k · +0.2 %) | 9,950,848 (−71.87k · −0.7 %) |
| Non-embedding | 7,462,720 | 6,591,024 (−871.7k · −11.7 %) | 5,598,848 (−1.864M · −25.0 %) |
| Embedding ratio | 25.5 % | 34.4 % (+8.9 points) | 43.7 % (+18.2 points) |
| Token embedding | 2,560,000 | 3,456,000 (+896.0k · +35.0 %) | 4,352,000 (+1.792M · +70.0 %) |
| Position embedding | 81,920 | 110,592 (+28.67k · +35.0 %) | 139,264 (+57.34k · +70.0 %) |
| Attention | 2,457,600 | 2,239,488 (−218.1k · −8.9 %) | 1,775,616 (−682.0k · −27.8 %) |
"""


def test_the_markdown_table_is_as_expected_and_adds_up() -> None:
    written = comparison_markdown(Comparison(preset_pins("25, 35 and 45 % of 10M in embeddings")))
    table = written.partition("## Parameters\n\n")[2]
    assert table.startswith(GOLDEN)
    rows = [
        [re.sub(r" \(.*", "", cell).replace(",", "") for cell in row.split(" | ")[1:]] for row in table.splitlines()
    ]
    for column in range(3):
        assert sum(int(row[column].strip(" |")) for row in rows[5:12]) == int(rows[2][column].strip(" |"))


class Cells(HTMLParser):
    """The cells of a table by row, and every tag that occurs."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip("\n")


def test_the_html_tables_hold_every_figure_and_mute_what_is_equal() -> None:
    comparison = Comparison(THREE, baseline=1)
    page, equal = differences_table(comparison), equal_table(comparison)
    rows = {row[0]: row[1:] for row in Cells(page).rows}
    assert rows["LayersShape"] == ["12−18 · −60.0 %", "30", "28−2 · −6.7 %"]
    assert rows["Figure"] == ["10.05M · 12 × 216", "SmolLM2-135Mbaseline", "Qwen3-0.6B"]
    written = [row for row in Cells(page + equal).rows if len(row) == 4]
    assert len(written) == len(comparison.lines) + 2
    assert '<td class="equal">RMSNorm</td>' in page and '<td class="equal">SwiGLU</td>' in equal
    assert "Tied LM head" not in page and "Layers<" not in equal
    assert 'title="' in page and "sequences of 512 tokens" in page


def test_equal_rows_are_folded_in_the_html_page() -> None:
    comparison = Comparison(THREE)
    assert f"<summary>Equal in all models: {len(comparison.equal_lines)}</summary>" in comparison_html(comparison)
    assert "<details>" not in comparison_html(Comparison(THREE[:1]))


def test_every_document_starts_with_the_findings() -> None:
    comparison = Comparison(THREE)
    page = unescape(comparison_html(comparison))
    for finding in findings(comparison):
        assert f"<strong>{finding.kind}.</strong> {finding.text}" in page
        assert f"**{finding.kind}.** {finding.text}" in comparison_markdown(comparison)
    assert "arXiv 2006.12467" in comparison_markdown(comparison).partition("## Shape")[0]


def test_one_model_alone_has_no_baseline() -> None:
    alone = Comparison(THREE[:1])
    assert "baseline" not in differences_table(alone)
    assert "In brackets" not in comparison_markdown(alone)
    assert "difference from" not in comparison_html(alone)
    assert alone.title == "10.05M · 12 × 216"


def test_the_csv_has_a_line_for_each_figure_of_each_model() -> None:
    comparison = Comparison(THREE)
    rows = list(csv.DictReader(io.StringIO(comparison_csv(comparison), newline="")))
    assert len(rows) == 3 * len(comparison.lines)
    total = [row for row in rows if row["key"] == "total_params"]
    assert [int(row["value"]) for row in total] == [pin.subject.total_params for pin in THREE]
    for row in total[1:]:
        assert int(row["difference"]) == int(row["value"]) - int(total[0]["value"])
        assert float(row["relative"]) == int(row["value"]) / int(total[0]["value"]) - 1 or pytest.approx(0)
    assert total[0]["difference"] == total[0]["relative"] == ""
    assert {row["assumption"] for row in rows if row["key"] == "kv_cache_bytes"} == {
        "1 sequence of 512 tokens; in bf16"
    }


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x"])
def test_a_name_is_no_formula_in_a_spreadsheet(name: str) -> None:
    written = comparison_csv(Comparison((THREE[0].renamed(name),)))
    assert {row["model"] for row in csv.DictReader(io.StringIO(written))} == {f"'{name}"}


def test_names_are_text_alone_in_every_document() -> None:
    comparison = Comparison((Pin(ModelConfig(), RUDE), THREE[1]))
    for page in (differences_table(comparison), assumptions_table(comparison), comparison_html(comparison)):
        assert "img" not in Cells(page).tags
        assert "&lt;img" in page
    assert r"\<img src=x onerror=\"alert(1)\">\*\*b\*\*\|\`c\`" in comparison_markdown(comparison).replace('"', r"\"")


def test_the_page_fetches_nothing_and_holds_charts_and_tables() -> None:
    page = comparison_html(Comparison(THREE), "params")
    assert """content="default-src 'none'; style-src 'unsafe-inline'">""" in page
    assert page.count("<svg") == 4 and "Length is parameters, on one scale" in page
    assert not re.search(r'(src|href)="(?!#)', page)
    assert {"script", "link", "iframe"}.isdisjoint(Cells(page).tags)
    assert "<p>Below each value: the difference from 10.05M · 12 × 216.</p>" in page
    assert "Costs at a context of 512 tokens" in page and "Dao 2023" in page


@pytest.mark.parametrize("download", comparison_downloads(Comparison(THREE)), ids=lambda download: download.label)
def test_every_download_is_what_its_name_says(download: Download) -> None:
    built = download.build()
    start = built[:4] if isinstance(built, bytes) else built[:15].encode()
    expected = {"image/png": b"\x89PNG", "image/svg+xml": b"<svg", "text/html": b"<!doctype html>"}
    expected |= {"text/markdown": b"# 10.05M", "text/csv": b"group,key,figur"}
    assert start.startswith(expected[download.mime])
    if download.mime == "image/svg+xml":
        ET.fromstring(built)


def test_the_costs_of_one_model_are_a_table_with_assumptions_and_sources() -> None:
    rows = costs(THREE[0].architecture)
    cells = [row for row in Cells(costs_table(rows)).rows if len(row) == 4]
    assert cells[0] == ["Figure", "Value", "Assumption", "Source"]
    assert cells[1:] == [[row.name, row.text, row.assumption, row.source] for row in rows]
