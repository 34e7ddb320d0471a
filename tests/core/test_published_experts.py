"""Published mixtures and latents: counts that transformers gives of their configs, and what is read of these."""

import json
from pathlib import Path
from typing import Any

import pytest

from slimlm.core.published import (
    PublishedModel,
    all_published,
    published_experts,
    published_large,
    published_model,
    published_models,
    published_near,
)
from slimlm.interop.hf import from_hf_config, unmodelled
from tests.hf_judge import load, on_meta

CONFIGS: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).parents[1].joinpath("published_expert_configs.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("model", published_experts(), ids=lambda model: model.name)
def test_counts_are_those_of_transformers(model: PublishedModel) -> None:
    found = sum(parameter.numel() for parameter in on_meta(load(CONFIGS[model.name])).parameters())
    assert found == model.published_params == model.total_params


@pytest.mark.parametrize("model", published_experts(), ids=lambda model: model.name)
def test_a_model_is_what_is_read_of_its_config(model: PublishedModel) -> None:
    assert from_hf_config(CONFIGS[model.name]) == model.architecture
    assert "; ".join(unmodelled(CONFIGS[model.name])) == model.note


@pytest.mark.parametrize(
    ("name", "active"),
    [
        ("Mixtral-8x7B", 12_879_925_248),
        ("Qwen3-30B-A3B", 3_353_032_704),
        ("OLMoE-1B-7B", 1_282_017_280),
        ("DeepSeek-V3", 37_552_282_624),
    ],
)
def test_active_parameters_are_those_that_are_published(name: str, active: int) -> None:
    assert published_model(name).account.active_params == active


def test_laws_and_notes_compare_with_dense_models_alone() -> None:
    assert not any(model.architecture.is_mixture or model.architecture.has_latents for model in published_models())
    assert all(model.architecture.is_mixture or model.architecture.has_latents for model in published_experts())
    assert {*published_near(46_000_000_000)} <= {*published_models()}


def test_all_models_are_sorted_and_named_once() -> None:
    sizes = [model.total_params for model in all_published()]
    assert sizes == sorted(sizes)
    assert len({model.name for model in all_published()}) == sum(
        map(len, (published_models(), published_experts(), published_large()))
    )
