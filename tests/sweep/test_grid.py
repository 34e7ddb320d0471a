"""Grids of designs: every cell is what the solver finds, or says why there is no design."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.architecture import Architecture
from slimlm.core.config import FREE_FIELDS, ModelConfig
from slimlm.serialization.fields import Value
from slimlm.solver.solver import BudgetError, solve
from slimlm.sweep import METRICS, parse_values, sweep
from tests.grids import EXPANSIONS, RATIOS, SMALL, impossible, specified, specified_with
from tests.strategies import any_requests, anything_allowed, structured_requests


def test_every_cell_is_what_the_solver_finds_column_by_column_and_row_by_row() -> None:
    found = specified()
    assert [(cell.x, cell.y) for cell in found.cells] == [(x, y) for y in EXPANSIONS for x in RATIOS]
    for cell in found.cells:
        assert cell.config == ModelConfig(embedding_ratio=cell.x, glu_expansion=cell.y)  # type: ignore[arg-type]
        assert cell.design == solve(cell.config)
        assert cell.reason == cell.short_reason == ""
    assert found[1, 2] is found.cells[7]
    assert found.designs == tuple(cell.design for cell in found.cells)


def test_any_two_knobs_vary_the_rest_stays() -> None:
    base = ModelConfig(total_params=20_000_000, n_kv_heads=2, positions="rope")
    found = sweep(base, ("norm", ("layernorm", "rmsnorm")), ("n_heads", ("auto", 4, 8)))
    asked = [replace(base, norm=norm, n_heads=heads) for heads in ("auto", 4, 8) for norm in ("layernorm", "rmsnorm")]
    assert [cell.config for cell in found.cells] == asked
    assert found.without_design == 0


@given(any_requests(), st.sampled_from(sorted(FREE_FIELDS)), st.data())
def test_any_value_of_a_free_field_leaves_a_request_valid(base: ModelConfig, name: str, data: st.DataObject) -> None:
    value = data.draw(anything_allowed(ModelConfig, name))
    [cell] = sweep(base, (name, (value,)), (_other(name), (getattr(base, _other(name)),))).cells
    assert cell.config == replace(base, **{name: value})
    assert [*vars(cell.config)] == [*vars(base)], "files list the fields in this order"


def _other(name: str) -> str:
    return next(other for other in ("glu_expansion", "vocab_size") if other != name)


def test_a_cell_without_a_model_says_what_clashes_and_what_would_work() -> None:
    found = impossible()
    assert [cell.design is None for cell in found.cells] == [False, False, True, False, True, False]
    cell = found[0, 2]
    with pytest.raises(BudgetError) as refused:
        solve(ModelConfig(total_params=1_000_000, vocab_size=262_144))
    assert cell.reason == found.reasons[4] == str(refused.value)
    assert cell.short_reason == ("total_params=1M is out of reach: the smallest such model has 2,101,576 parameters")


def test_a_cell_whose_choices_exclude_each_other_says_so() -> None:
    found = sweep(ModelConfig(), ("n_kv_heads", (2, 3)), ("n_heads", (8,)))
    assert found[0, 0].design
    cell = found[1, 0]
    assert (cell.config, cell.design) == (None, None)
    assert cell.reason == cell.short_reason == found.reasons[1]
    assert cell.reason.startswith("n_kv_heads=3 is not allowed: it must divide n_heads=8")


def test_a_total_between_two_depths_is_out_of_reach_for_another_reason() -> None:
    found = sweep(ModelConfig(multiple_of=1024), ("total_params", (60_000_000,)), ("n_layers", (2,)))
    assert found[0, 0].short_reason == "total_params=60M is out of reach: no such model lies within 0.5 % of it"
    assert "the nearest such totals are" in found[0, 0].reason


def test_thousands_of_cells_without_a_model_are_explained_in_short() -> None:
    totals = parse_values("total_params", "10k..200k x 300")
    found = sweep(ModelConfig(vocab_size=100_000), ("total_params", totals), ("n_layers", (None,)))
    assert found.without_design == 300
    assert found.reasons == tuple(cell.short_reason for cell in found.cells)


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (("ratio", (0.3,)), ("n_layers", (9,)), r"^'ratio' is not a knob: it must be one of total_params,"),
        (("n_layers", (9,)), ("n_layers", (8,)), r"^x and y are both n_layers: two different knobs would work$"),
        (("n_layers", ()), ("n_heads", (8,)), r"^x=n_layers has no values: at least one would work$"),
        (("n_layers", (9,)), ("n_heads", (8, 8)), r"^y=n_heads has the value 8 twice: each once would work$"),
        (
            ("n_layers", tuple(range(1, 1002))),
            ("vocab_size", tuple(range(2, 102))),
            r"^1,001 values of n_layers and 100 of vocab_size make 100,100 cells: it must be at most 100,000; fewer",
        ),
    ],
)
def test_a_grid_that_cannot_be_is_refused(
    x: tuple[str, tuple[Value, ...]], y: tuple[str, tuple[Value, ...]], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        sweep(ModelConfig(), x, y)


def test_progress_is_told_and_what_it_raises_ends_the_sweep() -> None:
    told: list[tuple[int, int]] = []
    ratios = parse_values("embedding_ratio", "0.1..0.9 x 250")
    sweep(SMALL, ("embedding_ratio", ratios), ("glu_expansion", (2.0, 3.0)), lambda *step: told.append(step))
    assert told == [(200, 500), (400, 500), (500, 500)]

    def stop(done: int, count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        specified_with(stop)
    assert specified_with(None).cells == specified_with(lambda *step: None).cells


@pytest.mark.parametrize("names", [("vocab_size", "total_params"), ("total_params", "vocab_size"), ("norm", "n_heads")])
def test_cells_stand_in_rows_in_whatever_order_they_are_solved(names: tuple[str, str]) -> None:
    values: dict[str, tuple[Value, ...]] = {
        "vocab_size": (256, 1000, 4000),
        "total_params": (2_000_000, 3_000_000),
        "norm": ("layernorm", "rmsnorm"),
        "n_heads": (2, "auto", 7),
    }
    x, y = ((name, values[name]) for name in names)
    told: list[tuple[int, int]] = []
    found = sweep(ModelConfig(), x, y, lambda *step: told.append(step))
    for cell, (up, across) in zip(found.cells, product(y[1], x[1]), strict=True):
        assert (cell.x, cell.y) == (across, up)
        assert cell.config == replace(ModelConfig(), **{x[0]: across, y[0]: up})  # type: ignore[arg-type]
        assert cell.design == solve(cell.config)
    assert told == [(6, 6)]


_OPEN = ("total_params", "vocab_size", "embedding_ratio", "glu_expansion", "n_layers", "multiple_of", "tied_lm_head")


@given(structured_requests(300_000, 30_000_000), structured_requests(300_000, 30_000_000), st.permutations(_OPEN))
@settings(max_examples=40)
def test_every_cell_of_any_grid_is_what_the_solver_finds(
    base: ModelConfig, other: ModelConfig, names: list[str]
) -> None:
    x, y = ((name, tuple({getattr(base, name), getattr(other, name)})) for name in names[:2])
    for cell in sweep(base, x, y).cells:
        asked = replace(base, **{x[0]: cell.x, y[0]: cell.y})  # type: ignore[arg-type]
        assert cell.config == asked
        try:
            assert cell.design == solve(asked)
            arch = cell.design.architecture
            assert Architecture(**vars(arch)) == arch  # it satisfies every rule, which the solver does not check again
        except BudgetError as error:
            assert (cell.design, cell.reason) == (None, str(error))


def test_a_place_with_less_room_says_where_there_is_more() -> None:
    sentence = (
        "^3 values of n_layers and 2 of n_heads make 6 cells: it must be at most 5 here, and at most 100,000 in Python "
        "and on the command line; fewer values would work$"
    )
    with pytest.raises(ValueError, match=sentence):
        sweep(ModelConfig(), ("n_layers", (1, 2, 3)), ("n_heads", (4, 8)), most=5)


def test_metrics_are_computed_in_one_pass_that_can_be_cancelled() -> None:
    found, told = sweep(SMALL, ("embedding_ratio", RATIOS), ("n_layers", (None, 2, 10**6))), list[tuple[int, int]]()
    some = [METRICS["forward_flops_per_token"], METRICS["worst_miss"], METRICS["peak_bytes"]]

    def stop(done: int, count: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        found.prepare(some, stop)
    found.prepare(some, lambda *step: told.append(step))
    assert told == [(9, 9)]
    for metric in some[:2]:
        expected = [metric.value(cell.design, {}) if cell.design else None for cell in found.cells]
        assert found.figures(metric) == tuple(expected)
    assert found.misses[0] == tuple(knob.miss for knob in found.design_of(0).targets)
    assert (found.misses[6], found.oddities[6]) == (None, "")
    found.prepare(some, stop)  # all is known


def test_progress_of_a_large_grid_grows_to_the_end() -> None:
    told: list[float] = []
    totals = parse_values("total_params", "300k..400k x 60 (log)")
    found = sweep(SMALL, ("total_params", totals), ("glu_expansion", tuple(1 + place / 10 for place in range(40))))
    found.prepare([METRICS["n_layers"]], lambda done, count: told.append(done / count))
    assert told == sorted(told) and told[-1] == 1 and len(told) > 2


def test_the_cell_in_use_has_the_base_s_own_values() -> None:
    assert specified().in_use == 4
    assert specified(ModelConfig(embedding_ratio=0.3)).in_use is None
