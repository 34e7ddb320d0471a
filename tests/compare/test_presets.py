"""Presets of comparisons."""

from dataclasses import replace

import pytest

from slimlm.compare.presets import COMPARISON_PRESETS, preset_pins


@pytest.mark.parametrize("label", COMPARISON_PRESETS)
def test_every_start_has_models_that_differ_and_agree_in_what_it_says(label: str) -> None:
    pins = preset_pins(label)
    assert 3 <= len({pin.architecture for pin in pins}) == len(pins)
    if "125M" in label:
        assert all(abs(pin.subject.total_params / 125e6 - 1) <= 0.005 for pin in pins)
    assert len({pin.name for pin in pins}) == len(pins)


def test_each_step_from_gpt2_to_llama_changes_what_its_name_says() -> None:
    first, rope, swiglu, llama = (pin.architecture for pin in preset_pins("From GPT-2 to Llama at 125M"))
    assert (first.positions, first.norm, first.ffn, first.bias) == ("learned", "layernorm", "gelu", "all")
    assert (rope.positions, rope.norm, rope.ffn, rope.bias) == ("rope", "rmsnorm", "gelu", "none")
    assert replace(swiglu, d_ff=rope.d_ff, ffn="gelu") == rope
    assert (llama.kv_heads, llama.ffn) == (4, "swiglu")
