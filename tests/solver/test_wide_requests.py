"""Requests over every field, out to the widest limits: what is found satisfies every rule, what is suggested is met."""

from slimlm.core.architecture import Architecture
from slimlm.core.budget import count_params, window
from slimlm.solver.solver import BudgetError, solve
from tests.bench.wide_requests import wide_requests


def test_designs_satisfy_every_rule_and_suggestions_are_met() -> None:
    met, suggested = 0, 0
    for config in wide_requests(250, seed=1):
        try:
            arch = solve(config).architecture
        except BudgetError as error:
            suggested += bool(error.suggestions)
            assert all(solve(suggestion.config) for suggestion in error.suggestions)
        else:
            met += 1
            assert Architecture(**vars(arch)) == arch
            low, high = window(config)
            assert low <= count_params(arch, config.budget) <= high
    assert min(met, suggested) > 50
