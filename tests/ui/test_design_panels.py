"""What the page says in words about a design, and foreign text shown as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from slimlm.core.config import ModelConfig
from slimlm.core.named_model import NamedModel
from slimlm.export.report_markdown import markdown
from slimlm.solver.solver import solve
from slimlm.ui.design_panels import component_table, sentence
from slimlm.utils.text import JOINER, plain
from tests.models import ARCHITECTURES, REQUESTS


def test_the_sentence_counts_one_layer_and_one_head_as_one() -> None:
    assert sentence(solve(ModelConfig(n_layers=1, n_heads=1))).count("1 layer of width") == 1
    assert "1 head of" in sentence(solve(ModelConfig(n_layers=1, n_heads=1)))


def test_the_sentence_names_heads_feed_forward_and_whose_model_it_is() -> None:
    words = sentence(NamedModel("small", ARCHITECTURES["gemma"], "From a test"))
    assert words == "small, 268.1M parameters: 18 layers of width 640, 4 heads (1 KV) of 256, GeGLU of 2,048."
    assert "GELU MLP of" in sentence(solve(REQUESTS["gpt2"]))


def test_the_table_shows_tensors_as_they_are_in_the_module() -> None:
    assert "2 × (544, 216), (216, 544)" in component_table(solve(ModelConfig()))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_table_is_that_of_the_report_and_its_shares_add_up(name: str) -> None:
    table, _, definition = component_table(NamedModel(name, ARCHITECTURES[name], "From a test")).partition("\n\n")
    assert definition.startswith("Embedding ratio: share of parameters")
    assert table in markdown(NamedModel(name, ARCHITECTURES[name], "From a test"))
    shares = [line.split(" | ")[-1].removesuffix(" % |") for line in table.splitlines()[2:-1]]
    assert sum(round(100 * float(share)) for share in shares) == 10_000


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40))
def test_foreign_text_is_shown_as_it_is(text: str) -> None:
    rendered = MarkdownIt("commonmark", {"html": True}).renderInline(f"x {plain(text)} x")
    escaped = f"x {text} x".replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    assert rendered.replace(JOINER, "") == escaped  # nothing is seen of what keeps "@" and the like from becoming links
