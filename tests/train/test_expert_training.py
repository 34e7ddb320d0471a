"""Mixtures and latents are trained: groups of their parameters, every optimizer, checkpoints and resumed runs."""

from pathlib import Path
from typing import Any

import pytest
import torch

from slimlm.core.architecture import Architecture
from slimlm.model.language_model import LanguageModel
from slimlm.model.pretrained import from_pretrained
from slimlm.train import train
from slimlm.train.groups import group_of
from slimlm.train.initial_weights import initialise
from slimlm.train.optimizers import Optimizers
from tests.train.sources import chain_data, recipe, tiny

MIXTURE: dict[str, Any] = {
    **{"n_experts": 4, "n_shared_experts": 1, "shared_expert_gate": True, "n_dense_layers": 1, "n_layers": 2},
    **{"kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4, "positions": "rope"},
}


def test_parameters_are_in_the_groups_of_what_they_do() -> None:
    model = LanguageModel(tiny(**MIXTURE), device="meta")
    groups = {name: group_of(name, model.architecture) for name, _ in model.named_parameters()}
    inner = {name.removeprefix("blocks.1."): group for name, group in groups.items() if name.startswith("blocks.1.")}
    writing = {"attention.o_proj.weight", "ffn.experts.down_proj", "ffn.shared_experts.down_proj.weight"}
    assert {name for name, group in inner.items() if group == "output"} == writing
    vectors = {name for name, group in inner.items() if group in ("vector", "output_vector")}
    assert vectors == {name for name in inner if "norm" in name}
    assert {inner[name] for name in inner.keys() - writing - vectors} == {"hidden"}


def test_muon_leaves_the_stacked_matrices_of_experts_to_adamw() -> None:
    wanted = recipe(optimizer="muon")
    model = LanguageModel(tiny(**MIXTURE), initialise=False)
    initialise(model, wanted)
    adamw, muon = Optimizers(model, wanted)._all
    assert all(parameter.ndim == 2 for group in muon.param_groups for parameter in group["params"])
    by_adamw = {parameter for group in adamw.param_groups for parameter in group["params"]}
    stacked = {parameter for parameter in model.parameters() if parameter.ndim == 3}
    assert len(stacked) == 3
    assert stacked <= by_adamw


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_mixture_learns_and_is_read_again(optimizer: str, tmp_path: Path) -> None:
    architecture = tiny(**MIXTURE)
    untrained = LanguageModel(architecture, initialise=False)
    initialise(untrained, recipe(optimizer=optimizer))
    train(architecture, recipe(optimizer=optimizer, keep=1), chain_data(heldout=100), tmp_path)
    found = from_pretrained(tmp_path)
    assert found.architecture == architecture
    ids = torch.from_numpy(chain_data(heldout=100).batch(0, 0, 8, 16)[:, :-1])
    with torch.inference_mode():
        before, after = (float(model.eval()(ids, ids)[1]) for model in (untrained, found))
    assert after < before - 0.1


class InterruptedRunError(Exception):
    pass


def test_an_interrupted_run_of_a_mixture_ends_as_a_whole_one(tmp_path: Path) -> None:
    def interrupt(fraction: float, _: str) -> None:
        if fraction > 0.65:
            raise InterruptedRunError

    architecture: Architecture = tiny(**MIXTURE)
    with pytest.raises(InterruptedRunError):
        train(architecture, recipe(keep=3), chain_data(heldout=100), tmp_path / "cut", progress=interrupt)
    train(architecture, recipe(keep=3), chain_data(heldout=100), tmp_path / "cut", resume=True)
    train(architecture, recipe(keep=3), chain_data(heldout=100), tmp_path / "whole")
    cut, whole = (from_pretrained(tmp_path / folder) for folder in ("cut", "whole"))
    for one, other in zip(cut.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)
