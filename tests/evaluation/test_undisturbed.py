"""Evaluation between steps leaves no trace in random numbers, modes and gradients."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from slimlm.core.architecture import Architecture
from slimlm.evaluation.undisturbed import undisturbed
from slimlm.model.language_model import LanguageModel
from tests.native import SMALL, SMALL_LLAMA, built, some_ids


def seeded() -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)


def draw() -> tuple[float, float, Tensor]:
    return random.random(), float(np.random.random()), torch.rand(3)


def test_global_generators_continue_as_if_nothing_had_run() -> None:
    model = LanguageModel(SMALL, device="meta")
    seeded()
    expected = draw()
    seeded()
    with undisturbed(model):
        draw()
    found = draw()
    assert found[:2] == expected[:2]
    assert torch.equal(found[2], expected[2])


def test_every_submodule_gets_its_own_mode_back_even_after_a_failure() -> None:
    model = built().train()
    model.blocks[0].eval()
    before = [module.training for module in model.modules()]
    with pytest.raises(RuntimeError, match="within"), undisturbed(model):
        assert not any(module.training for module in model.modules())
        assert not torch.is_grad_enabled()
        raise RuntimeError("within")
    assert [module.training for module in model.modules()] == before
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("arch", [SMALL, SMALL_LLAMA, replace(SMALL_LLAMA, positions="alibi")])
def test_training_goes_on_with_tables_made_within(arch: Architecture) -> None:
    model = built(arch).train()
    ids = some_ids(SMALL)
    with undisturbed(model):
        assert model(ids, ids)[1].grad_fn is None
    model(ids, ids)[1].backward()
    assert model.token_embedding.weight.grad is not None
