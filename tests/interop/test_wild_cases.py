"""Configs as people report them, paste them and publish them: each has its right value, or a sentence that is true."""

import json
from typing import Any

import pytest

from slimlm.core.accounting import count_total
from slimlm.interop.hf import FAMILIES, from_hf_config, parse_hf_config, unmodelled, unread

QWEN3_32B: dict[str, Any] = {
    "model_type": "qwen3",
    "hidden_size": 5120,
    "intermediate_size": 25600,
    "num_hidden_layers": 64,
}
QWEN3_32B |= {"num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936}
QWEN3_32B |= {"max_position_embeddings": 40960, "tie_word_embeddings": False, "architectures": ["Qwen3ForCausalLM"]}
LLAMA_3_8B: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
}
LLAMA_3_8B |= {"num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256}
LLAMA_3_8B |= {"max_position_embeddings": 8192, "architectures": ["LlamaForCausalLM"]}
GEMMA_3_4B: dict[str, Any] = {
    "hidden_size": 2560,
    "intermediate_size": 10240,
    "model_type": "gemma3_text",
    "num_hidden_layers": 34,
}
GEMMA_3_4B |= {"rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}
QWEN3_VL_2B: dict[str, Any] = {
    "model_type": "qwen3_vl_text",
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "head_dim": 128,
}
QWEN3_VL_2B |= {"num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "vocab_size": 151936}
QWEN3_VL_2B |= {"max_position_embeddings": 262144, "tie_word_embeddings": True}
LLAMA_2_C: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 512,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
}
LLAMA_2_C |= {"intermediate_size": 1376, "vocab_size": 32000, "max_position_embeddings": 1024}
META: dict[str, Any] = {"dim": 256, "n_layers": 8, "n_heads": 16, "n_kv_heads": 16, "vocab_size": 50000}
META |= {"norm_eps": 1e-05, "multiple_of": 128}
GPT_2_CHINESE: dict[str, Any] = {
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "n_ctx": 1024,
    "n_embd": 768,
    "n_head": 12,
}
GPT_2_CHINESE |= {"n_layer": 10, "n_positions": 1024, "vocab_size": 13317}
LLAMA_60M: dict[str, Any] = {
    "architectures": ["LLaMAForCausalLM"],
    "bos_token_id": 0,
    "eos_token_id": 1,
    "hidden_act": "silu",
}
LLAMA_60M |= {"hidden_size": 512, "intermediate_size": 1376, "initializer_range": 0.02, "max_sequence_length": 1024}
LLAMA_60M |= {"model_type": "llama", "num_attention_heads": 8, "num_hidden_layers": 8, "pad_token_id": -1}
LLAMA_60M |= {"rms_norm_eps": 1e-06, "transformers_version": "4.28.1", "use_cache": True, "vocab_size": 32000}
NANO_CHAT_D20: dict[str, Any] = {
    "sequence_len": 2048,
    "vocab_size": 65536,
    "n_layer": 20,
    "n_head": 10,
    "n_kv_head": 10,
    "n_embd": 1280,
}


def read(source: dict[str, Any] | str) -> dict[str, Any]:
    return parse_hf_config(source) if isinstance(source, str) else source


CASES: list[tuple[str, dict[str, Any] | str, int, tuple[str, ...]]] = [
    ("the 42M of llama2.c, tied", LLAMA_2_C | {"tie_word_embeddings": True}, 41_689_600, ()),
    (
        "Meta's params.json",
        META,
        32_420_096,
        (
            "dim, n_layers and n_heads are keys of Meta's params.json, with an LM head of its own: read as Llama",
            "max_seq_len 2,048 is a default of Meta's params.json, not in the config",
        ),
    ),
    (
        "Meta's params.json called a llama",
        META | {"model_type": "llama"},
        6_885_871_616,
        (
            "dim, n_layers, n_heads, n_kv_heads, norm_eps and multiple_of are not keys of llama, and are not read",
            "hidden_size 4,096, intermediate_size 11,008, num_hidden_layers 32, num_attention_heads 32 and "
            "max_position_embeddings 2,048 are defaults of llama, not in the config",
        ),
    ),
    (
        "GaLore's llama_60m",
        LLAMA_60M,
        58_073_600,
        (
            "max_sequence_length is no key of llama, and is not read",
            "max_position_embeddings 2,048 is a default of llama, not in the config",
        ),
    ),
    (
        "num_layers in a llama",
        {key: value for key, value in LLAMA_2_C.items() if key != "num_hidden_layers"} | {"num_layers": 8},
        133_988_864,
        (
            "num_layers is no key of llama, and is not read",
            "num_hidden_layers 32 is a default of llama, not in the config",
        ),
    ),
    ("GPT2-Chinese", GPT_2_CHINESE, 81_894_144, ("n_embd and n_head are keys of gpt2: read as gpt2",)),
    (
        "Qwen3-32B-FP8",
        QWEN3_32B | {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}},
        32_762_123_264,
        ("quantised weights (quantization_config: fp8): counted as the model before quantisation",),
    ),
    (
        "Llama-3-8B in 4 bits",
        LLAMA_3_8B | {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}},
        8_030_261_248,
        ("quantised weights (quantization_config: bitsandbytes): counted as the model before quantisation",),
    ),
    (
        "Llama-3-8B of mlx",
        LLAMA_3_8B | {"quantization": {"group_size": 64, "bits": 4}},
        8_030_261_248,
        ("quantised weights (quantization): counted as the model before quantisation",),
    ),
    (
        "the wrapper of Gemma 3 4B",
        {"model_type": "gemma3", "text_config": GEMMA_3_4B, "vision_config": {"hidden_size": 1152}},
        3_880_263_168,
        (
            "text_config of gemma3 is read by itself: vision_config and the rest of the file left out",
            "vocab_size 262,208, num_attention_heads 8, num_key_value_heads 4, head_dim 256 and "
            "max_position_embeddings 131,072 are defaults of gemma3_text, not in the config",
        ),
    ),
    (
        "a printed LlamaConfig",
        f"LlamaConfig {json.dumps(LLAMA_2_C, indent=2)}",
        58_073_600,
        (),
    ),
    ("a comment above", f"# converted by mlc\n{json.dumps(LLAMA_2_C)}", 58_073_600, ()),
    ("a Python dict", f"{LLAMA_2_C!r}", 58_073_600, ()),
]


