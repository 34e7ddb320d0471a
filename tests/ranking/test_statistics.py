"""The statistics, by simulation, against scipy's own tests, and on the runs of a pilot grid."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import bartlett, binom, dunnett, f_oneway, levene, multivariate_t, t, ttest_ind, tukey_hsd

from slimlm.ranking.statistics import Comparison, compare, critical_value, kendall, least_difference
from slimlm.utils.validation import FieldError
from tests.ranking.pilot import pilot_losses, pilot_searches

STUDIES, CELLS, SEEDS, SD = 2000, 12, 3, 0.01
DEGREES = CELLS * (SEEDS - 1)

Table = NDArray[np.float64]


def simulated(spread: float, studies: int = STUDIES, seed: int = 1) -> tuple[Table, Table]:
    """Return true means (studies × cells) and losses (studies × cells × seeds)."""
    draws = np.random.default_rng(seed)
    truth = 2.0 + spread * draws.standard_normal((studies, CELLS))
    return truth, truth[..., None] + SD * draws.standard_normal((studies, CELLS, SEEDS))


def pooled(losses: Table) -> Table:
    return np.asarray(np.sqrt(losses.var(axis=2, ddof=1).mean(axis=1)))


def named(table: Table) -> dict[str, list[float]]:
    return {f"cell {number}": runs for number, runs in enumerate(table.tolist())}


def covered(truth: Table, losses: Table, half_width: Table) -> float:
    """Return the share of studies in which the intervals of all pairs hold the true differences."""
    error = losses.mean(axis=2) - truth
    return float((np.ptp(error, axis=1) <= half_width).mean())


# By simulation. The seeds are fixed, so that no test fails by chance; 94 % is two standard errors below 95 %.


@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_the_intervals_of_all_pairs_hold_in_95_percent_of_studies(spread: float) -> None:
    truth, losses = simulated(spread)
    half_width = pooled(losses) * least_difference(1.0, SEEDS, CELLS)
    assert 0.94 <= covered(truth, losses, half_width) <= 0.96


def test_intervals_that_are_not_adjusted_do_not_hold() -> None:
    truth, losses = simulated(0.02)
    student = pooled(losses) * t.ppf(0.975, DEGREES) * math.sqrt(2 / SEEDS)
    assert covered(truth, losses, student) < 0.6


@pytest.mark.parametrize("spread", [0.0, 0.005, 0.02])
def test_the_best_cell_is_among_those_that_may_be_best(spread: float) -> None:
    truth, losses = simulated(spread)
    means, sd = losses.mean(axis=2), pooled(losses)
    behind = means[np.arange(STUDIES), truth.argmin(axis=1)] - means.min(axis=1)
    assert (behind <= sd * critical_value(CELLS - 1, DEGREES) * math.sqrt(2 / SEEDS)).mean() >= 0.94
    if spread:
        assert (behind <= 0).mean() < 0.9  # the lowest mean alone is a guess


def test_the_set_that_may_be_best_is_no_larger_than_it_has_to_be() -> None:
    """With one good cell and equal others, each other cell is excluded wrongly in 5 % of the studies, all together."""
    _, losses = simulated(0.0)
    means, sd = losses.mean(axis=2), pooled(losses)
    behind = means[:, :1] - means[:, 1:]
    threshold = sd * critical_value(CELLS - 1, DEGREES) * math.sqrt(2 / SEEDS)
    assert 0.94 <= (np.abs(behind).max(axis=1) <= threshold).mean() <= 0.96


def test_two_equal_cells_differ_significantly_in_5_percent_of_studies() -> None:
    _, losses = simulated(0.0)
    one, two = losses[:, 0].mean(axis=1), losses[:, 1].mean(axis=1)
    half_width = pooled(losses) * t.ppf(0.975, DEGREES) * math.sqrt(2 / SEEDS)
    most = binom.ppf(0.999, STUDIES, 0.05)  # 5 % of 2,000 studies, and what chance adds to them
    assert (np.abs(one - two) > half_width).sum() <= most
    assert (np.abs(one - two) > 0.8 * half_width).sum() > most


def test_contrasts_that_are_chosen_afterwards_hold_in_95_percent_of_studies() -> None:
    """The largest contrast of four cells with the other eight is always one of the four highest with the others."""
    _, losses = simulated(0.0)
    ordered, sd = np.sort(losses.mean(axis=2), axis=1), pooled(losses)
    difference = ordered[:, 8:].mean(axis=1) - ordered[:, :8].mean(axis=1)
    unit = compare(named(losses[0]))
    keys = list(unit.means)
    half_width = sd * unit.contrast(keys[:8], keys[8:])[1] / unit.pooled_sd
    assert (difference <= half_width).mean() >= 0.95
    planned = sd * t.ppf(0.975, DEGREES) * math.sqrt((1 / 8 + 1 / 4) / SEEDS)
    assert (difference <= planned).mean() < 0.3


def test_the_test_of_equal_variances_is_right_with_three_runs_where_levenes_is_not() -> None:
    _, losses = simulated(0.0)
    cells = np.moveaxis(losses, 1, 0)
    wild = np.concatenate([8 * cells[:1], cells[1:]])
    assert (bartlett(*cells, axis=1).pvalue < 0.05).mean() <= 0.06
    assert (bartlett(*wild, axis=1).pvalue < 0.05).mean() > 0.8
    assert (levene(*cells, axis=1, center="mean").pvalue < 0.05).mean() > 0.2
    assert (levene(*wild, axis=1, center="median").pvalue < 0.05).mean() < 0.3


def test_a_comparison_says_what_the_simulation_tests() -> None:
    for table in simulated(0.02, studies=5, seed=2)[1]:
        found = compare(named(table))
        means, sd = table.mean(axis=1), float(pooled(table[None])[0])
        assert list(found.means.values()) == pytest.approx(means)
        assert found.pooled_sd == pytest.approx(sd)
        assert found.all_pairs == pytest.approx(sd * least_difference(1.0, SEEDS, CELLS))
        assert found.one_pair == pytest.approx(sd * t.ppf(0.975, DEGREES) * math.sqrt(2 / SEEDS))
        threshold = sd * critical_value(CELLS - 1, DEGREES) * math.sqrt(2 / SEEDS)
        assert found.may_be_best == {f"cell {n}" for n in range(CELLS) if means[n] - means.min() <= threshold}
        assert sum(found.p_best.values()) == pytest.approx(1.0)
        for number in range(CELLS):
            better = sum(other < means[number] - found.all_pairs for other in means)
            worse = sum(other > means[number] + found.all_pairs for other in means)
            assert found.ranks[f"cell {number}"] == (1 + better, CELLS - worse)


# Against scipy.


def test_the_critical_value_is_the_quantile_of_scipys_multivariate_t() -> None:
    for rivals, degrees in ((1, 2), (3, 8), (5, 6), (11, 24)):
        found = critical_value(rivals, degrees)
        shape = np.full((rivals, rivals), 0.5) + 0.5 * np.eye(rivals)
        edge = np.full(rivals, found)
        judge = multivariate_t(shape=shape, df=degrees).cdf(edge, lower_limit=-edge, maxpts=300_000, random_state=0)
        assert judge == pytest.approx(0.95, abs=3e-4)


def test_two_cells_are_compared_as_by_students_t() -> None:
    table = simulated(0.01, studies=1, seed=3)[1][0][:2]
    found = compare(named(table))
    judge = ttest_ind(*table).confidence_interval()
    assert found.all_pairs == pytest.approx((judge.high - judge.low) / 2)
    assert found.one_pair == pytest.approx(found.all_pairs)
    quantile = t.ppf(0.975, found.degrees_of_freedom)
    assert critical_value(1, found.degrees_of_freedom) == pytest.approx(quantile, rel=1e-4)
    difference = float(np.diff(table.mean(axis=1))[0])
    exact = t.cdf(difference / (found.pooled_sd * math.sqrt(2 / SEEDS)), found.degrees_of_freedom)
    assert found.p_best["cell 0"] == pytest.approx(exact, abs=0.01)


def test_all_pairs_are_those_of_scipys_tukey() -> None:
    table = simulated(0.03, studies=1, seed=4)[1][0][:4]
    judge, found = tukey_hsd(*table), compare(named(table))
    assert found.all_pairs == pytest.approx((judge.confidence_interval().high - judge.statistic)[0, 1], rel=1e-5)
    significant = np.abs(judge.statistic) > found.all_pairs
    assert significant.any()
    assert (significant == (judge.pvalue < 0.05)).all()


def test_cells_that_may_be_best_are_those_that_scipys_dunnett_does_not_reject() -> None:
    losses = pilot_losses()
    found = compare(losses)
    best = min(found.means, key=found.means.__getitem__)
    others = [key for key in losses if key != best]
    judge = dunnett(*(losses[key] for key in others), control=losses[best], random_state=np.random.default_rng(0))
    assert found.may_be_best == {best, *(key for key, p in zip(others, judge.pvalue, strict=True) if p > 0.05)}


def test_a_contrast_of_all_cells_is_significant_where_the_f_test_is() -> None:
    """Scheffé's intervals and the F test agree: the largest of all contrasts is that of the means themselves."""
    table = simulated(0.004, studies=1, seed=5)[1][0][:2]
    found = compare(named(table))
    difference, half_width = found.contrast(["cell 0"], ["cell 1"])
    assert half_width == pytest.approx(found.all_pairs)
    assert (abs(difference) > half_width) == (f_oneway(*table).pvalue < 0.05)


