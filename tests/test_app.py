"""The Design page without a browser: links, figures, the table, the PyTorch check and infeasible requests."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pyarrow import ipc  # type: ignore[import-untyped]
from streamlit.testing.v1 import AppTest

from slimlm.core.config import ModelConfig
from slimlm.serialization.fields import Value, values_of
from slimlm.solver.solver import solve

APP = str(Path(__file__).parent.parent / "app.py")


pytestmark = pytest.mark.usefixtures("idle_machine")


def opened(**query: str) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=60)
    page.query_params.update(query)
    return page.run()


def chart_title(page: AppTest) -> dict[str, Any]:
    """Return the lines of the first chart's heading, which a chart that keeps its view gets as data."""
    chart = page.get("vega_lite_chart")[0].proto
    tables = {table.name: ipc.open_stream(table.data.data).read_all().to_pylist() for table in chart.datasets}
    if "heading" in tables:
        return {part: words.split("\n") for part, words in tables["heading"][0].items() if isinstance(words, str)}
    title: dict[str, Any] = json.loads(chart.spec)["title"]
    return title | {part: on_a_desk(title[part]) for part in ("text", "subtitle")}


def on_a_desk(lines: dict[str, str]) -> list[str]:
    """Return the lines of a heading that the expression of `for_page` chooses on a wide page."""
    narrow = lines["expr"].partition(" ? ")[2]
    _, end = json.JSONDecoder().raw_decode(narrow)
    wide: list[str] = json.loads(narrow[end:].removeprefix(" : "))
    return wide


def shown(markdown: str) -> str:
    """Return what a reader sees of escaped Markdown."""
    return re.sub(r"\\(.)", r"\1", markdown)


def table(page: AppTest) -> str:
    return next(text.value for text in page.markdown if text.value.startswith("| Component"))


def test_the_default_page_shows_the_design_the_account_and_the_pytorch_check() -> None:
    page = opened()
    assert not page.exception
    metrics = {metric.label: (metric.value, metric.delta) for metric in page.metric}
    assert metrics["Total parameters"] == ("10.05M", "target 10M, +0.47 %")
    assert metrics["Embedding ratio"] == ("34.4 %", "target 35 %, −1.72 %")
    assert metrics["GLU expansion"] == ("2.519", "target 2.66, −5.32 %")
    assert metrics["Depth × width"] == ("12 × 216", "d_model / layers 18")
    assert metrics["PyTorch check"] == ("passed", "counted, run, causal")
    assert "10.05M parameters" in str(chart_title(page)["text"])


def test_the_table_lists_every_component_and_adds_up() -> None:
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in table(opened()).splitlines()[2:]
        if line.startswith("|")
    ]
    *parts, total = rows
    assert [row[0] for row in parts] == [component.name for component in solve(ModelConfig()).account.components]
    assert sum(int(row[4].replace(",", "")) for row in parts) == 10_047_024
    assert total[4] == "**10,047,024**"
    assert parts[-1] == ["LM head", "0 (tied)", "tied to the token embedding", "", "0", "0.00 %"]


def test_a_link_holds_every_knob() -> None:
    asked = ModelConfig(
        total_params=30_000_000,
        vocab_size=50_257,
        embedding_ratio=0.251,
        glu_expansion=3.33,
        n_heads=6,
        tied_lm_head=False,
        n_layers=7,
        max_seq_length=1000,
        multiple_of=2,
    )
    page = opened(
        total_params="30M",
        vocab_size="50257",
        embedding_ratio="0.251",
        glu_expansion="3.33",
        n_heads="6",
        tied_lm_head="false",
        n_layers="7",
        max_seq_length="1000",
        multiple_of="2",
    )
    assert not page.exception
    assert f"**{solve(asked).total_params:,}**" in table(page)
    assert not page.warning


def test_a_bad_link_says_what_was_ignored_and_shows_the_nearest_design() -> None:
    page = opened(embedding_ratio="700", n_heads="many", total_params="12500000", someone_elses="1")
    assert not page.exception
    assert [shown(warning.value) for warning in page.warning] == [
        "The link's embedding_ratio was ignored and 0.9999 is shown: embedding_ratio=700.0 is not allowed: it must be "
        "a number between 0.0001 and 0.9999, or 'auto'; embedding_ratio=0.9999 would work.",
        "The link's n_heads was ignored and 8 is shown: 'many' is neither auto nor a whole number.",
    ]
    assert page.select_slider("embedding_ratio").value == 0.9999
    assert page.select_slider("total_params").value == 12_500_000


def test_a_typed_value_moves_its_slider_and_nonsense_moves_nothing() -> None:
    page = opened()
    page.text_input("glu_expansion_typed").set_value("8/3").run()
    assert page.select_slider("glu_expansion").value == 2.666667
    page.text_input("glu_expansion_typed").set_value("wide").run()
    assert page.select_slider("glu_expansion").value == 2.666667
    assert shown(page.error[0].value) == "'wide' is not a number; write one such as 0.35, 35% or 8/3. 2.666667 is kept."
    page.select_slider("glu_expansion").set_value(3.0).run()
    assert page.text_input("glu_expansion_typed").value == "3"
    assert not page.error