@pytest.mark.parametrize(("source", "total", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_case_has_its_right_value(source: dict[str, Any] | str, total: int, said: tuple[str, ...]) -> None:
    config = read(source)
    assert count_total(from_hf_config(config)) == total
    assert unread(config) == said


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            META | {"vocab_size": -1},
            "vocab_size=-1 is not allowed: Meta's files leave it to the tokenizer; vocab_size=32000, that of Llama 1 "
            "and 2, would work",
        ),
        (
            '<<<<<<< HEAD\n{"model_type": "llama"}\n=======\n{}\n>>>>>>> main',
            "the config cannot be read: line 1 is the mark of a merge conflict (<<<<<<< HEAD): keep one side without "
            "the marks",
        ),
        ({"model_type": "an_moe", "num_experts": 128}, 'model_type="an_moe" is not supported: it is a mixture of'),
        ({"model_type": "lfm2"}, 'model_type="lfm2" is not supported: some of its layers are not attention'),
        ({"model_type": "bert"}, 'model_type="bert" is not supported: it is an encoder, and slimlm describes decoders'),
        ({"model_type": "openelm"}, 'model_type="openelm" is not supported: its layers differ from each other'),
    ],
)  # fmt: skip
def test_a_case_that_is_refused_has_a_true_sentence(source: dict[str, Any] | str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        from_hf_config(read(source))
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("model_type", "config", "total"),
    [
        ("nanochat", NANO_CHAT_D20, 560_988_160),
        ("nanochat", {"model_config": NANO_CHAT_D20, "step": 21400}, 560_988_160),
        ("qwen3_vl_text", {"model_type": "qwen3_vl", "text_config": QWEN3_VL_2B}, 1_720_574_976),
    ],
)
def test_a_case_of_a_type_that_not_every_version_reads(model_type: str, config: dict[str, Any], total: int) -> None:
    if model_type in FAMILIES:
        assert count_total(from_hf_config(config)) == total
    else:
        with pytest.raises(ValueError, match=rf'model_type="{model_type}" is not supported: '):
            from_hf_config(config)


def test_a_window_of_minus_one_is_none() -> None:
    assert not any("sliding" in phrase for phrase in unmodelled({"model_type": "mistral", "sliding_window": -1}))
