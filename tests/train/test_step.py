"""A step: micro-batches add up to the batch, precisions, totals, optimizers and their states."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from slimlm.model.language_model import LanguageModel
from slimlm.runs.recipe import TrainRecipe
from slimlm.train.initial_weights import initialise
from slimlm.train.optimizers import Optimizers
from slimlm.train.step import TrainStep, token_loss
from tests.train.sources import chain_data, recipe, tiny

STILL = {"dropout": 0.0, "warmup_share": 0.0}


def stepped(wanted: TrainRecipe, steps: int = 3, **changes: Any) -> TrainStep:
    """Return a step whose model has been trained for some batches of 8 sequences."""
    model = LanguageModel(tiny(**changes), initialise=False)
    initialise(model, wanted)
    step = TrainStep(model, wanted, sequences=8)
    for number in range(steps):
        step(batch(number), 1.0)
    return step


def batch(number: int) -> Tensor:
    return torch.from_numpy(chain_data().batch(0, number, 8, 16))


@pytest.mark.parametrize("micro_batch", [1, 2, 4])
def test_micro_batches_add_up_to_the_batch(micro_batch: int) -> None:
    whole, parts = (stepped(recipe(micro_batch=size, **STILL)) for size in (None, micro_batch))
    assert parts.read()[:2] == pytest.approx(whole.read()[:2], rel=1e-5)
    for one, other in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=2e-5)


def test_the_loss_is_that_of_a_bare_loop_with_plain_adamw() -> None:
    wanted = recipe(weight_decay=0.1, clip=0.3, **STILL)
    step = stepped(wanted, steps=0)
    model = LanguageModel(tiny(dropout=0.0, attention_dropout=0.0), initialise=False)
    initialise(model, wanted)
    matrices = [weight for name, weight in model.named_parameters() if "_proj" in name]
    others = [weight for name, weight in model.named_parameters() if "_proj" not in name]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    bare = torch.optim.AdamW(groups, lr=wanted.learning_rate, betas=(0.9, 0.95), foreach=False)
    for number in range(5):
        step(batch(number), 1.0)
        bare.zero_grad()
        ids = batch(number)
        logits = model(ids[:, :-1])[0]
        loss = -logits.double().log_softmax(-1).gather(-1, ids[:, 1:, None]).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.3)
        bare.step()
        assert step.read().loss == pytest.approx(float(loss.detach()), rel=1e-5)
    for ours, theirs in zip(step.model.parameters(), model.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-5)


def test_bfloat16_keeps_float32_weights_and_loss() -> None:
    step = stepped(recipe(precision="bfloat16", **STILL))
    assert {weight.dtype for weight in step.model.parameters()} == {torch.float32}
    plain = stepped(recipe(precision="float32", **STILL))
    assert step.read().loss == pytest.approx(plain.read().loss, rel=0.01)
    logits = torch.randn(2, 3, 64, dtype=torch.bfloat16)
    assert token_loss(logits, torch.zeros(2, 3, dtype=torch.int64)).dtype == torch.float32


def test_totals_are_means_since_the_last_reading_and_name_the_first_bad_step() -> None:
    step = stepped(recipe(**STILL), steps=0)
    losses = []
    for number in range(2):
        step(batch(number), 0.0)
        losses.append(step.read().loss)
    for number in range(2):
        step(batch(number), 0.0)
    assert step.read().loss == pytest.approx(sum(losses) / 2)
    with torch.no_grad():
        next(step.model.parameters()).fill_(float("nan"))
    step(batch(0), 0.0)
    step(batch(0), 0.0)
    assert step.read().first_bad == 5


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_restored_state_goes_on_bit_for_bit(optimizer: str) -> None:
    wanted = recipe(optimizer=optimizer, **STILL)
    step = stepped(wanted)
    weights = {name: weight.detach().clone() for name, weight in step.model.named_parameters()}
    state = {name: value.clone() for name, value in step.optimizers.state().items()}
    step(batch(3), 0.5)
    ahead = [weight.detach().clone() for weight in step.model.parameters()]
    other = stepped(wanted, steps=1)
    with torch.no_grad():
        for name, weight in other.model.named_parameters():
            weight.copy_(weights[name])
    other.optimizers.restore(state)
    other(batch(3), 0.5)
    assert all(torch.equal(one, two) for one, two in zip(ahead, other.model.parameters(), strict=True))
    kinds = {name.split("/")[0] for name in state}
    assert kinds == {"step", "exp_avg", "exp_avg_sq"} | ({"momentum_buffer"} if optimizer == "muon" else set())


def test_muon_trains_the_matrices_of_blocks_and_adamw_the_rest() -> None:
    step = stepped(recipe(optimizer="muon", **STILL))
    for name in step.optimizers.state():
        key, _, parameter = name.partition("/")
        assert (key == "momentum_buffer") == ("_proj.weight" in parameter)


def test_the_state_of_another_model_is_refused() -> None:
    optimizers = Optimizers(LanguageModel(tiny()), recipe())
    with pytest.raises(ValueError, match=r"^the optimizer's state has 'blocks\.9\.x', which the model does not have"):
        optimizers.restore({"exp_avg/blocks.9.x": torch.zeros(1)})


def test_the_learning_rate_is_scaled_in_every_group() -> None:
    optimizers = Optimizers(LanguageModel(tiny()), recipe(parametrisation="completep"))
    optimizers.set_factor(0.25)
    groups = [group for optimizer in optimizers._all for group in optimizer.param_groups]
    assert len(groups) > 3
    assert all(group["lr"] == 0.25 * group["base_lr"] for group in groups)


def test_dropout_of_the_recipe_replaces_the_designs() -> None:
    step = stepped(replace(recipe(), dropout=0.0), steps=0)
    step.model.train()
    with torch.no_grad():
        assert torch.equal(step.model(batch(0)[:, :-1])[0], step.model(batch(0)[:, :-1])[0])
    assert step.model.architecture.dropout == 0.1


def test_a_compiler_that_fails_is_done_without_unless_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(function: object, **options: object) -> object:
        def fail(*given: object, **more: object) -> None:
            raise RuntimeError("no compiler\nhere")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    plain = stepped(recipe(compile="off"), steps=2)
    with pytest.raises(RuntimeError, match="no compiler"):
        stepped(recipe(compile="on"), steps=1)
    step = stepped(recipe(), steps=0)
    step.compiles = True  # as on CUDA
    step._compile()
    step(batch(0), 1.0)
    step(batch(1), 1.0)
    assert step.notes == ["not compiled: no compiler here"]
    assert step.read().loss == pytest.approx(plain.read().loss, rel=1e-2)  # but for dropout
