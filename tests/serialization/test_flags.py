"""The command line's options: each field has one, and what is written is read back."""

from dataclasses import fields
from typing import Any

import pytest

from slimlm.core.config import ModelConfig
from slimlm.serialization.flags import OPTIONS, command
from slimlm.utils.formatting import parse_size
from tests.strategies import options_of


def test_every_field_has_an_option_with_help_and_a_flag_of_its_own() -> None:
    assert {*OPTIONS, "total_params"} == {field.name for field in fields(ModelConfig)}
    assert len({option.flag for option in OPTIONS.values()}) == len(OPTIONS)
    assert all(option.help[0].isupper() and "\n" not in option.help for option in OPTIONS.values())


@pytest.mark.parametrize(
    ("name", "metavar"),
    [
        ("n_heads", "auto|N"),
        ("vocab_size", "N"),
        ("layer_pattern", "LETTERS"),
        ("logit_scale", "N"),
        ("norm", "|".join(options_of(ModelConfig, "norm"))),
    ],
)
def test_the_value_is_shown_as_its_words_or_as_a_number(name: str, metavar: str) -> None:
    assert OPTIONS[name].metavar == metavar


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("n_heads", "auto", "--heads auto"),
        ("n_kv_heads", 2, "--kv-heads 2"),
        ("n_kv_heads", None, ""),
        ("rope_theta", 500_000.0, "--rope-theta 500000"),
        ("layer_norm_eps", 1e-5, "--layer-norm-eps 1e-05"),
        ("layer_norm_eps", 1e-6, ""),
        ("norm", "rmsnorm", "--norm rmsnorm"),
        ("window", 4096, "--window 4096"),
        ("layer_pattern", "wwf", "--layer-pattern wwf"),
        ("attention_scale", 0.0625, "--attention-scale 0.0625"),
        ("attention_scale", None, ""),
        ("embedding_scale", 25.298221281347036, "--embedding-scale 25.298221281347036"),
        ("multiple_of", 1, "--multiple-of 1"),
        ("lm_head_bias", True, "--lm-head-bias"),
        ("tied_lm_head", False, "--untied"),
        ("normalise_router", False, "--unnormalised-router"),
    ],
)
def test_an_option_is_written_as_it_is_read_back(name: str, value: Any, written: str) -> None:
    option = OPTIONS[name]
    assert option.write(value) == written
    if not option.is_switch and written:
        assert option.read(written.split(" ")[1]) == value


@pytest.mark.parametrize(("name", "text"), [("n_heads", "many"), ("rope_theta", "large")])
def test_text_that_is_neither_word_nor_number_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is (neither auto nor a whole|not a) number"):
        OPTIONS[name].read(text)


def test_a_command_names_the_total_first() -> None:
    assert parse_size(command(ModelConfig(total_params=12_345_678)).split(" ")[4]) == 12_345_678
