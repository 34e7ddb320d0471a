"""Scaling laws: figures of the papers, and optima found by trying."""

import math

import pytest

from slimlm.costs.laws import BESIROGLU, chinchilla_tokens


@pytest.mark.parametrize(
    ("params", "tokens"), [(400_000_000, 8.0e9), (1_000_000_000, 20.2e9), (10_000_000_000, 205.1e9)]
)
def test_the_rule_of_thumb_is_near_the_table_that_it_is_read_off(params: int, tokens: float) -> None:
    assert chinchilla_tokens(params) == pytest.approx(tokens, rel=0.03)


@pytest.mark.parametrize(("params", "loss", "tokens_per_param"), [(10e6, 5.51, 28), (125e6, 3.31, 25), (1e9, 2.53, 23)])
def test_the_refit_predicts_what_its_constants_were_worked_out_to(
    params: float, loss: float, tokens_per_param: float
) -> None:
    assert BESIROGLU.loss_nats(params, 20 * params) == pytest.approx(loss, abs=0.007)
    assert BESIROGLU.optimum(6 * params * 20 * params).tokens_per_param == pytest.approx(tokens_per_param, rel=0.03)


def test_the_refit_gives_chinchillas_compute_the_size_that_the_paper_says() -> None:
    # Besiroglu et al. 2024, section 4: consistent with the 20 tokens per parameter and 70B that Chinchilla had.
    found = BESIROGLU.optimum(5.76e23)
    assert found.params == pytest.approx(72e9, rel=0.02)
    assert found.tokens_per_param == pytest.approx(18, abs=0.5)


@pytest.mark.parametrize("compute_flops", [1e16, 2e18, 1e20, 5.76e23])
def test_no_other_size_does_better_with_the_same_compute(compute_flops: float) -> None:
    found = BESIROGLU.optimum(compute_flops)
    assert 6 * found.params * found.tokens == pytest.approx(compute_flops)
    sizes = [found.params * math.exp(step / 100) for step in range(-300, 301)]
    losses = {size: BESIROGLU.loss_nats(size, compute_flops / 6 / size) for size in sizes}
    assert min(losses, key=losses.__getitem__) == pytest.approx(found.params)
    assert min(losses.values()) == pytest.approx(found.loss_nats)


@pytest.mark.parametrize("params", [1e6, 125e6, 7e9])
def test_the_optimum_of_a_size_has_that_size(params: float) -> None:
    found = BESIROGLU.optimum_of(params)
    again = BESIROGLU.optimum(6 * found.params * found.tokens)
    assert (again.params, again.tokens) == pytest.approx((params, found.tokens))
    assert found.loss_nats == pytest.approx(again.loss_nats)


@pytest.mark.parametrize(("params", "outside"), [(10e6, True), (44e6, False), (16e9, False), (17e9, True)])
def test_sizes_that_were_not_fitted_are_extrapolated(params: float, outside: bool) -> None:
    assert BESIROGLU.is_extrapolated(params) == outside


def test_amounts_of_nothing_are_refused() -> None:
    rule = "is not allowed: it must be a finite number above 0"
    with pytest.raises(ValueError, match=rf"^params=0 {rule}; params=1 would work$"):
        BESIROGLU.loss_nats(0, 1)
    with pytest.raises(ValueError, match=rf"^tokens=-1 {rule}; tokens=1 would work$"):
        BESIROGLU.loss_nats(1, -1)
    with pytest.raises(ValueError, match=rf"^compute_flops=inf {rule}; compute_flops=1 would work$"):
        BESIROGLU.optimum(math.inf)
    with pytest.raises(ValueError, match=rf"^params=nan {rule}; params=1 would work$"):
        BESIROGLU.optimum_of(math.nan)
