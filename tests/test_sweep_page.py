"""The Sweep page without a browser: links, controls, what is said of a cell, and the measuring of PyTorch models."""

import gc
import json
import re
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.probing.probe import ProbeReport
from slimlm.sweep import Sweep, sweep
from slimlm.ui import model_builds, sweep_panels
from slimlm.ui.sweep_controls import Asked, read
from slimlm.ui.sweep_measuring import identity
from slimlm.ui.sweep_panels import SweepCache
from tests.test_app import APP, chart_title, shown

SMALL = {"total_params": "1M", "vocab_size": "1000", "n_heads": "4", "max_seq_length": "32"}


def opened(**query: str) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=60).switch_page("pages/sweep.py")
    page.query_params.update(query)
    page.run()
    assert not page.exception
    return page


def title(page: AppTest) -> str:
    return " ".join(chart_title(page)["text"])


def said(page: AppTest) -> str:
    texts = [*page.caption, *page.markdown, *page.error, *page.warning]
    return shown("\n".join(text.value for text in texts))


def click(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label.startswith(label)).click().run()
    assert not page.exception


def cells(page: AppTest) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(page.get("vega_lite_chart")[0].proto.spec)["layer"][0]["data"]["values"]
    return rows


def figures(page: AppTest) -> list[str]:
    return [row.get("t", "") for row in cells(page)]


def test_a_session_keeps_no_sweep_that_the_server_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = SweepCache(most_sweeps=1)
    monkeypatch.setattr(sweep_panels, "sweep_cache", lambda: cache)
    gc.collect()
    before = sum(type(held) is Sweep for held in gc.get_objects())
    page = opened(**SMALL)
    for expansion in (2.0, 3.0, 4.0, 5.0):
        page.select_slider("glu_expansion").set_value(expansion).run()
    gc.collect()
    assert sum(type(held) is Sweep for held in gc.get_objects()) - before <= 2
    assert not page.exception


def test_the_page_opens_with_the_specified_grid_and_says_what_it_really_varies() -> None:
    page = opened()
    assert title(page) == "Forward FLOPs per token of 12 designs, by embedding ratio and GLU expansion"
    assert "25.2 MFLOP" in figures(page)
    assert "Lowest: 22.2 MFLOP at ratio 0.45 · GLU 4, 4 layers × 288; the current design is 14 % above." in said(page)
    assert "more embedding means wider and shallower: 160 × 18–29 layers → 272–288 × 4–7" in said(page)
    assert page.selectbox("sweep_cell").placeholder.startswith("Click a cell of the chart, or choose it here")


def test_a_link_holds_the_request_both_knobs_their_values_and_the_figures() -> None:
    page = opened(x="norm", xs="layernorm,rmsnorm", y="total_params", ys="1M..100M x 3 (log)", fig="d_ff", ffn="gelu")
    assert title(page) == "Feed-forward width (d_ff) of 6 designs, by norm and total parameters"
    assert "GELU MLP" in str(chart_title(page)["subtitle"])
    assert page.selectbox("sweep_y").value == "total_params"
    assert page.text_input("sweep_ys").value == "1M..100M x 3 (log)"
    assert not page.warning
    page = opened(view="pareto", fig="worst_miss", vs="kv_cache_bytes_per_token")
    assert title(page) == "Largest deviation from target against KV cache per token of 12 designs"


def test_a_knob_of_a_link_without_values_has_its_usual_ones() -> None:
    page = opened(x="ffn")
    assert page.text_input("sweep_xs").value == "swiglu, geglu, gelu, relu, geglu_tanh, gelu_tanh, relu2"
    assert title(page).startswith("Forward FLOPs per token of 28 designs")


