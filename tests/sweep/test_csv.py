"""Sweeps as CSV."""

import csv
import io

import pytest

from slimlm.core.config import ModelConfig
from slimlm.notes.plausibility import oddities
from slimlm.sweep import METRICS, evaluation, sweep, sweep_csv
from tests.grids import (
    SMALL,
    impossible,
    measured,
)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_table_holds_every_cell_and_every_figure() -> None:
    found = impossible()
    rows = rows_of(sweep_csv(found))
    odd = [cell for cell in found.cells if cell.design and oddities(cell.design.account)]
    assert (len(rows), len(odd)) == (6, 3)
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
        assert row["oddity"] == (oddities(cell.design.account)[0].text if cell.design and cell in odd else "")
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
    assert all(float(row["forward_seconds_q1"]) <= float(row["forward_seconds_q3"]) for row in rows)
    assert {row["forward_seconds_run"] for row in rows} == {"0"}
    with pytest.raises(ValueError, match=r"^'beauty' is not a metric"):
        sweep_csv(found, {}, ["beauty"])


def test_a_figure_of_the_dimensions_is_computed_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    found = sweep(ModelConfig(), ("embedding_ratio", (0.25, 0.35)), ("glu_expansion", (2.0, 2.66)))
    sweep_csv(found, metrics=["n_layers"])
    monkeypatch.setattr(evaluation, "_models", None)  # another pass over all models would fail
    assert found.figures(METRICS["n_layers"]) == tuple(design.architecture.n_layers for design in found.designs)
