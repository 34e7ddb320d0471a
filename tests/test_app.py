"""The Design page without a browser: links, figures, the table, the real model and impossible requests."""

import json
import re
from pathlib import Path
from typing import Any

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from slimlm import probing
from slimlm.config import ModelConfig
from slimlm.probing import ProbeEstimate
from slimlm.solver import solve

APP = str(Path(__file__).parent.parent / "app.py")


def opened(**query: str) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=60)
    page.query_params.update(query)
    return page.run()


def chart_title(page: AppTest) -> dict[str, Any]:
    title: dict[str, Any] = json.loads(page.get("vega_lite_chart")[0].proto.spec)["title"]
    return title


def shown(markdown: str) -> str:
    """Return what a reader sees of escaped Markdown."""
    return re.sub(r"\\(.)", r"\1", markdown)


def table(page: AppTest) -> str:
    return next(text.value for text in page.markdown if text.value.startswith("| Component"))


def test_the_default_page_shows_the_design_the_account_and_the_real_model() -> None:
    page = opened()
    assert not page.exception
    metrics = {metric.label: (metric.value, metric.delta) for metric in page.metric}
    assert metrics["Total parameters"] == ("10.05M", "asked 10M, +0.47 %")
    assert metrics["Embedding ratio"] == ("34.4 %", "asked 35 %, −1.72 %")
    assert metrics["GLU expansion"] == ("2.519", "asked 2.66, −5.32 %")
    assert metrics["Depth × width"] == ("12 × 216", "d_model / layers 18")
    assert metrics["Real model"] == ("passed", "counted, run, causal")
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
    assert parts[-1] == ["LM head", "0 (tied)", "tied to the token embedding", "", "0", "0 %"]


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
    page = opened(embedding_ratio="7", n_heads="many", total_params="12500000", someone_elses="1")
    assert not page.exception
    assert [shown(warning.value) for warning in page.warning] == [
        "The link's embedding_ratio was ignored and 0.9999 is shown: embedding_ratio=7.0 is not allowed: it must be a "
        "number between 0.0001 and 0.9999; embedding_ratio=0.9999 would work.",
        "The link's n_heads was ignored and 8 is shown: 'many' is not a size; write a number such as 10M, 1.5B, 16k, "
        "12_345 or 12345678.",
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
    assert labels == ["Set total_params to 2101576", "Set vocab_size to 125072", "Set n_heads to 2"]
    next(button for button in page.button if button.label == labels[2]).click().run()
    assert not page.error
    assert page.number_input("n_heads").value == 2


def estimate(seconds: float, memory: int) -> ProbeEstimate:
    return ProbeEstimate(memory_bytes=memory, free_bytes=10**9, seconds=seconds)


def test_a_heavy_model_waits_behind_a_button_that_names_time_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "estimate_probe", lambda _: estimate(12.0, 4 * 10**8))
    page = opened(total_params="3M", vocab_size="1024")
    (button,) = [button for button in page.button if button.label.startswith("Build")]
    assert button.label == "Build the real model (about 12 s and 400 MB)"
    assert {metric.label: metric.value for metric in page.metric}["Real model"] == "…"
    button.click().run()
    assert {metric.label: metric.value for metric in page.metric}["Real model"] == "passed"


def test_a_model_beyond_memory_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    free = psutil.virtual_memory()._replace(available=5_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    page = opened(total_params="4M", vocab_size="2048")
    assert not page.exception
    assert "and 5.00 MB of memory are free, so it is not built" in page.info[0].value


def test_the_second_look_at_a_design_builds_no_second_model(monkeypatch: pytest.MonkeyPatch) -> None:
    opened(total_params="2M", vocab_size="1024")
    monkeypatch.setattr(probing, "probe", lambda *_, **__: pytest.fail("built again"))
    page = opened(total_params="2M", vocab_size="1024")
    assert {metric.label: metric.value for metric in page.metric}["Real model"] == "passed"


def test_a_knob_that_is_given_twice_is_taken_from_its_last_place_and_said() -> None:
    page = AppTest.from_file(APP, default_timeout=60)
    page.query_params["n_heads"] = ["5", "6"]
    page.run()
    assert [shown(warning.value) for warning in page.warning] == [
        "The link gives n_heads 2 times; the last one counts."
    ]
    assert page.number_input("n_heads").value == 6


def test_complaints_about_a_link_go_when_a_knob_moves() -> None:
    page = opened(embedding_ratio="7")
    assert len(page.warning) == 1
    page.select_slider("embedding_ratio").set_value(0.5).run()
    assert not page.warning
