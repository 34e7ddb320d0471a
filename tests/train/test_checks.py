"""Planted faults: each makes its named check fail, and a run without faults passes them all."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from slimlm.data.token_data import TokenData
from slimlm.evaluation import bits
from slimlm.model.language_model import LanguageModel
from slimlm.runs.recipe import TrainRecipe
from slimlm.train import checks, evaluate, loop, optimizers, step, train
from slimlm.train.checks import check_floor, check_initial_loss, check_units, initial_loss_limits
from slimlm.train.initial_weights import initialise
from tests.train.sources import chain_data, recipe, tiny

Plant = Callable[[pytest.MonkeyPatch], None]


def unshifted(patch: pytest.MonkeyPatch) -> None:
    for module in (step, checks):
        patch.setattr(module, "split_windows", lambda windows: (windows[:, :-1], windows[:, :-1]))


def leaked_mask(patch: pytest.MonkeyPatch) -> None:
    attention = torch.nn.functional.scaled_dot_product_attention

    def leaking(*tensors: Any, is_causal: bool = False, **options: Any) -> Tensor:
        return attention(*tensors, **options)

    patch.setattr(torch.nn.functional, "scaled_dot_product_attention", leaking)


def dropped_beta(patch: pytest.MonkeyPatch) -> None:
    made = optimizers.Optimizers.__init__

    def wrong(self: Any, model: LanguageModel, wanted: TrainRecipe) -> None:
        made(self, model, replace(wanted, beta2=0.999))

    patch.setattr(optimizers.Optimizers, "__init__", wrong)


def dropped_decay(patch: pytest.MonkeyPatch) -> None:
    made = optimizers.Optimizers.__init__

    def wrong(self: Any, model: LanguageModel, wanted: TrainRecipe) -> None:
        made(self, model, replace(wanted, weight_decay=0.0))

    patch.setattr(optimizers.Optimizers, "__init__", wrong)


def dropped_std(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loop, "initialise", lambda model, wanted: model.reset_parameters(seed=wanted.seed))


def dropped_dropout(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(step, "set_dropout", lambda model, dropout: None)


def summed_loss(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        step,
        "token_loss",
        lambda logits, targets: 3 * torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()),
    )


def lost_window(patch: pytest.MonkeyPatch) -> None:
    def short(model: LanguageModel, tokens: Any, lengths: Any, **options: Any) -> bits.HeldoutLoss:
        return bits.heldout_loss(model, tokens[:-16], lengths, **options)

    patch.setattr(evaluate, "heldout_loss", short)


def too_low(patch: pytest.MonkeyPatch) -> None:
    def wrong(*given: Any, **options: Any) -> bits.HeldoutLoss:
        found = bits.heldout_loss(*given, **options)
        return replace(found, nats=found.nats / 4)

    patch.setattr(evaluate, "heldout_loss", wrong)


@pytest.mark.parametrize(
    ("plant", "name"),
    [
        (unshifted, "shifted targets"),
        (unshifted, "initial loss"),
        (leaked_mask, "causality"),
        (dropped_beta, "recipe in effect"),
        (dropped_decay, "recipe in effect"),
        (dropped_std, "recipe in effect"),
        (dropped_dropout, "recipe in effect"),
        (summed_loss, "initial loss"),
        (lost_window, "symbol count"),
        (too_low, "loss floor"),
    ],
)
def test_a_planted_fault_makes_its_check_fail(monkeypatch: pytest.MonkeyPatch, plant: Plant, name: str) -> None:
    plant(monkeypatch)
    found = train(tiny(), recipe(tokens=256, dropout=0.0), chain_data())
    assert name in {check.name for check in found.failed_checks}


@pytest.mark.parametrize(
    "changes",
    [{}, {"optimizer": "muon"}, {"parametrisation": "completep"}, {"embedding_std": 0.02, "output_std": 0.02}],
)
@pytest.mark.parametrize("more", [{}, {"tied_lm_head": False, "bias": "all"}, {"positions": "learned", "d_model": 64}])
def test_without_a_fault_every_check_passes(changes: dict[str, Any], more: dict[str, Any]) -> None:
    found = train(tiny(**more), recipe(tokens=256, **changes), chain_data())
    assert not found.failed_checks
    names = {check.name for check in found.checks}
    assert names == {"shifted targets", "causality", "recipe in effect", "initial loss", "symbol count", "loss floor"}


def test_batches_of_one_token_pass() -> None:
    one = recipe(tokens=1, batch_tokens=1, sequence_length=1)
    for seed in range(6):
        assert not train(tiny(d_model=64), replace(one, seed=seed), chain_data(heldout=0)).failed_checks
    repeated = replace(chain_data(heldout=0), train=np.full(4096, 5, dtype=np.uint16))
    assert not train(tiny(d_model=64), one, repeated).failed_checks


@pytest.mark.parametrize("d_model", [32, 128, 512])
@pytest.mark.parametrize("embedding_std", [0.02, "width"])
def test_the_untrained_loss_is_within_its_formula(d_model: int, embedding_std: float) -> None:
    """Also without the last margin: the formula without it misses the loss by less than a tenth of a nat."""
    architecture, wanted = tiny(d_model=d_model, dropout=0.0, vocab_size=2048), recipe(embedding_std=embedding_std)
    model = LanguageModel(architecture, initialise=False)
    initialise(model, wanted)
    ids = torch.randint(2048, (64, 17), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        loss = float(step.token_loss(model(ids[:, :-1])[0], ids[:, 1:]))
    assert check_initial_loss(loss, architecture, wanted).passed
    low, high = initial_loss_limits(architecture, wanted)
    spread = (0.02 if embedding_std == 0.02 else d_model**-0.5) * d_model**0.5
    margin = 0.1 + 0.5 * spread
    assert low + margin - 0.1 < loss < high - margin + 0.1


def test_a_loss_of_nan_fails_the_initial_check() -> None:
    assert not check_initial_loss(float("nan"), tiny(), recipe()).passed


def test_the_floor_allows_for_the_noise_of_a_finite_split() -> None:
    losses = [bits.HeldoutLoss(nats=2.0 * tokens, tokens=tokens, units=tokens) for tokens in (100, 1_000_000)]
    assert check_floor(losses, 2.005).passed
    assert check_floor(losses[:1], 2.3).passed
    assert not check_floor(losses, 2.3).passed
    assert check_floor(losses, None).passed


def test_special_tokens_are_in_neither_count() -> None:
    data = chain_data()
    lengths = data.token_lengths.copy()
    lengths[3] = 0
    special = int((data.heldout["validation"][1:] == 3).sum())
    assert special
    found = bits.heldout_loss(LanguageModel(tiny()), data.heldout["validation"], lengths, length=16)
    assert found.tokens == 599 - special
    assert check_units(found, data.heldout["validation"], lengths, "byte").passed
    assert not check_units(found, data.heldout["validation"], data.token_lengths, "byte").passed


def test_wrong_batches_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source whose windows are not consecutive is found as well: here every window repeats its first token."""
    plain = TokenData.batch

    def repeated(self: TokenData, *place: int) -> Any:
        found = plain(self, *place)
        found[:] = found[:, :1]
        return found

    monkeypatch.setattr(TokenData, "batch", repeated)
    found = train(tiny(), recipe(tokens=256), chain_data())
    assert "shifted targets" in {check.name for check in found.failed_checks}
