"""Differences ranked by their size."""

from slimlm.compare.comparison import Comparison
from slimlm.compare.pins import pin_of
from slimlm.compare.presets import preset_pins
from slimlm.compare.ranking import ranked
from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model

SHARES = preset_pins("25, 35 and 45 % of 10M in embeddings")


def keys_of(comparison: Comparison) -> dict[str, list[str]]:
    return {heading: [line.key for line in lines] for heading, lines in ranked(comparison)}


def test_the_largest_difference_comes_first() -> None:
    large, middle, small, others = keys_of(Comparison(SHARES)).items()
    assert large == (
        "By a factor of 2 or more",
        ["aspect_ratio", "n_layers", "layer_params", "kv_cache_bytes_per_token", "kv_cache_bytes", "activation_bytes"],
    )
    assert middle[0] == "By 10 % or more" and {"embedding_ratio", "training_flops_per_token"} <= set(middle[1])
    assert small[0] == "By less than 10 %" and small[1][-1] == "loss_nats" and "total_params" in small[1]
    assert others == ("Choices, and parts below 1 % or only in some models", ["norms_params", "final_norm_params"])


def test_every_line_that_differs_is_ranked_once() -> None:
    for pins in (SHARES, preset_pins("From GPT-2 to Llama at 125M")):
        comparison = Comparison(pins, baseline=1)
        listed = [key for keys in keys_of(comparison).values() for key in keys]
        assert sorted(listed) == sorted(line.key for line in comparison.lines if not line.equal)


def test_choices_settings_and_what_only_some_have_come_last() -> None:
    pins = (pin_of(ModelConfig()), pin_of(published_model("Qwen3-0.6B")))
    *_, (_, last) = keys_of(Comparison(pins)).items()
    assert last == [
        *("norm", "positions", "qk_norm", "rope_theta", "dropout", "attention_dropout"),
        *("position_embedding_params", "norms_params", "final_norm_params"),
    ]


def test_equal_models_have_no_rows() -> None:
    assert keys_of(Comparison((SHARES[0], SHARES[0]))) == {}
