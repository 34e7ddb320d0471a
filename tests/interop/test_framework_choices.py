"""Choices that frameworks say in words of their own: kinds of GELU, ReLU², and the rotation of a part of each head."""

from dataclasses import replace

import yaml  # type: ignore[import-untyped]

from slimlm.interop.litgpt import litgpt_config
from slimlm.interop.megatron import megatron_arguments
from tests.interop.test_frameworks import DEFAULT, MODERN, arguments_of


def test_gelu_by_tanh_and_squared_relu_in_megatron() -> None:
    by_tanh = arguments_of(megatron_arguments(replace(DEFAULT, ffn="gelu_tanh", bias="all")))
    assert not {"--swiglu", "--no-bias-gelu-fusion", "--squared-relu", "--disable-bias-linear"} & by_tanh.keys()
    squared = arguments_of(megatron_arguments(replace(DEFAULT, ffn="relu2")))
    assert {"--squared-relu", "--no-bias-gelu-fusion", "--disable-bias-linear"} <= squared.keys()


def test_gelu_by_tanh_in_litgpt() -> None:
    for kind, words in {"gelu": "none", "gelu_tanh": "tanh", "geglu": "none", "geglu_tanh": "tanh"}.items():
        config = yaml.safe_load(litgpt_config(replace(MODERN, ffn=kind)))  # type: ignore[arg-type]
        assert config["gelu_approximate"] == words
        assert config["mlp_class_name"] == ("GemmaMLP" if "glu" in kind else "GptNeoxMLP")


def test_a_part_of_each_head_is_rotated() -> None:
    part = replace(MODERN, rotary_share=0.25)
    assert arguments_of(megatron_arguments(part))["--rotary-percent"] == "0.25"
    assert yaml.safe_load(litgpt_config(part))["rotary_percentage"] == 0.25
