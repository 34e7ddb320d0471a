"""Scaling a model on the Inspect page: both side by side, pinned together, or a sentence."""

import pytest

from slimlm.core.published import published_model
from slimlm.solver.scaling import scaled
from slimlm.ui.scale_panel import proposed_total
from tests.test_inspect import opened, said


def test_a_model_is_shown_beside_its_scaled_self_and_both_are_pinned() -> None:
    page = opened(model="Llama-3.2-1B")
    assert "| Depth × width | 16 layers × 2,048 | 8 layers × 448 |" in said(page)
    assert "| Vocabulary | 128,256 | 16,384 |" in said(page)
    page.text_input("scale_total").set_value("60M").run()
    arch = scaled(published_model("Llama-3.2-1B").architecture, 60_000_000).architecture
    assert f"{arch.n_layers} layers × {arch.d_model} |" in said(page)
    assert page.query_params["scale_total"] in ("60M", ["60M"])
    page.button("pin_scaled").click().run()
    assert not page.exception
    pins = page.query_params["pin"]
    assert [pin.partition("~")[0] for pin in pins] == ["model", "design"]
    page.button("pin_scaled").click().run()
    assert page.query_params["pin"] == pins  # pinned already: nothing is pinned twice
    assert pins[1].endswith("~name-Llama-3.2-1B at 59.99M")


def test_a_link_holds_the_total() -> None:
    page = opened(model="gpt2", scale_total="60M")
    assert page.text_input("scale_total").value == "60M"
    page.text_input("scale_total").set_value("30M").run()
    assert "scale_total" not in page.query_params


def test_a_total_without_room_and_a_text_without_a_number_are_a_sentence() -> None:
    page = opened(model="gpt2")
    page.text_input("scale_total").set_value("1000").run()
    assert any("is too small for a model with heads of 64" in error.value for error in page.error)
    page.text_input("scale_total").set_value("small").run()
    assert any("'small' is not a size" in error.value for error in page.error)
    assert not page.exception


@pytest.mark.parametrize("name", ["gemma-2b", "gpt2"])
def test_the_proposed_total_leaves_room_for_the_model(name: str) -> None:
    proposed = proposed_total(published_model(name).architecture)
    page = opened(model=name)
    assert page.text_input("scale_total").value == proposed
    assert not page.error
