"""Layers that keep the tokens of a window: what the cache holds, and what tables, files and the chart say of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.charts.layer_columns import layer_columns_chart
from slimlm.cli.layered_text import layered_json
from slimlm.core.layered import Layer, LayeredModel
from slimlm.costs.layered import layered_costs
from slimlm.export.layered_downloads import layers_csv

TENSORS = {"attention.q_proj.weight": (4, 4)}
FULL = Layer("attention", TENSORS, cache_per_token=8)
WINDOWED = Layer("windowed attention", TENSORS, cache_per_token=8, window=30)


def model_of(*layers: Layer) -> LayeredModel:
    return LayeredModel(
        name="m",
        origin="",
        vocab_size=10,
        d_model=4,
        max_seq_length=100,
        tied_lm_head=True,
        layers=layers,
        names={"attention": "Attention"},
    )


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(1, 60)), min_size=1), st.integers(0, 99))
def test_the_cache_grows_with_each_token_that_no_window_drops(kept: list[tuple[int, int | None]], tokens: int) -> None:
    model = model_of(*(Layer("attention", TENSORS, cache_per_token=n, window=window) for n, window in kept))
    held = [[position for position in range(tokens) if window is None or position >= tokens - window]
            for _, window in kept]  # fmt: skip
    assert model.kv_numbers(tokens) == sum(n * len(positions) for (n, _), positions in zip(kept, held, strict=True))
    assert model.cached_numbers(tokens) == model.kv_numbers(tokens)


def test_the_costs_say_how_many_layers_have_windows() -> None:
    rows = {cost.name: cost for cost in layered_costs(model_of(WINDOWED, FULL))}
    assert rows["KV cache per token"].text == "32 B"
    assert "until their windows are full" in rows["KV cache per token"].assumption
    assert rows["KV cache of one sequence"].text == "2.08 kB"
    said = "100 tokens, all that the model takes; 1 layer of windows keeps at most 30 of them, where some engines"
    assert rows["KV cache of one sequence"].assumption == f"{said} reserve memory for all"
    assert not any("window" in cost.assumption for cost in layered_costs(model_of(FULL)))


def test_files_have_the_windows_of_models_that_have_any() -> None:
    lines = layers_csv(model_of(WINDOWED, FULL)).splitlines()
    assert lines == [
        "layer,kind,attention,params,kv_numbers_per_token,window,state_numbers",
        "1,windowed attention,16,16,8,30,0",
        "2,attention,16,16,8,,0",
    ]
    assert "window" not in layers_csv(model_of(FULL)) + layered_json(model_of(FULL))
    record = json.loads(layered_json(model_of(WINDOWED, FULL)))
    assert (record["layers"][0]["window"], record["kv_numbers_of_one_sequence"]) == (30, 8 * 130)


@pytest.mark.parametrize(("layers", "rings"), [((FULL, WINDOWED), [False, True]), ((FULL,), [False])])
def test_a_windowed_layer_has_a_ring_and_the_chart_says_so(layers: tuple[Layer, ...], rings: list[bool]) -> None:
    chart = layer_columns_chart(model_of(*layers)).to_dict()
    assert [dot["windowed"] for dot in chart["layer"][2]["data"]["values"]] == rings
    assert ("a ring one of a window" in chart["title"]["subtitle"][1]) == any(rings)
