"""Models side by side as figures: values, differences, what costs assume, and the tables that hold them."""

import csv
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import fields, replace
from html.parser import HTMLParser

import pytest

from slimlm.compare.comparison import COMPONENT_NAMES, Comparison, Line, longest_context
from slimlm.compare.pins import Pin, pin_of
from slimlm.compare.presets import STARTS, start_pins
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model
from slimlm.costs import CostSettings, costs
from slimlm.export.comparison_downloads import COMPARISON_DOWNLOADS, comparison_html
from slimlm.export.comparison_tables import (
    assumptions_table,
    comparison_csv,
    comparison_markdown,
    costs_table,
    differences_table,
)

THREE = start_pins("The default design beside SmolLM2-135M and Qwen3-0.6B")
COUNTS = [f"{key}_params" for key in COMPONENT_NAMES]
RUDE = '<img src=x onerror="alert(1)">**b**|`c`'


def lines_of(comparison: Comparison) -> dict[str, Line]:
    return {line.key: line for line in comparison.lines}


def line(*values: float | str | None) -> Line:
    return Line(group="Shape", key="it", name="It", values=values, write=str, write_change=str)


# Figures.


def test_every_field_of_an_architecture_and_every_component_is_a_line() -> None:
    found = lines_of(Comparison(THREE))
    assert found.keys() >= {field.name for field in fields(Architecture)} | set(COUNTS)
    assert len(found) == len(Comparison(THREE).lines)
    for pin in THREE:
        assert {part.key for part in pin.subject.account.components} == COMPONENT_NAMES.keys()


def test_values_are_those_of_the_models() -> None:
    found = lines_of(Comparison(THREE))
    for place, pin in enumerate(THREE):
        arch = pin.architecture
        for name in ("n_layers", "d_model", "d_ff", "n_kv_heads", "vocab_size", "norm", "tied_lm_head"):
            assert found[name].values[place] == arch.concrete()[name]
        assert sum(found[key].values[place] for key in COUNTS) == pin.subject.total_params  # type: ignore[misc]
        assert found["total_params"].values[place] == pin.subject.total_params
    assert found["rope_theta"].texts == ("–", "100,000", "1,000,000")
    assert found["norm"].texts == ("LayerNorm", "RMSNorm", "RMSNorm")


def test_costs_are_compared_at_a_context_that_every_model_takes() -> None:
    comparison = Comparison(THREE)
    assert longest_context(THREE) == comparison.terms.context_length == 512
    found = lines_of(comparison)
    for place, pin in enumerate(THREE):
        for row in costs(pin.architecture, CostSettings(context_length=512)):
            assert found[row.key].values[place] == row.value
            assert found[row.key].texts[place] == row.text


def test_costs_follow_their_settings_and_the_terms_say_them() -> None:
    settings = CostSettings(context_length=128, accelerator="a100", utilisation=0.3, usd_per_hour=1.5, accelerators=8)
    comparison = Comparison(THREE, settings=settings)
    assert comparison.terms_line == (
        "Costs at a context of 128 tokens · training on 8 × NVIDIA A100 80GB SXM at 30 % of its peak and 1.5 USD an "
        "hour · batch of 8 sequences · decoding in bf16"
    )
    assert lines_of(comparison)["training_usd"].values != lines_of(Comparison(THREE))["training_usd"].values


def test_a_context_that_a_model_does_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match=r"context_length=513 is not allowed: the model takes max_seq_length=512"):
        _ = Comparison(THREE, settings=CostSettings(context_length=513)).lines


def test_a_baseline_is_one_of_the_models() -> None:
    for baseline in (-1, 3):
        with pytest.raises(ValueError, match=rf"baseline={baseline} is not allowed: it must be the place of one of 3"):
            Comparison(THREE, baseline)


# Differences.


