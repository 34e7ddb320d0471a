"""Windows, rotation, factors and caps read from Hugging Face configs, judged by what transformers makes of them."""

from math import sqrt
from typing import Any

import pytest
from transformers import PreTrainedConfig

from slimlm.interop.hf import from_hf_config
from tests.hf_judge import load, real_configs

TINY = {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 50}
CWM = {"model_type": "cwm", **TINY, "bos_token_id": 1}


def layers_in_transformers(config: PreTrainedConfig) -> str:
    """Return the kind of each layer: windowed, or full with or without rotary positions."""
    kinds, rotated = getattr(config, "layer_types", None), getattr(config, "no_rope_layers", None)
    window = getattr(config, "sliding_window", None)
    if config.model_type == "gpt_neo":
        return "".join({"global": "f", "local": "w"}[kind] for kind in config.attention_layers)
    if kinds is None:
        kinds = ["full_attention" if window is None else "sliding_attention"] * config.num_hidden_layers
    unrotated = config.model_type in ("cohere2", "exaone4") and window is not None
    letters = ["w" if kind == "sliding_attention" else "n" if unrotated else "f" for kind in kinds]
    return "".join("f" if turned else "n" for turned in rotated) if rotated else "".join(letters)


@pytest.mark.parametrize(
    "config",
    [
        *(
            {"model_type": model_type, **TINY, "num_hidden_layers": n_layers, **more}
            for n_layers in (1, 2, 3, 7, 12)
            for model_type, more in (
                ("mistral", {"sliding_window": 8}),
                ("phi3", {"sliding_window": 8, "pad_token_id": None}),
                ("starcoder2", {"sliding_window": 8}),
                ("gemma2", {"sliding_window": 8}),
                ("gemma3_text", {"sliding_window": 8}),
                ("gemma3_text", {"sliding_window": 8, "sliding_window_pattern": 3}),
                ("vaultgemma", {"sliding_window": 8}),
                ("qwen2", {"use_sliding_window": True, "max_window_layers": 2}),
                ("qwen3", {"use_sliding_window": True, "max_window_layers": 0}),
                ("qwen3", {"use_sliding_window": False, "max_window_layers": 0}),
                ("olmo3", {"pad_token_id": None}),
                ("exaone4", {"sliding_window_pattern": 3}),
                ("cohere2", {"sliding_window_pattern": 2, "pad_token_id": None}),
                ("ministral", {}),
                ("smollm3", {"no_rope_layer_interval": 3, "pad_token_id": None}),
                ("cwm", {"bos_token_id": 1}),
            )
        ),
        {"model_type": "gpt_neo", "num_layers": 3, "attention_types": [[["global"], 1], [["local"], 2]]},
        {"model_type": "gpt_neo", "num_layers": 6, "attention_types": [[["local", "global"], 3]]},
        {"model_type": "gpt_neo"},
        {"model_type": "gemma2", **TINY, "num_hidden_layers": 3}
        | {"layer_types": ["full_attention", "full_attention", "sliding_attention"]},
        {"model_type": "smollm3", **TINY, "num_hidden_layers": 3, "no_rope_layers": [0, 1, 1], "pad_token_id": None},
    ],
)
def test_layers_are_of_the_kinds_that_transformers_gives_them(config: dict[str, Any]) -> None:
    expected = layers_in_transformers(load(config))
    found = from_hf_config(config)
    assert found.layer_kinds == (expected if found.positions != "none" else expected.replace("n", "f"))
    assert (found.window is None) == ("w" not in expected)
    assert len(found.layer_pattern) <= len(expected)
    if found.window is not None:
        key = "window_size" if config["model_type"] == "gpt_neo" else "sliding_window"
        assert found.window == getattr(load(config), key)


@pytest.mark.parametrize("none", [None, -1, 0])
@pytest.mark.parametrize("model_type", ["mistral", "gemma2", "cwm", "exaone4", "ministral"])
def test_no_window_is_said_in_three_ways(model_type: str, none: int | None) -> None:
    found = from_hf_config({"model_type": model_type, "sliding_window": none})
    assert (found.window, found.layer_pattern) == (None, "f")


def test_cohere2_without_a_window_has_no_rotary_positions() -> None:
    assert from_hf_config({"model_type": "cohere2", "sliding_window": None}).positions == "none"