def test_a_bad_link_says_what_was_ignored() -> None:
    page = opened(x="ratio", fig="beauty", view="3d")
    assert [shown(warning.value)[:60] for warning in page.warning] == [
        "The link's x was ignored: 'ratio' is not one of embedding_ra",
        "The link's fig was ignored: 'beauty' is not one of n_layers,",
        "The link's view was ignored: '3d' is not one of map, pareto.",
    ]
    assert title(page).startswith("Forward FLOPs per token of 12 designs")
    page.selectbox("sweep_fig").set_value("n_layers").run()
    assert not page.warning
    asked, complaints = read({"x": "glu_expansion"})
    assert complaints == ["The link varies glu_expansion twice: two different knobs would work."]
    assert asked == Asked()


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"xs": "0.3, many"}, "embedding_ratio: 'many' is not a number; write one such as 0.35, 35% or 8/3."),
        (
            {"xs": "0.1..0.9 x 200", "ys": "1..8 x 100"},
            "200 values of embedding_ratio and 100 of glu_expansion make 20,000 cells: it must be at most 10,000 "
            "here, and at most 100,000 in Python and on the command line; fewer values would work.",
        ),
    ],
)
def test_values_that_cannot_be_swept_end_in_a_sentence(query: dict[str, str], sentence: str) -> None:
    page = opened(**query)
    assert shown(page.error[0].value) == sentence
    assert not page.get("vega_lite_chart")
    page.text_input("sweep_xs").set_value("0.3, 0.4").run()
    page.text_input("sweep_ys").set_value("2, 3").run()
    assert title(page).startswith("Forward FLOPs per token of 4 designs")


def test_choices_that_exclude_each_other_are_offered_to_be_mended() -> None:
    page = opened(n_kv_heads="3")
    assert "n_kv_heads=3 is not allowed" in said(page)
    click(page, "Set n_kv_heads to 4")
    assert title(page).startswith("Forward FLOPs per token of 12 designs")


def test_controls_move_the_chart_and_the_link() -> None:
    page = opened()
    page.selectbox("sweep_x").set_value("n_layers").run()
    assert page.text_input("sweep_xs").value == "6, 8, 12, 16, 24"
    page.selectbox("sweep_fig").set_value("kv_cache_bytes_per_token").run()
    page.text_input("sweep_ys").set_value("2, 4").run()
    assert title(page) == "KV cache per token of 10 designs, by fixed number of layers and GLU expansion"
    assert {name: page.query_params[name] for name in ("x", "ys", "fig")} == {
        "x": "n_layers",
        "ys": "2, 4",
        "fig": "kv_cache_bytes_per_token",
    }
    assert not {"xs", "y", "view"} & set(page.query_params)


def test_choosing_the_other_side_s_knob_turns_the_grid() -> None:
    page = opened(xs="0.3, 0.4")
    page.selectbox("sweep_x").set_value("glu_expansion").run()
    assert page.selectbox("sweep_y").value == "embedding_ratio"
    assert (page.text_input("sweep_xs").value, page.text_input("sweep_ys").value) == ("2, 2.66, 3, 4", "0.3, 0.4")
    assert title(page) == "Forward FLOPs per token of 8 designs, by GLU expansion and embedding ratio"


def pick(page: AppTest, base: ModelConfig, place: int, **axes: Any) -> None:
    x, y = (
        axes.get("x", ("embedding_ratio", (0.25, 0.35, 0.45))),
        axes.get("y", ("glu_expansion", (2.0, 2.66, 3.0, 4.0))),
    )
    page.session_state.sweep_picked = (identity(sweep(base, x, y)), place)
    page.run()
    assert not page.exception


def test_a_picked_cell_shows_its_design_and_where_to_go_with_it() -> None:
    page = opened()
    pick(page, ModelConfig(), 11)
    assert "Embedding ratio 0.45 · GLU expansion 4: 10.05M parameters: 4 layers of width 288" in said(page).replace(
        "**", ""
    )
    assert {"Open on the Design page", "Pin"} <= {button.label for button in page.button}
    page.select_slider("total_params").set_value(11_000_000).run()
    assert page.selectbox("sweep_cell").value is None


def test_a_list_of_all_cells_with_their_values_picks_one_without_a_mouse() -> None:
    page = opened()
    listed = page.selectbox("sweep_cell")
    assert (listed.label, listed.value) == ("Cell · forward FLOPs per token", None)
    assert len(listed.options) == 12
    assert listed.options[11] == "embedding ratio 0.45 · GLU expansion 4: 22.2 MFLOP"
    listed.select_index(11).run()
    assert "4 layers of width 288" in said(page)
    page.selectbox("sweep_cell").set_value(None).run()
    assert "4 layers of width 288" not in said(page)


def test_the_list_follows_a_click_and_names_cells_without_a_model() -> None:
    page = opened()
    pick(page, ModelConfig(), 7)
    assert page.selectbox("sweep_cell").value == 7
    page = opened(x="total_params", xs="1M, 10M", y="vocab_size", ys="262144")
    assert page.selectbox("sweep_cell").options[0] == "total parameters 1M · vocabulary size 262,144: no model"