@pytest.mark.parametrize(
    ("value", "base", "said"),
    [
        (12, 12, "="),
        (18, 12, "+6 · +50.0 %"),
        (6, 12, "−6 · −50.0 %"),
        (1201, 1200, "+1 · +0.1 %"),
        (120_001, 120_000, "+1 · +0.0008 %"),
        (120, 12, "+108 · ×10"),
        (5, 0, "+5"),
        (0, 5, "−5"),
        ("rope", "learned", ""),
        (None, 5, ""),
        (5, None, ""),
        (None, None, "="),
    ],
)
def test_a_difference_is_absolute_and_relative_where_both_say_something(
    value: float | str | None, base: float | str | None, said: str
) -> None:
    assert line(value, base).difference(0, 1) == said


def test_switches_have_no_difference_in_numbers() -> None:
    assert line(True, False).change(0, 1) is None


def test_shares_differ_by_points() -> None:
    found = lines_of(Comparison(THREE))
    assert found["embedding_ratio"].difference(1, 0) == "−13.4 points"
    assert found["six_n_miss"].difference(1, 0).endswith(" points")
    assert found["embedding_ratio"].relative(1, 0) is None


def test_differences_are_measured_from_the_chosen_baseline() -> None:
    found = lines_of(Comparison(THREE, baseline=2))["n_layers"]
    assert [found.difference(place, 2) for place in range(3)] == ["−16 · −57.1 %", "+2 · +7.1 %", "="]


def test_only_differences_leaves_out_the_lines_in_which_all_agree() -> None:
    comparison = Comparison(THREE)
    shown = {found.key for found in comparison.shown(only_differences=True)}
    hidden = {found.key for found in comparison.lines} - shown
    assert {"tied_lm_head", "ffn", "bias", "lm_head_params", "lm_head_bias"} <= hidden
    assert {"n_layers", "norm", "n_kv_heads", "training_flops"} <= shown
    assert all(len(set(lines_of(comparison)[key].values)) == 1 for key in hidden)
    assert comparison.shown(only_differences=False) == comparison.lines


def test_what_figures_assume_is_said_once_for_all_and_then_of_some() -> None:
    tokens = lines_of(Comparison(THREE))["law_tokens"]
    assert tokens.pieces[0].startswith("for them no other size of model")
    assert tokens.own_pieces(0).endswith("so that this is extrapolated")
    table = assumptions_table(Comparison(THREE))
    assert "SmolLM2-135M, Qwen3-0.6B: fitted to models of 44M to 16B parameters and a vocabulary of 32k<" in table
    assert all(found.name.replace("'", "&#x27;") in table for found in Comparison(THREE).lines if found.assumptions)


# Tables.

GOLDEN = """\
| Figure | 25 % embedding | 35 % embedding | 45 % embedding |
| :-- | --: | --: | --: |
| Total | 10,022,720 | 10,047,024 (+24.30k · +0.2 %) | 9,950,848 (−71.87k · −0.7 %) |
| Embedding ratio | 25.5 % | 34.4 % (+8.9 points) | 43.7 % (+18.2 points) |
| Token embedding | 2,560,000 | 3,456,000 (+896.0k · +35.0 %) | 4,352,000 (+1.792M · +70.0 %) |
| Position embedding | 81,920 | 110,592 (+28.67k · +35.0 %) | 139,264 (+57.34k · +70.0 %) |
| Attention | 2,457,600 | 2,239,488 (−218.1k · −8.9 %) | 1,775,616 (−682.0k · −27.8 %) |
"""


def test_the_markdown_table_is_as_expected_and_adds_up() -> None:
    written = comparison_markdown(Comparison(start_pins("25, 35 and 45 % of 10M in embeddings")))
    table = written.partition("## Parameters\n\n")[2]
    assert table.startswith(GOLDEN)
    rows = [
        [re.sub(r" \(.*", "", cell).replace(",", "") for cell in row.split(" | ")[1:]] for row in table.splitlines()
    ]
    for column in range(3):
        assert sum(int(row[column].strip(" |")) for row in rows[4:11]) == int(rows[2][column].strip(" |"))


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