def test_exaone_names_the_layers_of_a_period() -> None:
    config = {"model_type": "exaone4", "sliding_window_pattern": "LLLG"}
    assert from_hf_config(config).layer_pattern == "wwwn"
    assert from_hf_config({"model_type": "exaone4", "sliding_window_pattern": "GL"}).layer_pattern == "nw"


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        ({"model_type": "gemma"}, {"embedding_scale": sqrt(3072)}),
        (
            {"model_type": "gemma2", "query_pre_attn_scalar": 144},
            {"attention_scale": 1 / 12, "attention_softcap": 50.0, "logit_softcap": 30.0, "embedding_scale": 48.0},
        ),
        ({"model_type": "gemma3_text"}, {"window_rope_theta": 10_000.0, "rope_theta": 1e6, "attention_scale": None}),
        ({"model_type": "gemma3_text", "rope_local_base_freq": 7.0}, {"window_rope_theta": 7.0}),
        (
            {"model_type": "gemma3_text", "rope_parameters": {"sliding_attention": {"rope_theta": 9.0}}},
            {"window_rope_theta": 9.0},
        ),
        ({"model_type": "olmo3"}, {"window_rope_theta": None, "rope_theta": 500_000.0}),
        ({"model_type": "olmo3", "rope_theta": 7.0}, {"window_rope_theta": 500_000.0}),
        (
            {"model_type": "granite", "attention_multiplier": 0.5, "logits_scaling": 8.0, "embedding_multiplier": 12.0}
            | {"residual_multiplier": 0.25},
            {"attention_scale": 0.5, "logit_scale": 0.125, "embedding_scale": 12.0, "residual_scale": 0.25},
        ),
        ({"model_type": "granite", "attention_multiplier": 128**-0.5}, {"attention_scale": None}),
        ({"model_type": "hyperclovax", "logits_scaling": 8.0}, {"logit_scale": 8.0, "attention_scale": None}),
        ({"model_type": "cohere"}, {"logit_scale": 0.0625}),
        ({"model_type": "nanochat"}, {"logit_softcap": 15.0, "embedding_norm": True, "ffn": "relu2"}),
        ({"model_type": "gpt2", "scale_attn_weights": False}, {"attention_scale": 1.0}),
        ({"model_type": "gpt_neo"}, {"attention_scale": 1.0, "window": 256}),
        ({"model_type": "mpt", "attn_config": {"softmax_scale": 0.25}}, {"attention_scale": 0.25}),
        ({"model_type": "biogpt"}, {"embedding_scale": 32.0, "position_offset": 2}),
        ({"model_type": "xglm", "scale_embedding": False}, {"embedding_scale": 1.0, "positions": "none"}),
        ({"model_type": "gpt_neox"}, {"rotary_share": 0.25}),
        ({"model_type": "gpt_neox", "rope_parameters": {"partial_rotary_factor": 0.5}}, {"rotary_share": 0.5}),
        ({"model_type": "phi", "partial_rotary_factor": 1.0}, {"rotary_share": 1.0}),
        ({"model_type": "phi3"}, {"rotary_share": 1.0}),
        ({"model_type": "glm4"}, {"rotary_share": 0.5, "block": "sandwich_norm"}),
        ({"model_type": "gptj"}, {"rotary_share": 0.25, "rotary_width": 64}),
        ({"model_type": "codegen", "n_embd": 800, "n_head": 16, "rotary_dim": 14}, {"rotary_width": 14}),
        ({"model_type": "gptj", "rotary_dim": 10**9}, {"rotary_share": 1.0}),
        ({"model_type": "cohere2", "sliding_window": None}, {"layer_pattern": "f", "rotary_share": 1.0}),
    ],
)
def test_keys_of_attention_become_fields(config: dict[str, Any], fields: dict[str, Any]) -> None:
    found = from_hf_config(config)
    assert {name: getattr(found, name) for name in fields} == pytest.approx(fields)


def test_gemma_3_has_its_window_in_five_of_six_layers() -> None:
    found = from_hf_config(real_configs()["gemma-3-270m"][0])
    assert (found.window, found.layer_pattern, found.n_windowed_layers) == (512, "wwwwwf", 15)
    assert found.embedding_scale == sqrt(640)


