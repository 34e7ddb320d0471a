"""The config that is read of wrappers, of quantised repositories, and of files whose keys name their type."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.accounting import count_total
from slimlm.interop.hf import FAMILIES, from_hf_config, unread
from slimlm.interop.hf.known_keys import class_keys
from tests.hf_judge import count, load, real_configs

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 99,
    "num_hidden_layers": 2,
    "vocab_size": 300,
}
LLAMA |= {"num_attention_heads": 4, "max_position_embeddings": 64}


def bare(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in ("model_type", "architectures")}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("quantization_config", {"quant_method": "fp8"}, "quantised weights (quantization_config: fp8)"),
        ("quantization_config", {"quant_method": "bitsandbytes", "load_in_4bit": True}, "quantised weights (quantiza"),
        ("quantization_config", {"quant_method": "gptq", "bits": 4}, "quantised weights (quantization_config: gptq)"),
        ("quantization_config", {"quant_method": "awq"}, "quantised weights (quantization_config: awq)"),
        ("quantization_config", {"quant_method": "compressed-tensors"}, "quantised weights (quantization_config: com"),
        ("quantization_config", {"bits": 4}, "quantised weights (quantization_config): counted as the model before"),
        ("quantization", {"group_size": 64, "bits": 4}, "quantised weights (quantization): counted as the model befo"),
    ],
)  # fmt: skip
def test_a_quantised_model_is_counted_as_before(key: str, value: object, said: str) -> None:
    assert from_hf_config(LLAMA | {key: value}) == from_hf_config(LLAMA)
    (phrase,) = unread(LLAMA | {key: value})
    assert phrase.startswith(said) and phrase.endswith("counted as the model before quantisation")
    assert unread(LLAMA | {key: {}}) == unread(LLAMA | {key: None}) == ()


@pytest.mark.parametrize("key", ["text_config", "llm_config", "language_config", "language_model_config"])
def test_the_language_model_of_a_wrapper_is_read_by_itself(key: str) -> None:
    wrapper = {"model_type": "some_vl", key: LLAMA, "vision_config": {"depth": 3}, "image_token_id": 7}
    assert from_hf_config(wrapper) == from_hf_config(LLAMA)
    assert unread(wrapper) == (f"{key} of some_vl is read by itself: vision_config and the rest of the file left out",)


def test_wrappers_within_each_other_and_quantised_ones_are_read() -> None:
    inner = {"text_config": LLAMA | {"quantization_config": {"quant_method": "fp8"}}, "audio_config": {"a": 1}}
    wrapper = {"model_type": "omni", "thinker_config": inner, "talker_config": {"a": 1}}
    assert from_hf_config(wrapper) == from_hf_config(LLAMA)
    assert unread(wrapper) == (
        "thinker_config of omni is read by itself: talker_config and the rest of the file left out",
        "text_config is read by itself: audio_config and the rest of the file left out",
        "quantised weights (quantization_config: fp8): counted as the model before quantisation",
    )
    deep: dict[str, Any] = LLAMA
    for _ in range(9):
        deep = {"text_config": deep}
    with pytest.raises(
        ValueError, match=r"^in text_config\.text_config\.text_config\.text_config, text_config=.* is not"
    ):
        from_hf_config(deep)


def test_a_wrapper_ties_the_head_of_its_language_model() -> None:
    assert from_hf_config({"text_config": LLAMA, "tie_word_embeddings": True}).tied_lm_head
    own = LLAMA | {"tie_word_embeddings": False}
    assert not from_hf_config({"text_config": own, "tie_word_embeddings": True}).tied_lm_head


@pytest.mark.parametrize(
    ("inner", "sentence"),
    [
        ({"model_type": "qwen3_5_text"}, 'in text_config, model_type="qwen3_5_text" is not supported: some of its la'),
        ({"model_type": "llama", "hidden_size": -1}, "in text_config, hidden_size=-1 is not allowed: it must be a wh"),
        ({"model_type": "some_moe", "num_experts": 8}, 'in text_config, model_type="some_moe" is not supported: it i'),
        ({"x": 1}, "in text_config, model_type is missing: slimlm reads "),
    ],
)  # fmt: skip
def test_a_wrapper_of_a_model_that_is_not_read_is_refused_by_that_model(inner: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        from_hf_config({"model_type": "some_vl", "text_config": inner})
    assert str(caught.value).startswith(sentence)


KNOWN_BY_KEYS = {
    "gpt2": "gpt2",
    "gpt-neo-125m": "gpt_neo",
    "pythia-70m": "gpt_neox",
    "opt-125m": "opt",
    "bloom-560m": "bloom",
    "falcon-7b": "falcon",
    "mpt-7b": "mpt",
    "Llama-2-7b": "llama",
    "Qwen2.5-0.5B": "qwen2",
    "gemma-2-2b": "gemma2",
    "granite-3.0-2b-base": "granite",
}


@pytest.mark.parametrize("name", KNOWN_BY_KEYS)
def test_a_published_config_without_its_type_is_known_by_its_keys(name: str) -> None:
    config, params = real_configs()[name]
    assert count_total(from_hf_config(bare(config))) == params
    likely = KNOWN_BY_KEYS[name]
    assert unread(bare(config))[0].endswith(f" are keys of {likely}: read as {likely}")
    assert unread(bare(config))[1:] == unread({"model_type": likely, **config})


def test_the_likely_type_reads_what_transformers_builds() -> None:
    config = {"n_embd": 96, "n_head": 6, "n_layer": 2, "vocab_size": 99, "n_positions": 40}
    assert count_total(from_hf_config(config)) == sum(count(load({"model_type": "gpt2", **config})).values())
    assert unread(config) == ("n_embd and n_head are keys of gpt2: read as gpt2",)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
            "model_type is missing: hidden_size, num_hidden_layers and num_attention_heads are keys of llama, among "
            'others; "model_type": "llama" would work, or another of ',
        ),
        ({"hidden_size": -1, "num_hidden_layers": 2}, "model_type is missing: slimlm reads "),
        ({"foo": 1, 3: 4}, "model_type is missing: slimlm reads "),
        ({"hidden_size": 64, "type_vocab_size": 2}, "type_vocab_size=2 is not supported: it is a key of encoders suc"),
        ({"model_type": "bert"}, 'model_type="bert" is not supported: it is an encoder, and slimlm describes decoder'),
        ({"model_type": "rwkv"}, 'model_type="rwkv" is not supported: its layers have no attention; slimlm reads '),
        ({"model_type": "lfm2"}, 'model_type="lfm2" is not supported: some of its layers are not attention, and the I'),
        ({"model_type": "t5"}, 'model_type="t5" is not supported: it has an encoder beside the decoder, and slimlm d'),
        ({"num_experts": 8}, "num_experts=8 is not supported: it means a mixture of experts, and no model_type says"),
        ({"model_type": "llama", "num_experts": True}, "num_experts=true is not supported: it means a mixture of exp"),
        ({"model_type": "a_moe", "num_experts": 8}, 'model_type="a_moe" is not supported: it is a mixture of experts'),
        ({"model_type": "a", "vision_config": {"a": 1}}, 'vision_config={"a": 1} is not supported: it means a model'),
    ],
)  # fmt: skip
def test_a_refusal_says_what_is_known(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        from_hf_config(config)
    assert str(caught.value).startswith(sentence)


def test_what_a_refusal_says_would_work_works() -> None:
    few = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    with pytest.raises(ValueError, match=r'"model_type": "llama" would work'):
        from_hf_config(few)
    assert from_hf_config(few | {"model_type": "llama"}).d_model == 64
    with pytest.raises(ValueError, match=r"; num_local_experts=1 would work$"):
        from_hf_config(LLAMA | {"num_local_experts": 8})
    assert from_hf_config(LLAMA | {"num_local_experts": 1}) == from_hf_config(LLAMA)
    meta = {"dim": 64, "n_layers": 2, "n_heads": 2, "vocab_size": -1}
    with pytest.raises(ValueError, match=r"vocab_size=32000, that of Llama 1 and 2, would work$"):
        from_hf_config(meta)
    assert from_hf_config(meta | {"vocab_size": 32000}).vocab_size == 32_000


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 99) | st.floats() | st.text(max_size=4) | st.just(LLAMA),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["text_config", "model_type", "hidden_size", "quant_method"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)
HOSTILE = ["text_config", "llm_config", "model_config", "quantization_config", "quantization", "model_type"]
HOSTILE += ["architectures", "num_experts", "vision_config", "is_encoder_decoder", "dim", "n_layers", "n_heads"]
HOSTILE += ["n_embd", "n_head", "n_layer", "block_size", "sequence_len", "hidden_dim", "padded_vocab_size"]


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.sampled_from(HOSTILE), VALUES, max_size=6), st.booleans())
def test_whatever_a_file_holds_the_answer_is_a_model_or_a_sentence(config: dict[str, Any], is_llama: bool) -> None:
    source = LLAMA | config if is_llama else config
    try:
        found = from_hf_config(source)
    except ValueError as error:
        assert str(error).isprintable() and len(str(error)) < 1000
    else:
        assert count_total(found) > 0
        assert all(phrase.isprintable() and len(phrase) <= 200 for phrase in unread(source))


def test_a_type_that_the_keys_suggest_is_always_one_that_reads_them() -> None:
    for model_type in FAMILIES:
        keys = dict.fromkeys(sorted(class_keys(model_type))[:4], None)
        with pytest.raises(ValueError, match=r"^model_type is missing: ") as caught:
            from_hf_config(keys)
        if "would work" in str(caught.value):
            named = str(caught.value).partition('"model_type": "')[2].partition('"')[0]
            assert from_hf_config(keys | {"model_type": named})
