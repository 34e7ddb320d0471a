"""Windows, patterns of layers, rotation, factors and caps: what goes together, and what follows from them."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.core.architecture import Architecture, Choices
from slimlm.core.attention_choices import reduced_pattern, regular_pattern, shortest_pattern
from slimlm.core.config import written
from slimlm.utils.validation import FieldError

PATTERNS = st.text("fwn", min_size=1, max_size=9)


def architecture(**choices: Any) -> Architecture:
    usual: dict[str, Any] = {"d_model": 64, "d_ff": 128, "n_layers": 6, "positions": "rope"}
    return Architecture(**usual | choices)


def patterned(pattern: str, n_layers: int, window: int = 4) -> Architecture:
    return architecture(layer_pattern=pattern, n_layers=n_layers, window=window if "w" in pattern else None)


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        (
            {"window": 512},
            "window=512 is not allowed with layer_pattern='f': no layer is windowed; layer_pattern='w' or window=None "
            "would work",
        ),
        (
            {"layer_pattern": "wf"},
            "layer_pattern='wf' is not allowed: its windowed layers need a window; window=512 or layer_pattern='ff' "
            "would work",
        ),
        (
            {"window_rope_theta": 1000.0},
            "window_rope_theta=1000.0 is not allowed: no layer is windowed; window_rope_theta=None would work",
        ),
        (
            {"window_rope_theta": 1000.0, "window": 8, "layer_pattern": "w", "positions": "learned"},
            "window_rope_theta=1000.0 is not allowed with positions='learned': only RoPE has a base; "
            "window_rope_theta=None or positions='rope' would work",
        ),
        (
            {"rotary_share": 0.5, "positions": "alibi"},
            "rotary_share=0.5 is not allowed with positions='alibi': only RoPE turns a part of a head; "
            "rotary_share=1.0 or positions='rope' would work",
        ),
        (
            {"layer_pattern": "ffn", "positions": "none"},
            "layer_pattern='ffn' is not allowed with positions='none': only RoPE can be left out; layer_pattern='fff' "
            "or positions='rope' would work",
        ),
        (
            {"layer_pattern": "wxf"},
            "layer_pattern='wxf' is not allowed: it must be 1 to 256 letters of 'f', 'w', 'n'; layer_pattern='f' "
            "would work",
        ),
        ({"attention_scale": 0}, "attention_scale=0 is not allowed: it must be a number between 1e-09 and 1e+09, or "),
        ({"logit_scale": None}, "logit_scale=None is not allowed: it must be a number between 1e-09 and 1e+09;"),
    ],
)
def test_choices_that_exclude_each_other_are_refused_with_what_would_work(
    choices: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(FieldError, match=f"^{re.escape(sentence)}") as caught:
        architecture(**choices)
    for name, value in caught.value.remedies:
        architecture(**choices | {name: value})


@given(PATTERNS, st.integers(1, 30), st.integers(1, 9), st.integers(1, 12))
def test_the_layers_repeat_the_pattern(pattern: str, n_layers: int, window: int, tokens: int) -> None:
    arch = patterned(pattern, n_layers, window)
    assert arch.layer_kinds == "".join(pattern[number % len(pattern)] for number in range(n_layers))
    assert arch.n_windowed_layers == arch.layer_kinds.count("w")
    assert arch.n_unrotated_layers == arch.layer_kinds.count("n")
    assert arch.cached_tokens(tokens) == sum(min(tokens, window) if k == "w" else tokens for k in arch.layer_kinds)


def test_a_window_is_counted_without_writing_out_the_layers() -> None:
    assert architecture(n_layers=10**15, layer_pattern="wwf", window=5).n_windowed_layers == 666_666_666_666_667


@given(PATTERNS)
def test_the_shortest_pattern_gives_the_same_layers(kinds: str) -> None:
    pattern = shortest_pattern(kinds)
    assert patterned(pattern, len(kinds)).layer_kinds == kinds
    assert not any(patterned(kinds[:length], len(kinds)).layer_kinds == kinds for length in range(1, len(pattern)))


@given(PATTERNS, st.integers(1, 4), st.integers(1, 30))
def test_a_reduced_pattern_gives_the_same_layers_at_every_depth(pattern: str, times: int, n_layers: int) -> None:
    reduced = reduced_pattern(pattern * times)
    assert patterned(reduced, n_layers).layer_kinds == patterned(pattern, n_layers).layer_kinds
    assert reduced_pattern(reduced) == reduced


@pytest.mark.parametrize(("layers", "pattern"), [(1, "f"), (2, "wf"), (6, "wwwwwf")])
def test_a_regular_pattern_has_one_full_layer(layers: int, pattern: str) -> None:
    assert regular_pattern(layers) == pattern


@pytest.mark.parametrize(("share", "width"), [(1.0, 64), (0.25, 16), (0.4, 24), (0.02, 0)])
def test_the_rotated_part_of_a_head_is_even(share: float, width: int) -> None:
    assert architecture(head_dim=64, rotary_share=share).rotary_width == width


def test_a_record_leaves_out_what_is_at_its_default() -> None:
    plain = written(architecture().concrete())
    assert not plain.keys() & {"window", "layer_pattern", "rotary_share", "logit_scale"}
    windowed = architecture(window=8, layer_pattern="wf")
    found = written(windowed.concrete())
    assert found == plain | {"window": 8, "layer_pattern": "wf"}
    assert Architecture(**found) == windowed


def test_defaults_change_nothing() -> None:
    assert Choices(window=None, layer_pattern="f", rotary_share=1.0, embedding_scale=1.0).changed() == {}