def test_every_share_of_a_head_turns_as_many_elements_as_a_config_says() -> None:
    for width in range(2, 260, 2):
        for turned in range(2, width + 1, 2):
            config = {"model_type": "gptj", "n_embd": width, "n_head": 1, "rotary_dim": turned}
            assert from_hf_config(config).rotary_width == turned


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model_type": "mistral", "sliding_window": 2.5}, "sliding_window=2.5 is not allowed: it must be a whole number"),
    ({"model_type": "mistral", "sliding_window": -7}, "sliding_window=-7 is not allowed: it must be a whole number be"),
    (
        {"model_type": "gemma2", "layer_types": ["full_attention"]},
        "layer_types=.* is not allowed: it must be a list of ",
    ),
    (
        {"model_type": "gemma2", "num_hidden_layers": 1, "layer_types": ["linear_attention"]},
        'layer_types="linear_attention" is not supported: slimlm\'s layers have sliding_attention or full_attention$',
    ),
    (
        {"model_type": "gemma3_text", "sliding_window_pattern": 0},
        "sliding_window_pattern=0 is not allowed: it must be ",
    ),
    (
        {"model_type": "gemma3_text", "sliding_window_pattern": 300, "num_hidden_layers": 400},
        "sliding_window_pattern=300 is not supported: slimlm repeats at most 256 layers; sliding_window_pattern=256 ",
    ),
    (
        {"model_type": "qwen2", "use_sliding_window": True, "max_window_layers": -1},
        "max_window_layers=-1 is not allowed: it must be a whole number of at least 0",
    ),
    (
        {"model_type": "qwen2", "use_sliding_window": True, "max_window_layers": 3, "num_hidden_layers": 300},
        "max_window_layers=3 is not supported: slimlm repeats at most 256 of num_hidden_layers=300; max_window_layers=",
    ),
    (
        {"model_type": "smollm3", "no_rope_layers": [1]},
        "no_rope_layers=.* is not allowed: it must be a list of num_hid",
    ),
    (
        {"model_type": "smollm3", "no_rope_layer_interval": 0},
        "no_rope_layer_interval=0 is not allowed: it must be a wh",
    ),
    (
        {"model_type": "smollm3", "use_sliding_window": True, "sliding_window": 8, "layer_types": []},
        "layer_types=.* is not allowed: it must be a list of num_hidden_layers=36 kinds or null",
    ),
    (
        {"model_type": "smollm3", "num_hidden_layers": 300, "no_rope_layers": [1] * 299 + [0]},
        "no_rope_layers=.* repeat",
    ),
    (
        {"model_type": "gemma2", "num_hidden_layers": 600}
        | {"layer_types": [*["full_attention"] * 599, "sliding_attention"]},
        "layer_types=.* is not supported: slimlm repeats at most 256 layers, and these do not repeat$",
    ),
    (
        {"model_type": "helium", "num_attention_heads": 12},
        "head_dim=128 is not supported: transformers runs no Helium whose heads do not add up to hidden_size=2560$",
    ),
    (
        {"model_type": "gpt_neo", "attention_types": [[["global"], 2]]},
        "attention_types=.* it must name num_layers=24 la",
    ),
    (
        {"model_type": "gpt_neo", "num_layers": 10**6, "attention_types": [[["global"], 1], [["local"], 10**6 - 1]]},
        "attention_types=.* is not supported: slimlm repeats at most 256 layers",
    ),
    (
        {"model_type": "gemma2", "attn_logit_softcapping": 0},
        "attn_logit_softcapping=0 is not allowed: it must be a num",
    ),
    (
        {"model_type": "granite", "logits_scaling": "8"},
        'logits_scaling="8" is not allowed: it must be a number between',
    ),
    ({"model_type": "gptj", "rotary_dim": 0}, "rotary_dim=0 is not allowed: it must be a whole number of at least 1"),
    (
        {"model_type": "gpt_neox", "rotary_pct": 2},
        "rotary_pct=2 is not allowed: it must be a number between 0.001 and 1",
    ),
    (
        {"model_type": "gemma3_text", "rope_local_base_freq": 0},
        "rope_local_base_freq=0 is not allowed: it must be a nu",
    ),
]


@pytest.mark.parametrize(("config", "sentence"), REFUSED)
def test_what_is_no_window_factor_or_share_is_refused(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        from_hf_config(config)
