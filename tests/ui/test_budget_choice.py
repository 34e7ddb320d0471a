"""The choice of what the total counts, and of loops, on the Design page without a browser."""

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

APP = str(Path(__file__).parents[2] / "app.py")

pytestmark = pytest.mark.usefixtures("idle_machine")


def opened(**query: str) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=60)
    page.query_params.update(query)
    page.run()
    assert not page.exception
    return page


def figures(page: AppTest) -> dict[str, tuple[str, str]]:
    return {metric.label: (str(metric.value), str(metric.delta)) for metric in page.metric}


def said(page: AppTest) -> str:
    return re.sub(r"\\(.)", r"\1", "\n".join(text.value for text in page.markdown))


def test_the_budget_is_the_total_at_first() -> None:
    page = opened()
    assert page.selectbox("budget").value == "total"
    assert "budget_precision" not in {box.key for box in page.selectbox}
    assert "6.591M non-embedding · 12 layers of width 216" in said(page)


def test_a_budget_of_non_embedding_parameters() -> None:
    page = opened()
    page.selectbox("budget").set_value("non_embedding").run()
    assert not page.exception
    assert figures(page)["Non-embedding"] == ("10.04M", "target 10M, +0.45 %")
    assert page.select_slider("total_params").label == "Non-embedding"
    assert page.query_params["budget"] == "non_embedding"
    assert "budget_precision" not in page.query_params


def test_bytes_have_their_unit_on_every_knob_and_tile() -> None:
    page = opened()
    page.selectbox("budget").set_value("bytes").run()
    assert page.select_slider("total_params").label == "Weights in int8"
    assert page.text_input("total_params_typed").value == "10 MB"
    page.text_input("total_params_typed").set_value("16 MB").run()
    assert figures(page)["Weights in int8"] == ("16.1 MB", "target 16 MB, +0.49 %")
    page.selectbox("budget_precision").set_value("bf16").run()
    assert figures(page)["Weights in bf16"][1].startswith("target 16 MB")
    assert {name: page.query_params[name] for name in ("total_params", "budget", "budget_precision")} == {
        "total_params": "16M",
        "budget": "bytes",
        "budget_precision": "bf16",
    }
    page.selectbox("budget").set_value("total").run()
    assert figures(page)["Total parameters"][1].startswith("target 16M")
    assert page.text_input("total_params_typed").value == "16M"
    page.selectbox("budget").set_value("bytes").run()
    assert page.selectbox("budget_precision").value == "bf16", "the precision is kept while it is not shown"


def test_a_link_opens_with_its_budget() -> None:
    page = opened(total_params="16M", budget="bytes", budget_precision="bf16")
    assert page.selectbox("budget_precision").value == "bf16"
    assert figures(page)["Weights in bf16"] == ("16.1 MB", "target 16 MB, +0.46 %")


def test_a_bad_budget_in_a_link_is_said_to_be_ignored() -> None:
    page = opened(budget="layers")
    (warning,) = page.warning
    assert re.sub(r"\\(.)", r"\1", warning.value).startswith(
        "The link's budget was ignored and total is shown: budget="
    )
    assert page.selectbox("budget").value == "total"


def test_what_is_no_number_of_bytes_is_said_beside_the_field() -> None:
    page = opened(total_params="16M", budget="bytes")
    page.text_input("total_params_typed").set_value("16 MiB").run()
    (error,) = page.error
    assert "is not a size" in error.value
    assert error.value.endswith("16 MB is kept.")
    page.selectbox("budget").set_value("total").run()
    assert not page.error


def test_an_impossible_budget_offers_what_would_work_in_its_unit() -> None:
    page = opened(total_params="1k", budget="non_embedding")
    assert "total_params=1,000 (non-embedding parameters) clashes with" in re.sub(r"\\(.)", r"\1", page.error[0].value)
    button = next(button for button in page.button if "total_params to 4424" in button.label)
    button.click().run()
    assert not page.exception
    assert not page.error
    assert page.selectbox("budget").value == "non_embedding"


def test_loops_are_a_knob() -> None:
    page = opened()
    page.number_input("n_loops").set_value(3).run()
    assert not page.exception
    assert "12 layers, used 3 times, of width 216" in said(page)
    assert figures(page)["Depth × width"] == ("12 × 216", "layers used 3 times")
    assert page.query_params["n_loops"] == "3"
    assert any(expander.label == "More choices · 1 changed" for expander in page.expander)
