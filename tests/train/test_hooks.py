"""Hooks and held-out splits that cannot be used are refused in a sentence, the splits before any work."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from slimlm.data.token_data import TokenData
from slimlm.model.language_model import LanguageModel
from slimlm.train import train
from tests.train.sources import VOCABULARY, chain_data, recipe, tiny


def added_to(model: LanguageModel) -> Mapping[str, float]:
    model.token_embedding.weight.add_(1.0)
    return {}


def cast(model: LanguageModel) -> Mapping[str, float]:
    model.double()
    return {}


def frozen(model: LanguageModel) -> Mapping[str, float]:
    model.requires_grad_(requires_grad=False)
    return {}


@pytest.mark.parametrize(
    ("name", "hook", "message"),
    [
        ("mine", added_to, "hook 'mine' changed the model's weights: one that changes a copy would work"),
        ("mine", cast, "hook 'mine' changed the model's weights: one that changes a copy would work"),
        ("mine", frozen, "hook 'mine' changed the model's weights: one that changes a copy would work"),
        ("mine", lambda model: None, "hook 'mine' must return a mapping of names to numbers"),
        ("mine", lambda model: {"size": "big"}, "hook 'mine' must return a mapping of names to numbers"),
        ("mine", lambda model: {"size": torch.ones(2)}, "hook 'mine' must return a mapping of names to numbers"),
        (
            "validation",
            lambda model: {"nats_per_token": 0.0},
            "hook 'validation' returned 'validation.nats_per_token', which is there already: another name would work",
        ),
    ],
)
def test_a_hook_that_breaks_its_rules_is_named(name: str, hook: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        train(tiny(), recipe(tokens=1), chain_data(heldout=100), hooks={name: hook})


def test_a_run_is_not_resumed_with_other_hooks(tmp_path: Path) -> None:
    def constant(model: LanguageModel) -> Mapping[str, float]:
        return {"one": 1.0}

    train(tiny(), recipe(tokens=1), chain_data(heldout=100), tmp_path, hooks={"mine": constant})
    with pytest.raises(ValueError, match=r"holds another run: hooks=.* is now .*; another folder would work"):
        train(tiny(), recipe(tokens=1), chain_data(heldout=100), tmp_path, resume=True)


def of_zero_length(data: TokenData) -> TokenData:
    return replace(data, token_lengths=np.zeros(VOCABULARY, dtype=np.int64))


def of_another_vocabulary(data: TokenData) -> TokenData:
    return replace(data, heldout={"validation": np.full(100, VOCABULARY, dtype=np.uint16)})


def with_few_lengths(data: TokenData) -> TokenData:
    return replace(data, token_lengths=np.ones(10, dtype=np.int64))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            of_zero_length,
            "^split 'validation' has only special tokens after its first: text, or a higher evaluate_tokens",
        ),
        (of_another_vocabulary, "^split 'validation' holds the id 64: ids below 64 would work$"),
        (with_few_lengths, "^split 'validation' holds the id 6[0-3]: ids below 10 would work$"),
    ],
)
def test_a_split_that_could_not_be_scored_is_refused_before_any_work(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        train(tiny(), recipe(), change(chain_data(heldout=100)), tmp_path / "run")
    assert not (tmp_path / "run").exists()
