"""The knobs of attention windows: window and pattern move together, and a text that is no pattern is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from slimlm.core.architecture import Choices
from slimlm.core.config import ModelConfig
from slimlm.serialization.fields import to_short_query, values_of
from slimlm.ui.window_moves import WindowKnobs, one_full_in, with_one_full_in, with_pattern, with_window
from tests.test_app import APP
from tests.ui.test_family_choice import linked, page_of

PATTERNS = st.text("fwn", min_size=1, max_size=8)


@st.composite
def knobs(draw: st.DrawFn) -> WindowKnobs:
    pattern = draw(PATTERNS)
    windowed = "w" in pattern
    return {
        "window": draw(st.integers(1, 99)) if windowed else None,
        "layer_pattern": pattern,
        "window_rope_theta": draw(st.none() | st.just(500.0)) if windowed else None,
    }


@given(knobs(), st.none() | st.integers(1, 99), PATTERNS, st.none() | st.integers(1, 64))
def test_every_move_gives_knobs_that_go_together(
    before: WindowKnobs, window: int | None, pattern: str, layers: int | None
) -> None:
    after = [with_window(window, before), with_pattern(pattern, before), with_one_full_in(layers, before)]
    for moved in after:
        Choices(positions="rope", **moved)
    assert after[0]["window"] == window
    repeated = after[1]["layer_pattern"] * len(pattern)
    assert repeated == (pattern * len(after[1]["layer_pattern"]))
    assert one_full_in(after[2]["layer_pattern"]) == layers


def request() -> ModelConfig:
    return ModelConfig(total_params=3_000_000, vocab_size=4096, n_heads=6, positions="rope")


def asked(page: AppTest) -> dict[str, object]:
    fields = ("window", "layer_pattern", "window_rope_theta")
    return {name: page.session_state["asked"][name] for name in fields}


def test_a_window_a_regular_pattern_and_a_text_write_each_other() -> None:
    page = page_of(request())
    assert not page.exception
    assert page.number_input(key="one_full_in").value == 1
    page.number_input(key="window").set_value(128).run()
    assert asked(page) == {"window": 128, "layer_pattern": "w", "window_rope_theta": None}
    page.number_input(key="one_full_in").set_value(6).run()
    assert asked(page)["layer_pattern"] == page.text_input(key="layer_pattern").value == "wwwwwf"
    page.text_input(key="layer_pattern").set_value(" WWF ").run()
    assert page.number_input(key="one_full_in").value == 3
    page.number_input(key="window_rope_theta").set_value(500.0).run()
    assert linked(page) == to_short_query(values_of(request())) | {
        **{"window": "128", "layer_pattern": "wwf", "window_rope_theta": "500"},
    }
    page.text_input(key="layer_pattern").set_value("ffn").run()
    assert asked(page) == {"window": None, "layer_pattern": "ffn", "window_rope_theta": None}
    assert page.number_input(key="one_full_in").value is None
    assert not page.exception
    assert not page.error


def test_a_text_that_is_no_pattern_is_refused_and_the_pattern_kept() -> None:
    page = page_of(request())
    page.text_input(key="layer_pattern").set_value("local").run()
    sentence = "layer_pattern='local' is not allowed: it must be 1 to 256 letters of 'f', 'w', 'n'"
    assert sentence in page.error[0].value.replace("\\", "")
    assert page.text_input(key="layer_pattern").value == "f"
    page.text_input(key="layer_pattern").set_value("wf").run()
    assert not page.error
    assert asked(page) == {"window": 512, "layer_pattern": "wf", "window_rope_theta": None}


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ({}, "Attention windows"),
        ({"window": "256", "layer_pattern": "wwf", "attention_scale": "0.0625"}, "Attention windows · 3 changed"),
    ],
)
def test_a_link_opens_the_knobs_and_the_caption_says_them(query: dict[str, str], label: str) -> None:
    page = AppTest.from_file(APP, default_timeout=60)
    page.query_params.update(query)
    page.run()
    assert not page.exception
    assert label in [expander.label for expander in page.sidebar.expander]
    assert page.session_state["asked"]["window"] == (256 if query else None)


def test_a_window_without_a_windowed_layer_in_a_link_is_an_error_with_offers() -> None:
    page = AppTest.from_file(APP, default_timeout=60)
    page.query_params.update({"window": "256"})
    page.run()
    assert not page.exception
    assert "window=256 is not allowed with layer_pattern='f': no layer is windowed" in page.error[0].value.replace(
        "\\", ""
    )
