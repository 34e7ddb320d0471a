"""Mixtures and latents on the pages: knobs, figures, tables and charts say what is active."""

import pytest
from streamlit.testing.v1 import AppTest

from slimlm.core.config import ModelConfig
from slimlm.serialization.fields import OF_EXPERTS, OF_LATENTS
from slimlm.solver.solver import solve
from slimlm.utils.formatting import format_count
from tests import test_inspect as inspect
from tests.test_app import chart_title, opened, table

pytestmark = pytest.mark.usefixtures("idle_machine")

MIXTURE = {"n_experts": "8", "n_shared_experts": "1", "n_dense_layers": "1", "n_layers": "4"}


def widgets(page: AppTest) -> dict[str, bool]:
    """Return whether each knob of experts and latents is disabled, by field."""
    fields = {knob.field for knob in (*OF_EXPERTS, *OF_LATENTS)}
    kinds = (*page.number_input, *page.toggle, *page.selectbox)
    return {widget.key: widget.disabled for widget in kinds if widget.key in fields}


def test_a_mixture_says_what_is_active_in_its_figures_its_table_and_its_charts() -> None:
    design = solve(ModelConfig(n_experts=8, n_shared_experts=1, n_dense_layers=1, n_layers=4))
    active, page = format_count(design.account.active_params), opened(**MIXTURE)
    assert not page.exception
    assert f"parameters ({active} active)" in page.title[0].value.replace("\\", "")
    assert f"({active} active)" in str(chart_title(page)["text"])
    for name in ("Routed experts", "Router", "Shared experts", "Feed-forward of dense layers"):
        assert f"| {name} |" in table(page)
    assert f", {design.account.active_params:,} active per token** |" in table(page)
    assert {metric.label: metric.value for metric in page.metric}["PyTorch check"] == "passed"


def test_what_nothing_uses_is_disabled() -> None:
    dense = widgets(opened())
    assert set(dense) == {knob.field for knob in (*OF_EXPERTS, *OF_LATENTS)}
    assert all(dense.values())
    mixture = widgets(opened(**MIXTURE))
    assert not any(mixture[knob.field] for knob in OF_EXPERTS)
    assert all(mixture[knob.field] for knob in OF_LATENTS)


def test_a_choice_that_excludes_experts_can_be_taken_back() -> None:
    page = opened(experts_per_token="4")
    assert not page.exception
    assert any("only a mixture of experts has it" in str(shown.value) for shown in (*page.error, *page.warning))
    assert not widgets(page)["experts_per_token"]


def test_a_published_mixture_is_inspected() -> None:
    page = inspect.opened(model="OLMoE-1B-7B")
    assert not page.exception
    total = next(metric for metric in page.metric if metric.label == "Total parameters")
    assert (total.value, total.delta) == ("6.919B", "1.282B active a token")
