"""Names that come from links and files are text in every file that leaves slimlm."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.comparison_strips import comparison_chart
from slimlm.compare.comparison import Comparison
from slimlm.compare.pins import Pin, pin_of
from slimlm.core.architecture import Architecture
from slimlm.core.named_model import NamedModel
from slimlm.core.published import published_models
from slimlm.export.comparison_tables import comparison_csv, comparison_html, comparison_markdown
from slimlm.export.downloads import comparison_downloads, file_name, model_downloads
from slimlm.interop.hf import from_hf_config, to_hf_config
from slimlm.serialization.code import python_code
from slimlm.serialization.links import read_named_model, write_named_model
from tests.test_hostile_links import LIVELY

SMALL = Architecture(d_model=216, d_ff=544, n_layers=12)
BREAKING = (
    *LIVELY,
    "'\"]]>--></svg></title>",
    '"""\nimport os',
    "@SUM(A1)",
    "-1+2",
    "+cmd|' /C calc'!A0",
    "a|b`c",
    "\x01\ufffe\ud800",
)
TAGS = {"img", "script", "a", "iframe", "em", "b", "code"}


def named_model(name: str) -> NamedModel:
    return read_named_model(json.dumps({"name": name, "d_model": 216, "d_ff": 544, "n_layers": 12}))


def comparison(names: tuple[str, ...]) -> Comparison:
    return Comparison(tuple(pin_of(model, name) for model, name in zip(published_models(), names, strict=False)))


def exported(model: NamedModel, suffix: str) -> bytes | str:
    return next(found.build() for found in model_downloads(model) if found.file_name == file_name(model, suffix))


class Elements(HTMLParser):
    """The names of the elements of a page, the names of their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_comparison_in_html_has_names_as_text() -> None:
    compared = comparison((*BREAKING[:5], *BREAKING[16:19]))
    plain, found = Elements(comparison_html(comparison(("a", "b")))), Elements(comparison_html(compared))
    assert found.tags - plain.tags <= {"small"} and not found.tags & TAGS
    assert not {name for name in found.attributes - plain.attributes if name.startswith("on")}
    assert [name for name in compared.names if found.text.count(name) < 2] == []  # in the charts and in the table


@pytest.mark.parametrize("name", BREAKING)
def test_a_chart_in_svg_has_its_name_as_text(name: str) -> None:
    named = named_model(name)
    root = ElementTree.fromstring(exported(named, "-allocation.svg"))
    words = "".join("".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text"))
    assert named.name in words
    assert not {element.tag.rpartition("}")[2] for element in root.iter()} & (TAGS | {"image", "foreignObject"})
    assert allocation_chart(named).to_dict()["title"]["text"][0].startswith(named.name)


def test_names_in_charts_are_data_and_not_expressions() -> None:
    names = ("datum.x", "{expr: 'x'}", "signal('a')", "a.b[c]", '{"expr":"1"}')
    rows = comparison_chart(comparison(names).pins, "share").to_dict()["layer"][0]["data"]["values"]
    assert list(dict.fromkeys(row["model"] for row in rows)) == list(names)


def _shown(markdown: str) -> str:
    """Return what a reader sees of a line of Markdown in which everything is escaped."""
    return re.sub(r"\\(.)", r"\1", markdown).replace("\u2060", "")


_LIVE = re.compile(r"(?<!\\)(?:[`*<\[~$|]|\b_|_\b)|://|www\.|@\w|#\d|:[a-z]+:|(?<!\\)&\w+;")
"""What GitHub makes something of."""


@pytest.mark.parametrize("names", [BREAKING[:8], BREAKING[8:16], BREAKING[16:]])
def test_a_comparison_in_markdown_has_names_as_text(names: tuple[str, ...]) -> None:
    compared = comparison(names)
    title, *lines = comparison_markdown(compared).splitlines()
    head = next(line for line in lines if line.startswith("| Figure |"))
    cells = re.split(r"(?<!\\) \| ", head.removeprefix("| ").removesuffix(" |"))
    assert [_shown(cell) for cell in cells[1:]] == list(compared.names)
    assert [cell for cell in cells if _LIVE.search(cell)] == []
    assert not _LIVE.search(title)


@pytest.mark.parametrize("name", BREAKING)
def test_a_model_in_markdown_has_its_name_as_text(name: str) -> None:
    named = named_model(name)
    title = str(exported(named, ".md")).splitlines()[0]
    assert _shown(title) == f"# {named.title}"
    assert not _LIVE.search(title)


@pytest.mark.parametrize("names", [BREAKING[:8], BREAKING[8:16], BREAKING[16:]])
def test_a_comparison_in_csv_has_no_formula(names: tuple[str, ...]) -> None:
    compared = comparison(names)
    rows = list(csv.DictReader(io.StringIO(comparison_csv(compared))))
    assert {row["model"].removeprefix("'") for row in rows} == {name.removeprefix("'") for name in compared.names}
    for row in rows:
        texts = [row[name] for name in ("group", "key", "figure", "model", "assumption", "source")]
        assert [text for text in texts if text.startswith(("=", "+", "-", "@", "\t", "\r"))] == []


@pytest.mark.parametrize("name", BREAKING)
def test_a_model_in_json_in_a_link_and_in_code_keeps_its_name_or_does_without(name: str) -> None:
    named = named_model(name)
    assert json.loads(exported(named, ".json"))["name"] == named.name
    assert read_named_model(write_named_model(named)).name == named.name
    assert python_code(named) == python_code(NamedModel("other", SMALL, "From a link"))
    assert exported(named, ".csv") == exported(NamedModel("other", SMALL, "From a link"), ".csv")
    assert to_hf_config(from_hf_config({"model_type": "gpt2", "_name_or_path": name})).get("_name_or_path") is None


@pytest.mark.parametrize(
    "name", [*BREAKING, "../../etc/passwd", "..\\x", "CON", "nul.", "a/b:c*?", "x" * 300, "é", "\u202efdp"]
)
def test_a_file_is_named_in_characters_that_every_file_system_takes(name: str) -> None:
    found = file_name(named_model(name), ".json")
    assert re.fullmatch(r"slimlm-[A-Za-z0-9.-]+\.json", found) and len(found) <= 80
    assert ".." not in found
    compared = comparison_downloads(comparison((name,)))
    assert all(re.fullmatch(r"slimlm-[a-z.-]+", download.file_name) for download in compared)


def test_a_given_name_stays_what_it_is_in_a_pin() -> None:
    for name in BREAKING:
        assert Pin(SMALL).renamed(name).renamed(Pin(SMALL).renamed(name).name) == Pin(SMALL).renamed(name)
