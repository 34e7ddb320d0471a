"""Groups of parameters: CompleteP's table, against multipliers in the forward pass and by the size of updates."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from slimlm.core.architecture import Architecture
from slimlm.model.language_model import LanguageModel
from slimlm.runs.recipe import TrainRecipe
from slimlm.train.groups import group_of, group_rules
from slimlm.train.initial_weights import initialise
from slimlm.train.step import TrainStep, split_windows, token_loss
from slimlm.utils.validation import FieldError
from tests.train.sources import chain_data, recipe, tiny

CALM: dict[str, Any] = {"warmup_share": 0.0, "clip": 1e6, "dropout": 0.0, "learning_rate": 3e-4}


def built(architecture: Architecture, wanted: TrainRecipe) -> LanguageModel:
    model = LanguageModel(architecture, initialise=False)
    initialise(model, wanted)
    return model


@torch.no_grad()
def logits(model: LanguageModel, windows: Tensor) -> Tensor:
    found: Tensor = model(windows[:, :-1])[0]
    return found


def scaled(factor: float) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    return lambda module, inputs, output: output * factor


def paper_groups(model: LanguageModel, wanted: TrainRecipe) -> list[dict[str, Any]]:
    """Return the groups of Table 1 and equation 40 of arXiv 2505.01618 for α = 1, by parameter."""
    width, depth = model.d_model / 256, model.n_layers / 2
    groups = []
    for name, parameter in model.named_parameters():
        in_block, matrix = name.startswith("blocks."), parameter.ndim > 1
        groups.append(
            {
                "params": [parameter],
                "lr": wanted.learning_rate / (width if in_block and matrix else 1),
                "weight_decay": wanted.weight_decay * width if in_block and matrix else 0.0,
                "eps": wanted.eps / width / (depth if in_block else 1),
            }
        )
    return groups


@pytest.mark.parametrize("more", [{}, {"bias": "all", "tied_lm_head": False}, {"block": "sandwich_norm"}])
def test_completep_without_multipliers_equals_completep_with_them(more: dict[str, Any]) -> None:
    """The same model with multipliers as forward hooks, trained by the paper's own table, has the same logits."""
    architecture = tiny(d_model=32, n_layers=8, dropout=0.0, attention_dropout=0.0, **more)
    wanted = recipe(parametrisation="completep", eps=1e-4, output_std=0.05, **{**CALM, "learning_rate": 4e-3})
    ours, theirs = built(architecture, wanted), built(architecture, wanted)
    branch, head = 2 / architecture.n_layers, 256 / architecture.d_model
    normed = architecture.block == "sandwich_norm"
    ends = ("attention_output_norm", "ffn_output_norm") if normed else ("attention", "ffn")
    with torch.no_grad():
        for block in theirs.blocks:
            for end in ends:
                block.get_submodule(end).register_forward_hook(scaled(branch))
            parts = [block.get_submodule(end) for end in (ends if normed else ("attention.o_proj", "ffn.down_proj"))]
            for parameter in (parameter for part in parts for parameter in part.parameters()):
                parameter.div_(branch)
        theirs.final_norm.register_forward_hook(scaled(head))
        for parameter in theirs.final_norm.parameters():
            parameter.div_(head)
    step = TrainStep(ours, wanted, sequences=8)
    optimizer = torch.optim.AdamW(paper_groups(theirs, wanted), betas=(wanted.beta1, wanted.beta2))
    windows = [torch.from_numpy(chain_data().batch(0, number, 8, 16)) for number in range(6)]
    first = logits(ours, windows[0])
    assert torch.allclose(first, logits(theirs, windows[0]), atol=1e-6)
    for batch in windows:
        step(batch, 1.0)
        optimizer.zero_grad()
        inputs, targets = split_windows(batch)
        token_loss(theirs(inputs)[0], targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    moved = float((logits(ours, windows[0]) - first).abs().max())
    assert moved > 0.1
    assert torch.allclose(logits(ours, windows[0]), logits(theirs, windows[0]), rtol=0, atol=moved / 1000)


def hidden_update(parametrisation: str, d_model: int, n_layers: int) -> float:
    """Return how far four steps move the stream after the last block, as the root mean square of its elements."""
    architecture = tiny(d_model=d_model, d_ff=2 * d_model, n_heads=d_model // 16, n_layers=n_layers)
    wanted = recipe(parametrisation=parametrisation, embedding_std=1 / 16, output_std=0.02, **CALM)
    model = built(architecture, wanted)
    batch = torch.from_numpy(chain_data().batch(0, 0, 8, 16))
    seen: list[Tensor] = []
    model.blocks[-1].register_forward_hook(lambda module, inputs, output: seen.append(output.detach()))
    step = TrainStep(model, wanted, sequences=8)
    for _ in range(4):
        step(batch, 1.0)
    model(batch[:, :-1])
    return float((seen[-1] - seen[0]).square().mean().sqrt())


@pytest.mark.parametrize("shapes", [((64, 2), (128, 2), (256, 2)), ((64, 2), (64, 4), (64, 8))])
def test_with_completep_updates_of_hidden_states_do_not_depend_on_width_or_depth(
    shapes: tuple[tuple[int, int], ...],
) -> None:
    ours = [hidden_update("completep", *shape) for shape in shapes]
    standard = [hidden_update("standard", *shape) for shape in shapes]
    assert max(ours) / min(ours) < 1.25
    assert max(standard) / min(standard) > 2.5


def test_at_the_base_shape_completep_is_the_standard_parametrisation() -> None:
    base = tiny(d_model=256, n_layers=2, n_heads=8)
    numbers = {"embedding_std": 0.05, "output_std": 0.02}
    assert group_rules(base, recipe(parametrisation="completep", **numbers)) == group_rules(base, recipe(**numbers))


def test_weight_decay_is_for_matrices_of_blocks_alone() -> None:
    architecture = tiny(bias="all", tied_lm_head=False, lm_head_bias=True, positions="learned", qk_norm="head")
    rules = group_rules(architecture, recipe(weight_decay=0.3))
    for name, parameter in LanguageModel(architecture, device="meta").named_parameters():
        decays = parameter.ndim > 1 and rules[group_of(name, architecture)].weight_decay == 0.3
        assert decays == (name.startswith("blocks.") and "_proj.weight" in name), name


@pytest.mark.parametrize(
    ("changes", "embedding", "output"),
    [
        ({}, 0.05, 0.02 / math.sqrt(4)),
        ({"embedding_std": 0.02, "output_std": 0.02}, 0.02, 0.02),
        ({"embedding_std": "width", "output_std": 0.005}, 16**-0.5, 0.005),
    ],
)
def test_initial_weights_have_the_scales_of_the_recipe(
    changes: dict[str, Any], embedding: float, output: float
) -> None:
    model = built(tiny(), recipe(**changes))
    plain = LanguageModel(tiny(), initialise=False)
    plain.reset_parameters(seed=0)
    pairs = zip(model.named_parameters(), plain.parameters(), strict=True)
    for (name, weight), drawn in pairs:
        std = embedding if "embedding" in name else output if "o_proj" in name or "down_proj" in name else 0.02
        expected = drawn if drawn.ndim == 1 else drawn * (std / 0.02)
        assert torch.allclose(weight, expected, rtol=1e-6, atol=0), name


def test_completep_refuses_norms_that_cannot_take_up_its_multipliers() -> None:
    with pytest.raises(FieldError, match=r"norm='layernorm_no_params' .* CompleteP needs norms with weights; norm="):
        group_rules(tiny(norm="layernorm_no_params"), recipe(parametrisation="completep"))