# On the pilot grid. Its figures are in nats per token.


def test_the_pilot_grid_has_six_cells_that_may_be_best_of_twelve() -> None:
    found = compare(pilot_losses())
    assert len(found.means) == 12
    assert found.may_be_best == {"0.35 · 2.66", "0.35 · 4", "0.45 · 2", "0.45 · 2.66", "0.45 · 3", "0.45 · 4"}
    assert (round(found.pooled_sd, 4), found.degrees_of_freedom) == (0.0256, 24)
    assert (round(found.one_pair, 3), round(found.all_pairs, 3)) == (0.043, 0.075)
    assert found.agreement == pytest.approx(0.78, abs=0.01)
    assert found.equal_variance_p is not None
    assert found.equal_variance_p > 0.05
    assert found.ranks["0.25 · 2"] == (9, 12)
    narrow = [key for key in found.means if key.startswith("0.25")]
    difference, half_width = found.contrast([key for key in found.means if key not in narrow], narrow)
    assert (round(difference, 3), round(half_width, 3)) == (0.232, 0.045)


def test_no_learning_rate_of_the_pilot_is_bracketed() -> None:
    searches = pilot_searches()
    assert len(searches) == 3
    for found in searches.values():
        assert not found.is_bracketed
        assert found.verdict == "not bracketed: the best learning rate, 0.001, is the lowest that was tried"


