"""The range test: everything restored bit for bit, curves with known answers, and its interval on a real model."""

import math
from collections.abc import Sequence

import pytest
import torch

from slimlm.model.language_model import LanguageModel
from slimlm.train.batches import Batches
from slimlm.train.initial_weights import initialise
from slimlm.train.lr_range import RangeCurve, find_learning_rate, range_curve, recommended
from slimlm.train.step import TrainStep
from slimlm.utils.validation import FieldError
from tests.train.sources import LENGTH, chain_data, recipe, tiny

RATES = [10 ** (-5 + 5 * n / 29) for n in range(30)]


def curve(losses: Sequence[float], seed: int = 0) -> RangeCurve:
    rates = tuple(RATES[: len(losses)])
    return RangeCurve(seed, rates, tuple(losses), tuple(losses))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("steps_before", [0, 3])
def test_model_optimizers_and_random_numbers_are_as_before(optimizer: str, steps_before: int) -> None:
    wanted = recipe(optimizer=optimizer)  # with dropout
    model = LanguageModel(tiny(), initialise=False)
    initialise(model, wanted)
    step = TrainStep(model, wanted, sequences=8)
    batches = Batches(chain_data(), seed=0, sequences=8, length=LENGTH, device=torch.device("cpu"))
    for number in range(steps_before):
        step(batches[number], 0.5)
    weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    gradients = {
        name: None if weight.grad is None else weight.grad.clone() for name, weight in model.named_parameters()
    }
    state = {name: value.clone() for name, value in step.optimizers.state().items()}
    groups, generator = step.optimizers.settings(), torch.get_rng_state()
    found = range_curve(step, batches, RATES)
    assert len(set(found.losses)) > 5
    assert all(torch.equal(weight, weights[name]) for name, weight in model.named_parameters())
    for name, weight in model.named_parameters():
        kept = gradients[name]
        assert (weight.grad is None) == (kept is None)
        assert kept is None or torch.equal(weight.grad, kept)  # type: ignore[arg-type]
    after = step.optimizers.state()
    assert after.keys() == state.keys()
    assert all(torch.equal(after[name], value) for name, value in state.items())
    assert step.optimizers.settings() == groups
    assert step.optimizers.factor == (0.5 if steps_before else 1.0)
    assert torch.equal(torch.get_rng_state(), generator)
    assert (model.training, step.taken) == (True, steps_before)


def test_every_group_is_scaled() -> None:
    """With a rate of 0 nothing moves; with any other, every weight does, the embedding as well as the norms."""
    model = LanguageModel(tiny(), initialise=False)
    initialise(model, recipe())
    step = TrainStep(model, recipe(), sequences=8)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    batch = torch.from_numpy(chain_data().batch(0, 0, 8, LENGTH))
    step(batch, 0.0)
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())
    step(batch, 1.0)
    assert not any(torch.equal(weight, before[name]) for name, weight in model.named_parameters())


def test_the_average_is_corrected_for_its_start() -> None:
    model = LanguageModel(tiny(), initialise=False)
    initialise(model, recipe())
    step = TrainStep(model, recipe(dropout=0.0), sequences=8)
    batches = Batches(chain_data(), seed=0, sequences=8, length=LENGTH, device=torch.device("cpu"))
    found = range_curve(step, batches, [1e-12] * 12)
    assert found.smoothed[0] == pytest.approx(found.losses[0])
    weights = [0.9 ** (11 - n) for n in range(12)]
    expected = sum(w * loss for w, loss in zip(weights, found.losses, strict=True)) / sum(weights)
    assert found.smoothed[-1] == pytest.approx(expected)


def test_a_curve_that_falls_and_rises_has_its_steepest_point_and_its_edge() -> None:
    found = curve([5.0] * 10 + [4.9, 4.5, 3.5, 3.2, 3.0, 2.9, 2.9, 3.0, 3.2, 3.6, 5.0])
    assert found.steepest == RATES[11]  # by central differences
    assert found.edge == RATES[19]  # a quarter of the fall of 2.1 above 2.9


def test_a_curve_that_ends_in_nan_has_its_edge_there_and_one_that_only_falls_has_none() -> None:
    assert curve([5.0, 4.0, 3.0, math.nan]).edge == RATES[3]
    assert curve([5.0, 4.0, 3.0, 2.0]).edge is None


def test_the_interval_is_between_the_median_descent_and_a_third_of_the_lowest_edge() -> None:
    early = curve([5, 4.9, 4.0, 3.8, 3.7, 3.65, 3.6, 3.6, 3.6, 3.6, 5.0], 0)
    late = curve([5, 4.9, 4.8, 4.0, 3.8, 3.7, 3.65, 3.6, 3.6, 3.6, 3.6, 5.0], 1)
    found = recommended([early, late, late])
    assert found.high == RATES[10] / 3
    assert found.low == min(late.steepest, found.high / 3)
    assert found.has_edge
    open_ended = recommended([curve([5, 4, 3.0])])
    assert (open_ended.high, open_ended.has_edge) == (RATES[2] / 3, False)


def test_on_a_model_the_interval_is_where_training_works() -> None:
    told: list[str] = []
    found = find_learning_rate(
        tiny(),
        recipe(),
        chain_data(),
        low=1e-4,
        high=10.0,
        steps=60,
        seeds=2,
        progress=lambda _, text: told.append(text),
    )
    assert [curve.seed for curve in found.curves] == [0, 1]
    assert found.has_edge
    assert 1e-3 < found.low < found.high < 1.0
    assert told[0].startswith("learning rate range test: seed 1 of 2")
    again = find_learning_rate(tiny(), recipe(), chain_data(), low=1e-4, high=10.0, steps=60, seeds=2)
    assert again == found


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"low": 1.0, "high": 0.1}, r"^low=1\.0 is not allowed: it must be below high=0\.1; low=0\.0001 would work$"),
        ({"low": -1.0}, r"^low=-1\.0 is not allowed: it must be a finite number above 0"),
        ({"steps": 9}, r"^steps=9 is not allowed: fewer than 10 give no curve; steps=100 would work$"),
        ({"seeds": 0}, r"^seeds=0 is not allowed: it must be a whole number of at least 1"),
    ],
)
def test_bounds_that_give_no_curve_are_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        find_learning_rate(tiny(), recipe(), chain_data(), **given)  # type: ignore[arg-type]
