"""Links of models whose layers differ: nothing is lost, and nothing else is read."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.interop.layered import layered_model, linked_layered
from slimlm.serialization.layered_links import is_layered, read_layered, write_layered
from tests.interop.test_layered import OPENELM_1_1B, QWEN3_5_27B
from tests.layered_keys import KEYS

NAS = {
    "model_type": "nemotron-nas",
    "hidden_size": 8192,
    "num_attention_heads": 64,
    "num_hidden_layers": 80,
    "block_configs": [{"attention": {"n_heads_in_group": 8}, "ffn": {"ffn_mult": 5.25}}] * 40
    + [{"attention": {"no_op": True}, "ffn": {"ffn_mult": 1.3125}}] * 40,
}


@pytest.mark.parametrize("config", [QWEN3_5_27B, OPENELM_1_1B, NAS])
def test_a_model_comes_back_from_its_link(config: dict[str, object]) -> None:
    model = layered_model(config, "a~b", said=("text_config is read by itself",))
    text = write_layered(model)
    assert is_layered(text) and len(text) < 2000
    assert linked_layered(*read_layered(text)) == model


@given(st.sampled_from(sorted(KEYS)), st.integers(0, 10_000))
def test_random_models_come_back_from_their_links(model_type: str, seed: int) -> None:
    model = layered_model({"model_type": model_type} | KEYS[model_type](Random(seed)))
    assert linked_layered(*read_layered(write_layered(model))) == model


REFUSED = {
    'layers~model_type-"gpt2"': 'model_type="gpt2" is not one whose layers differ',
    "layers~name-x": "model_type=null is not one whose layers differ",
    'layers~model_type-"lfm2"~hidden_size-{"runs":[[2,3]]}': "hidden_size=\\[3, 3\\] is not allowed",
    'layers~model_type-"lfm2"~layer_types-{"runs":[[999999999,"conv"]]}': "they must be pairs of a count and a value",
    'layers~model_type-"lfm2"~layer_types-{"runs":3}': "has runs=3: they must be pairs",
    "layers~model_type-lfm2": "the link's model, model_type is not JSON",
    'layers~model_type-"lfm2"~model_type-"lfm2"': "twice",
    "layers~lfm2": "is not a field and its value",
    f"layers~name-{'x' * 5000}": "it must have at most 4,000",
}


@pytest.mark.parametrize("text", REFUSED)
def test_other_texts_are_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[text]):
        linked_layered(*read_layered(text))


@given(st.text(alphabet='layers~model_type-"lfm2"{}[],:0123456789', max_size=80))
def test_no_text_brings_anything_but_a_sentence(text: str) -> None:
    try:
        linked_layered(*read_layered(f"layers~{text}"))
    except ValueError as error:
        assert "\n" not in str(error)


def test_a_model_that_no_link_can_hold_is_refused() -> None:
    blocks = [{"attention": {"no_op": True}, "ffn": {"ffn_mult": 1 + number / 100}} for number in range(200)]
    model = layered_model(NAS | {"num_hidden_layers": 200, "block_configs": blocks})
    with pytest.raises(ValueError, match=r"the link of this model has .* characters"):
        write_layered(model)


def test_a_key_of_several_lines_is_refused_in_one() -> None:
    with pytest.raises(ValueError, match=r"^the link's model, hid den is not JSON: [^\n]+$"):
        read_layered("layers~hid\nden-x")
