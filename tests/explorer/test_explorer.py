"""The explorer without a browser: its widgets follow each other, and its words are those of the page."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import slimlm
from slimlm.charts.allocation import allocation_chart
from slimlm.charts.palette import DARK, LIGHT
from slimlm.core.config import ModelConfig
from slimlm.explorer.explorer import Explorer
from slimlm.notes.verdict import verdict
from slimlm.serialization.fields import SLIDERS
from slimlm.solver.solver import BudgetError, solve
from slimlm.utils import optional
from slimlm.utils.optional import PackageError


def sentence(explorer: Explorer) -> str:
    return str(explorer.widget.children[2].value)


def buttons(explorer: Explorer) -> list[Any]:
    return list(explorer.widget.children[3].children)


def spec(explorer: Explorer) -> dict[str, Any]:
    found: dict[str, Any] = explorer.widget.children[4].spec
    return found


def sliders(explorer: Explorer) -> dict[str, Any]:
    return {slider.description: slider for slider in explorer.widget.children[1].children[:4]}


def test_it_starts_with_the_design_of_the_page() -> None:
    explorer = slimlm.explore()
    assert explorer.design == solve(ModelConfig())
    assert spec(explorer)["title"] == allocation_chart(explorer.design).to_dict()["title"]
    assert str(verdict(explorer.design)).split(".")[0] in sentence(explorer)
    for knob in SLIDERS:
        slider = sliders(explorer)[knob.label]
        assert slider.value == knob.default
        assert slider.continuous_update
        assert [stop for _, stop in slider.options] == knob.stops(knob.default)


def test_a_moved_slider_moves_design_chart_sentence_and_link() -> None:
    explorer = Explorer(ModelConfig(norm="rmsnorm"))
    before = spec(explorer)
    sliders(explorer)["Total parameters"].value = 100_000_000
    assert explorer.design == solve(ModelConfig(total_params=100_000_000, norm="rmsnorm"))
    assert spec(explorer) != before
    assert "1 layer: most published models near 100M" in sentence(explorer)
    asked = dict(parse_qsl(urlsplit(explorer.link("https://slimlm.example.com/")).query))
    assert asked["total_params"] == "100M" and asked["norm"] == "rmsnorm"
    assert explorer.link().startswith("http://localhost:8501/?")


def test_its_button_applies_the_remedy() -> None:
    explorer = Explorer(ModelConfig(total_params=100_000_000))
    remedy = verdict(explorer.design).remedy
    assert remedy
    (button,) = buttons(explorer)
    assert button.description == f"Use {remedy.change}"
    button.click()
    assert explorer.design == remedy.design
    assert sliders(explorer)["Embedding ratio"].value == remedy.request.embedding_ratio


def test_the_shape_leads_and_hands_the_ratio_back() -> None:
    explorer = Explorer()
    switch = explorer.widget.children[1].children[4]
    switch.value = True
    assert explorer.config.embedding_ratio == "auto"
    assert sliders(explorer)["Embedding ratio"].value == "auto"
    switch.value = False
    assert isinstance(explorer.config.embedding_ratio, float)
    assert not switch.value


def test_a_request_without_a_design_keeps_the_last_one_in_grey_and_offers_what_would_work() -> None:
    explorer = Explorer(ModelConfig(total_params=1_000_000))
    last, chart = explorer.design, explorer.widget.children[4]
    sliders(explorer)["Vocabulary size"].value = 262_144
    assert explorer.config.vocab_size == 262_144
    assert explorer.design == last
    assert "total_params=1,000,000" in sentence(explorer)
    assert "slimlm-outdated" in chart._dom_classes
    buttons(explorer)[0].click()
    assert explorer.design != last
    assert "slimlm-outdated" not in chart._dom_classes


def test_other_fields_are_asked_for_by_name() -> None:
    explorer = Explorer()
    explorer.ask(n_heads="auto", glu_expansion=2.71)
    assert explorer.design == solve(ModelConfig(n_heads="auto", glu_expansion=2.71))
    assert sliders(explorer)["GLU expansion"].value == 2.71
    with pytest.raises(ValueError, match="glu_expansion=-1 is not allowed"):
        explorer.ask(glu_expansion=-1)
    assert explorer.config.glu_expansion == 2.71


def test_markup_in_a_sentence_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = Explorer()
    explorer._say("<b>bold</b>", "#000000")
    assert "&lt;b&gt;bold" in sentence(explorer)


@pytest.mark.parametrize("dark", [False, True])
def test_the_chart_stands_on_the_page_it_is_drawn_for(dark: bool) -> None:
    assert spec(slimlm.explore(dark=dark))["background"] == (DARK if dark else LIGHT)


def test_a_first_request_without_a_design_is_refused() -> None:
    with pytest.raises(BudgetError, match="total_params=1,000,000"):
        slimlm.explore(ModelConfig(total_params=1_000_000, vocab_size=262_144))


def test_without_its_package_it_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "_failure", lambda package: "is not installed" if package == "ipywidgets" else None)
    with pytest.raises(PackageError, match=r"slimlm\.explore needs ipywidgets, which is not installed; `pip install"):
        slimlm.explore  # noqa: B018


def test_it_loads_nothing_from_the_internet() -> None:
    chart = slimlm.explore().widget.children[4]
    assert "esm.sh" not in chart._esm and "https://cdn" not in chart._esm