def test_an_impossible_request_is_a_sentence_with_buttons_that_apply_what_works() -> None:
    page = opened(total_params="1M", vocab_size="262144")
    assert "total_params=1,000,000 clashes with vocab_size=262144, n_heads=8" in shown(page.error[0].value)
    labels = [button.label for button in page.button if button.label.startswith("Set ")]
    # Every change of one knob alone gives an absurd shape here (1 layer × 8, 8,790 layers × 2), so none is offered.
    assert labels == [
        "Set embedding ratio auto, heads auto, vocabulary 2,048: 7 layers × 144",
        "Set embedding ratio auto, heads auto, vocabulary 16,000: 3 layers × 54",
    ]
    next(button for button in page.button if button.label == labels[1]).click().run()
    assert not page.error
    assert page.select_slider("vocab_size").value == 16_000
    assert page.select_slider("total_params").value == 1_000_000


LINKED: dict[str, tuple[str, Value]] = {
    "n_heads": ("auto", "auto"),
    "n_kv_heads": ("4", 4),
    "head_dim": ("32", 32),
    "norm": ("rmsnorm", "rmsnorm"),
    "positions": ("rope", "rope"),
    "ffn": ("geglu", "geglu"),
    "bias": ("output_ffn", "output_ffn"),
    "qk_norm": ("head", "head"),
    "block": ("sandwich_norm", "sandwich_norm"),
    "rope_theta": ("500000", 500_000.0),
    "lm_head_bias": ("true", True),
    "embedding_norm": ("true", True),
    "position_offset": ("2", 2),
}


@pytest.mark.parametrize("field", LINKED)
def test_a_link_chooses_each_part_of_the_architecture(field: str) -> None:
    text, value = LINKED[field]
    page = opened(**{field: text})
    assert not page.exception
    assert not page.warning
    assert page.session_state["asked"] == values_of(ModelConfig(**{field: value}))  # type: ignore[arg-type]
    assert page.query_params[field] == text
    assert f"**{solve(ModelConfig(**{field: value})).total_params:,}**" in table(page)  # type: ignore[arg-type]


def test_a_word_that_is_no_choice_is_said_and_the_address_mended() -> None:
    page = opened(norm="banana", total_params="12500000")
    assert [shown(warning.value) for warning in page.warning] == [
        "The link's norm was ignored and layernorm is shown: norm='banana' is not allowed: it must be one of "
        "'layernorm', 'rmsnorm', 'layernorm_no_bias', 'layernorm_no_params'; norm='layernorm' would work."
    ]
    assert page.selectbox("norm").value == "layernorm"
    assert page.query_params == {"total_params": "12.5M"}


def test_choices_that_exclude_each_other_are_a_sentence_with_buttons_and_nothing_is_lost() -> None:
    page = opened(n_kv_heads="3", norm="rmsnorm", total_params="12.5M")
    assert not page.exception
    assert [shown(error.value) for error in page.error] == [
        "n_kv_heads=3 is not allowed: it must divide n_heads=8; n_kv_heads=2 or n_kv_heads=4 or n_heads=9 would work."
    ]
    assert not page.warning
    assert page.number_input("n_kv_heads").value == 3
    page.select_slider("n_heads").set_value(9).run()
    assert not page.error
    assert page.query_params == {"total_params": "12.5M", "n_heads": "9", "n_kv_heads": "3", "norm": "rmsnorm"}


def test_a_button_mends_choices_that_exclude_each_other() -> None:
    page = opened(positions="rope", head_dim="63")
    assert "head_dim=63 is not allowed with positions='rope'" in shown(page.error[0].value)
    next(button for button in page.button if button.label.startswith("Set head_dim to 64: ")).click().run()
    assert not page.error
    assert page.number_input("head_dim").value == 64
    assert page.selectbox("positions").value == "rope"


def test_three_key_value_heads_are_no_fault_of_a_link_that_has_nine_heads() -> None:
    page = opened(n_kv_heads="3", n_heads="9")
    assert not page.error
    assert not page.warning


def test_the_base_of_rotary_positions_waits_for_them_and_rows_of_a_table_for_one() -> None:
    page = opened()
    assert page.number_input("rope_theta").disabled
    assert not page.number_input("position_offset").disabled
    page.selectbox("positions").set_value("rope").run()
    assert not page.number_input("rope_theta").disabled
    assert page.number_input("position_offset").disabled


def test_an_offset_that_is_refused_is_within_reach() -> None:
    page = opened(positions="rope", position_offset="2")
    assert "position_offset=2 is not allowed with positions='rope'" in shown(page.error[0].value)
    assert not page.number_input("position_offset").disabled
    labels = [button.label for button in page.button if button.label.startswith("Set ")]
    assert labels == ["Set position_offset to 0: 11 layers × 224", "Set positions to learned: 12 layers × 216"]


def test_heads_left_to_the_solver_are_typed_as_a_word() -> None:
    page = opened()
    page.text_input("n_heads_typed").set_value("auto").run()
    assert page.select_slider("n_heads").value == "auto"
    assert page.query_params == {"n_heads": "auto"}
    page.text_input("n_heads_typed").set_value("several").run()
    assert shown(page.error[0].value) == "'several' is neither auto nor a whole number. auto is kept."


def test_a_second_move_that_comes_with_the_address_from_before_the_first_moves_nothing_back() -> None:
    page = opened()
    page.selectbox("norm").set_value("rmsnorm").run()
    page.query_params.clear()
    page.selectbox("ffn").set_value("gelu").run()
    assert page.selectbox("norm").value == "rmsnorm"
    assert page.query_params == {"norm": "rmsnorm", "ffn": "gelu"}