def test_the_html_table_holds_every_figure_and_mutes_what_is_equal() -> None:
    comparison = Comparison(THREE, baseline=1)
    page = differences_table(comparison)
    rows = {row[0]: row[1:] for row in Cells(page).rows}
    assert rows["Layers"] == ["12−18 · −60.0 %", "30", "28−2 · −6.7 %"]
    assert rows["Figure"] == ["10.05M · 12 × 216", "SmolLM2-135Mbaseline", "Qwen3-0.6B"]
    assert len([row for row in Cells(page).rows if len(row) == 4]) == len(comparison.lines) + 1
    assert '<td class="equal">SwiGLU</td>' in page
    assert "Tied LM head" not in differences_table(comparison, only_differences=True)
    assert 'title="' in page and "sequences of 512 tokens" in page


def test_one_model_alone_has_no_baseline() -> None:
    alone = Comparison(THREE[:1])
    assert "baseline" not in differences_table(alone)
    assert "In brackets" not in comparison_markdown(alone)
    assert alone.title == "10.05M · 12 × 216"


def test_a_long_list_of_names_is_no_title() -> None:
    pins = tuple(pin_of(published_model(name)) for name in ("gpt2", "opt-125m", "SmolLM2-135M", "Qwen3-0.6B"))
    assert Comparison(pins).title == "gpt2, opt-125m, SmolLM2-135M and Qwen3-0.6B side by side"
    assert Comparison((*pins, *THREE[:1])).title == "5 models side by side"


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
        "1 sequence of 512 tokens, in bf16"
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
    assert "Costs at a context of 512 tokens" in page and "Dao 2023" in page


@pytest.mark.parametrize("download", COMPARISON_DOWNLOADS, ids=lambda download: download.label)
def test_every_download_is_what_its_name_says(download: object) -> None:
    built = download.build(Comparison(THREE), "share")  # type: ignore[attr-defined]
    start = built[:4] if isinstance(built, bytes) else built[:15].encode()
    expected = {"image/png": b"\x89PNG", "image/svg+xml": b"<svg", "text/html": b"<!doctype html>"}
    expected |= {"text/markdown": b"# 10.05M", "text/csv": b"group,key,figur"}
    assert start.startswith(expected[download.mime])  # type: ignore[attr-defined]
    if download.mime == "image/svg+xml":  # type: ignore[attr-defined]
        ET.fromstring(built)


def test_the_costs_of_one_model_are_a_table_with_assumptions_and_sources() -> None:
    rows = costs(THREE[0].architecture)
    cells = [row for row in Cells(costs_table(rows)).rows if len(row) == 4]
    assert cells[0] == ["Figure", "Value", "Assumption", "Source"]
    assert cells[1:] == [[row.name, row.text, row.assumption, row.source] for row in rows]


# Comparisons to start from.


@pytest.mark.parametrize("label", STARTS)
def test_every_start_has_models_that_differ_and_agree_in_what_it_says(label: str) -> None:
    pins = start_pins(label)
    assert 3 <= len({pin.architecture for pin in pins}) == len(pins)
    if "125M" in label:
        assert all(abs(pin.subject.total_params / 125e6 - 1) <= 0.005 for pin in pins)
    assert len({pin.name for pin in pins}) == len(pins)


def test_each_step_from_gpt2_to_llama_changes_what_its_name_says() -> None:
    first, rope, swiglu, llama = (pin.architecture for pin in start_pins("From GPT-2 to Llama at 125M"))
    assert (first.positions, first.norm, first.ffn, first.bias) == ("learned", "layernorm", "gelu", "all")
    assert (rope.positions, rope.norm, rope.ffn, rope.bias) == ("rope", "rmsnorm", "gelu", "none")
    assert replace(swiglu, d_ff=rope.d_ff, ffn="gelu") == rope
    assert (llama.kv_heads, llama.ffn) == (4, "swiglu")