# Edges.


def test_runs_that_are_all_equal_have_no_variance() -> None:
    found = compare({"a": [2.0, 2.0], "b": [2.0, 2.0], "c": [2.5, 2.5]})
    assert (found.pooled_sd, found.all_pairs, found.equal_variance_p) == (0.0, 0.0, None)
    assert found.may_be_best == {"a", "b"}
    assert found.ranks == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}
    assert compare({"a": [2.0, 2.0], "b": [2.0, 2.0]}).agreement is None


def test_two_seeds_can_be_in_opposite_orders() -> None:
    assert compare({"a": [2.0, 2.1], "b": [2.2, 2.0]}).agreement == pytest.approx(-1.0)


def test_unequal_variances_are_noticed() -> None:
    steady, wild = [2.0, 2.001, 2.002, 1.999, 1.998], [1.5, 2.5, 2.0, 2.4, 1.6]
    p = compare({"steady": steady, "wild": wild}).equal_variance_p
    assert p is not None
    assert p < 0.05


def test_more_confidence_makes_wider_intervals() -> None:
    losses = pilot_losses()
    assert compare(losses, 0.99).all_pairs > compare(losses).all_pairs


def test_orders_of_one_thing_and_of_equal_things_have_no_tau() -> None:
    assert kendall([1.0], [2.0]) is None
    assert kendall([1.0, 1.0], [1.0, 2.0]) is None
    assert kendall([1.0, 2.0], [3.0, 9.0]) == 1.0


def refused(losses: dict[str, list[float]], match: str) -> None:
    with pytest.raises(FieldError, match=match):
        compare(losses)


def test_what_cannot_be_compared_is_refused() -> None:
    refused({"a": [2.0, 2.1]}, r"^cells=1 is not allowed: a comparison needs two cells at least; cells=2 would work$")
    rule = "all cells must have the same number of runs"
    refused({"a": [2.0, 2.1, 2.2], "b": [2.0, 2.1]}, rf"^seeds=3 is not allowed: {rule}; seeds=2 would work$")
    refused({"a": [2.0, 2.1, 2.2], "b": []}, rf"^seeds=3 is not allowed: {rule}$")
    rule = "error bars need two runs of each cell at least"
    refused({"a": [2.0], "b": [2.1]}, rf"^seeds=1 is not allowed: {rule}; seeds=2 would work$")
    rule = "only losses that are finite can be compared"
    refused({"a": [2.0, math.inf], "b": [2.1, 2.2]}, rf"^loss=inf is not allowed: {rule}$")
    refused({"a": [2.0, math.nan], "b": [2.1, 2.2]}, rf"^loss=nan is not allowed: {rule}$")


@pytest.mark.parametrize(("seeds", "cells", "name"), [(1, 12, "seeds"), (3, 1, "cells")])
def test_a_plan_without_error_bars_is_refused(seeds: int, cells: int, name: str) -> None:
    with pytest.raises(FieldError, match=rf"^{name}=1 is not allowed: a comparison needs two at least; {name}=2 would"):
        least_difference(0.01, seeds, cells)


def test_more_seeds_show_smaller_differences() -> None:
    found = [least_difference(0.01, seeds, 12) for seeds in range(2, 8)]
    assert found == sorted(found, reverse=True)


def test_a_comparison_shows_no_losses_in_its_text() -> None:
    assert "losses" not in repr(compare({"a": [2.0, 2.1], "b": [2.2, 2.0]}))
    assert Comparison.__doc__
