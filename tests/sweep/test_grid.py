"""Grids of designs: every cell is what the solver finds, or says why there is nothing."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from slimlm.core.config import ModelConfig
from slimlm.probing.probe import ProbeReport, probe
from slimlm.serialization.fields import Value
from slimlm.solver.solver import BudgetError, solve
from slimlm.sweep import METRICS, Sweep, metric_of, parse_values, sweep, sweep_csv
from slimlm.sweep.describe import fixed_line, knob_name, pair_label, ratio_reading, spans_line
from slimlm.sweep.metrics import Reports

RATIOS, EXPANSIONS = (0.25, 0.35, 0.45), (2.0, 2.66, 3.0, 4.0)
SMALL = ModelConfig(total_params=300_000, vocab_size=500, max_seq_length=32, n_heads=4)


def specified(base: ModelConfig | None = None) -> Sweep:
    return sweep(base or ModelConfig(), ("embedding_ratio", RATIOS), ("glu_expansion", EXPANSIONS))


def impossible() -> Sweep:
    return sweep(ModelConfig(), ("total_params", (1_000_000, 10_000_000)), ("vocab_size", (16_000, 128_256, 262_144)))


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
        (("ratio", (0.3,)), ("n_layers", (9,)), r"^'ratio' is no knob: it must be one of total_params,"),
        (("n_layers", (9,)), ("n_layers", (8,)), r"^x and y are both n_layers: two different knobs would work$"),
        (("n_layers", ()), ("n_heads", (8,)), r"^x=n_layers has no values: at least one would work$"),
        (("n_layers", (9,)), ("n_heads", (8, 8)), r"^y=n_heads has the value 8 twice: each once would work$"),
        (
            ("n_layers", tuple(range(1, 202))),
            ("vocab_size", tuple(range(2, 52))),
            r"^201 values of n_layers and 50 of vocab_size make 10,050 cells: it must be at most 10,000; fewer",
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


def specified_with(progress: Any) -> Sweep:
    return sweep(SMALL, ("embedding_ratio", RATIOS), ("glu_expansion", EXPANSIONS), progress)


def test_the_cell_in_use_has_the_base_s_own_values() -> None:
    assert specified().in_use == 4
    assert specified(ModelConfig(embedding_ratio=0.3)).in_use is None


def test_figures_are_those_of_the_designs() -> None:
    found = specified()
    one = found.cells[4].design
    assert one
    figures = {key: found.figures(metric)[4] for key, metric in METRICS.items()}
    assert (figures["n_layers"], figures["d_model"], figures["d_ff"]) == (12, 216, 544)
    assert figures["aspect_ratio"] == 18
    assert figures["total_params"] == 10_047_024
    assert figures["worst_miss"] == pytest.approx(1 - 544 / 216 / 2.66)
    # 2 for each weight of a product, and 4 · layers · width · tokens for attention's square.
    weights = 12 * (4 * 216**2 + 3 * 216 * 544) + 16_000 * 216
    assert figures["forward_flops_per_token"] == 2 * weights + 4 * 12 * 216 * 512
    assert figures["kv_cache_bytes_per_token"] == 2 * 2 * 12 * 216
    assert figures["weights_bf16_bytes"] == 2 * 10_047_024
    training = figures["training_memory_bytes"]
    assert training and training > 16 * 10_047_024
    assert figures["forward_seconds"] is figures["peak_bytes"] is None


@pytest.mark.parametrize("key", METRICS)
def test_every_figure_is_written_with_its_unit_and_says_which_way_is_better(key: str) -> None:
    metric = METRICS[key]
    found = specified()
    values = [metric.write(value) for value in found.figures(metric) if value is not None]
    assert metric.measured or len(values) == 12
    assert len(set(values)) > 1 or metric.measured or key == "weights_bf16_bytes"
    assert metric.better in ("less", "more", None)
    assert metric_of(key) is metric


def test_an_unknown_figure_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^'beauty' is no figure: it must be one of n_layers, .*; n_layers would work$"
    ):
        metric_of("beauty")


def measured(found: Sweep) -> dict[Any, ProbeReport]:
    return {design.architecture: probe(design) for design in found.designs}


def test_measured_figures_come_from_reports_and_only_where_there_is_one() -> None:
    found = specified_with(None)
    first = found.designs[0].architecture
    reports: Reports = {first: probe(first)}
    seconds = found.figures(METRICS["forward_seconds"], reports)
    assert seconds[0] == reports[first].forward_seconds
    assert all(value is None for value in seconds[1:])
    assert found.figures(METRICS["forward_seconds"])[0] is None
    assert found.figures(METRICS["peak_bytes"], reports)[0] == reports[first].peak_bytes


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_table_holds_every_cell_and_every_figure() -> None:
    found = impossible()
    rows = rows_of(sweep_csv(found))
    assert len(rows) == 6
    for row, cell in zip(rows, found.cells, strict=True):
        assert (row["total_params_asked"], row["vocab_size_asked"]) == (str(cell.x), str(cell.y))
        assert row["reason"] == cell.reason
        if cell.design:
            arch = cell.design.architecture
            assert [int(row[name]) for name in ("d_model", "d_ff", "n_layers")] == list(cell.design.dims)
            assert int(row["total_params"]) == cell.design.total_params
            assert float(row["ratio_miss"]) == cell.design.targets[1].miss
            assert float(row["aspect_ratio"]) == arch.d_model / arch.n_layers
            assert row["forward_seconds"] == ""
        else:
            assert {row[name] for name in row if not name.endswith(("_asked", "reason"))} == {""}
    assert METRICS.keys() <= rows[0].keys()


def test_the_table_takes_figures_by_choice_and_measured_ones() -> None:
    found = sweep(SMALL, ("tied_lm_head", (True, False)), ("n_layers", (None, 2)))
    reports = measured(found)
    rows = rows_of(sweep_csv(found, reports, ["forward_seconds"]))
    assert "worst_miss" not in rows[0]
    assert [(row["tied_lm_head_asked"], row["n_layers_asked"]) for row in rows] == [
        ("true", "none"),
        ("false", "none"),
        ("true", "2"),
        ("false", "2"),
    ]
    assert [float(row["forward_seconds"]) for row in rows] == [
        reports[design.architecture].forward_seconds for design in found.designs
    ]
    with pytest.raises(ValueError, match=r"^'beauty' is no figure"):
        sweep_csv(found, {}, ["beauty"])


def test_a_sweep_of_the_ratio_is_said_to_vary_width_and_depth() -> None:
    found = specified()
    widths = [[cell.design.architecture.d_model for cell in found.cells if cell.design and cell.x == x] for x in RATIOS]
    # For a fixed total and vocabulary the ratio is the width, up to its grain of 8 heads.
    for ratio, across in zip(RATIOS, widths, strict=True):
        assert all(abs(width - ratio * 10_000_000 / 16_000) <= 16 for width in across)
    assert ratio_reading(found) == (
        "At a fixed total and vocabulary the embedding ratio fixes the width, so this is a sweep of depth against "
        "width too: from 0.25 to 0.45 d_model goes from 160 to 272–288 and the layers from 18–29 to 4–7."
    )
    turned = sweep(ModelConfig(), ("glu_expansion", EXPANSIONS), ("embedding_ratio", RATIOS))
    assert ratio_reading(turned) == ratio_reading(found)


def test_other_sweeps_are_not_said_to() -> None:
    assert ratio_reading(impossible()) == ""
    assert ratio_reading(sweep(ModelConfig(), ("embedding_ratio", (0.3,)), ("n_layers", (9, 12)))) == ""


@pytest.mark.parametrize(
    ("base", "x", "y", "line"),
    [
        (ModelConfig(), "embedding_ratio", "glu_expansion", "Target: 10M · vocabulary 16,000 · tied · 512 tokens"),
        (
            ModelConfig(norm="rmsnorm", n_layers=9, multiple_of=8),
            "total_params",
            "ffn",
            "Target: vocabulary 16,000 · embedding ratio 0.35 · GLU expansion 2.66 · tied · 512 tokens · RMSNorm · "
            "depth 9 · multiples of 8",
        ),
        (
            ModelConfig(positions="rope", n_heads="auto"),
            "tied_lm_head",
            "max_seq_length",
            "Target: 10M · vocabulary 16,000 · embedding ratio 0.35 · GLU expansion 2.66 · auto heads · RoPE",
        ),
        (
            ModelConfig(norm="rmsnorm", n_kv_heads=16, n_heads=32),
            "norm",
            "n_heads",
            "Target: 10M · vocabulary 16,000 · embedding ratio 0.35 · GLU expansion 2.66 · tied · 512 tokens · "
            "16 KV heads",
        ),
    ],
)
def test_what_all_designs_have_in_common_is_said_without_what_varies(
    base: ModelConfig, x: str, y: str, line: str
) -> None:
    found = sweep(base, (x, (getattr(base, x),)), (y, (getattr(base, y),)))
    assert fixed_line(found) == line


def test_dimensions_are_said_as_spans() -> None:
    assert spans_line(specified()) == "Actual: d_model 160–288 · d_ff 317–1,146 · 4–29 layers"
    alone = sweep(ModelConfig(), ("n_layers", (1,)), ("norm", ("layernorm",)))
    assert spans_line(alone).endswith("· 1 layer")
    nothing = sweep(ModelConfig(), ("total_params", (1_000,)), ("norm", ("layernorm",)))
    assert spans_line(nothing) == "Actual: no design"


def test_a_cell_is_named_by_its_values() -> None:
    found = sweep(ModelConfig(ffn="gelu"), ("n_layers", (None,)), ("glu_expansion", (2.66, 4.0)))
    assert pair_label(found, 1) == "open · 4"
    assert pair_label(found, 1, named=True) == "pinned depth (layers) open · FFN expansion 4"
    assert knob_name(found, found.y) == "FFN expansion"