def test_thousands_of_cells_are_not_listed() -> None:
    page = opened(x="total_params", xs="1M..2M in 400 steps", y="glu_expansion", ys="2, 2.5, 3, 4")
    assert "Click a cell" in said(page)
    assert not [box for box in page.selectbox if box.key == "sweep_cell"]


def test_a_picked_cell_without_a_design_says_why_and_what_would_work() -> None:
    page = opened(x="total_params", xs="1M", y="vocab_size", ys="262144")
    pick(page, ModelConfig(), 0, x=("total_params", (1_000_000,)), y=("vocab_size", (262_144,)))
    assert "total_params=1,000,000 clashes with vocab_size=262144" in said(page)
    assert "any one of these would work" in said(page)
    assert "Open on the Design page" in {button.label for button in page.button}
    assert not any(button.label.startswith("Measure") for button in page.button)


def test_pytorch_models_are_measured_and_stay_while_the_knobs_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(fig="forward_seconds", **SMALL)
    assert not any(figures(page))
    click(page, "Measure 12 PyTorch models (about ")
    assert "12 of 12 PyTorch models measured on cpu." in said(page)
    found = figures(page)
    assert all(re.fullmatch(r"(<|\d)\S* ms ± \S+", figure) for figure in found)
    monkeypatch.setattr(model_builds, "build", None)
    page.selectbox("sweep_fig").set_value("peak_bytes").run()
    assert all(figure.endswith("B") for figure in figures(page))
    page.selectbox("sweep_fig").set_value("forward_seconds").run()
    page.select_slider("glu_expansion").set_value(3.0).run()
    assert figures(page) == found


def test_one_failing_model_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = model_builds.build, []

    def build(architecture: Architecture, show: Any, **options: Any) -> ProbeReport:
        calls.append(architecture)
        if len(calls) == 2:
            raise MemoryError("building this model takes about 9 GB, and 1 GB of memory are free")
        return real(architecture, show, **options)

    monkeypatch.setattr(model_builds, "build", build)
    page = opened(xs="0.2, 0.25", ys="2, 3", fig="forward_seconds", **SMALL)
    click(page, "Measure 4 PyTorch models")
    assert "3 of 4 PyTorch models measured on cpu." in said(page)
    assert "was not measured: building this model takes about 9 GB, and 1 GB of memory are free." in said(page)
    assert sum(not figure for figure in figures(page)) == 1
    assert len(calls) == 4


def test_a_measurement_that_ends_early_keeps_what_it_has_and_goes_on_later(monkeypatch: pytest.MonkeyPatch) -> None:
    real, built = model_builds.build, []

    def build(architecture: Architecture, show: Any, **options: Any) -> ProbeReport:
        report = real(architecture, show, **options)
        built.append(architecture)
        if len(built) == 2:
            page.session_state.sweep_measurements.stop()
        return report

    monkeypatch.setattr(model_builds, "build", build)
    page = opened(xs="0.2, 0.25", ys="2, 3", **SMALL)
    click(page, "Measure 4 PyTorch models")
    assert len(built) == 2
    assert "2 of 4 PyTorch models measured on cpu." in said(page)
    click(page, "Measure the other 2 PyTorch models")
    assert len(built) == 4
    assert "4 of 4 PyTorch models measured on cpu. 2 in an earlier run, without shade" in said(page)
    page.selectbox("sweep_fig").set_value("forward_seconds").run()
    assert "without shade: measured earlier, not comparable (2)" in str(chart_title(page)["subtitle"])
    assert [("t" in row, "u" in row) for row in cells(page)] == [(True, False)] * 2 + [(True, True)] * 2
    click(page, "Measure all 4 again")
    assert len(built) == 8
    assert "earlier" not in said(page)
    assert all("u" in row for row in cells(page))


def test_a_press_that_comes_with_another_sweep_measures_that() -> None:
    page = opened(xs="0.2, 0.25", ys="2", **SMALL)
    button = next(button for button in page.button if button.label.startswith("Measure 2"))
    page.text_input("sweep_xs").set_value("0.2")
    button.click().run()
    assert "1 of 1 PyTorch model measured on cpu." in said(page)


def test_a_large_sweep_is_not_measured() -> None:
    page = opened(xs="0.05..0.8 x 30", ys="1..8 x 30")
    assert "at most 400 can be built and measured" in said(page)
    assert not any(button.label.startswith("Measure") for button in page.button)
