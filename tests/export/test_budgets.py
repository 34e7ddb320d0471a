"""Exports, sweeps, studies and the notebook widget speak in the unit of the budget, and show the other counts too."""

import json
from datetime import date
from xml.etree import ElementTree as ET

import pytest

from slimlm.charts.layer_profile import reading_line
from slimlm.cli.main import main
from slimlm.core.budget import counted_params
from slimlm.core.captions import request_line, result_line
from slimlm.core.config import ModelConfig
from slimlm.core.named_model import FROM_CONFIG, NamedModel
from slimlm.explorer.explorer import Explorer
from slimlm.export.card import design_card
from slimlm.export.report_markdown import markdown
from slimlm.export.report_rows import dimension_rows, figure_rows, request_rows, target_rows
from slimlm.notes.shape import alignment
from slimlm.solver.held_heads import nearest_with_head_dim
from slimlm.solver.scaling import scaled
from slimlm.solver.solver import solve
from slimlm.study.request import request_from_record
from slimlm.sweep.csv import sweep_csv
from slimlm.sweep.describe import fixed_line, knob_name
from slimlm.sweep.grid import sweep
from tests.strategies import accepted
from tests.studies import fake_request

BYTES = ModelConfig(total_params=16_000_000, budget="bytes", budget_precision="int4")
OTHERS = ModelConfig(total_params=6_500_000, budget="non_embedding")
LOOPED = ModelConfig(n_loops=2)


def test_a_report_has_the_budget_and_the_other_counts() -> None:
    design = solve(BYTES)
    amount = -(-design.total_params // 2)
    assert target_rows(design)[0][:3] == ("Weights in int4", "16,000,000 bytes", f"{amount:,} bytes")
    counts = {row[0]: row[1] for row in dimension_rows(design)[:2]}
    assert counts == {
        "Total parameters": f"{design.total_params:,}",
        "Non-embedding parameters": f"{design.account.non_embedding_params:,}",
    }
    assert dimension_rows(solve(ModelConfig()))[0] == ("Non-embedding parameters", "6,591,024")
    assert dimension_rows(solve(OTHERS))[0][0] == "Total parameters"
    named = NamedModel("one", design.architecture, FROM_CONFIG)
    assert figure_rows(named)[1] == ("Non-embedding parameters", f"{design.account.non_embedding_params:,}")
    assert "Weights in int4" in markdown(design)


def test_a_report_lists_new_fields_where_they_are_used() -> None:
    assert not {"budget", "budget_precision", "n_loops"} & {row[0] for row in request_rows(solve(ModelConfig()))}
    assert {row[0]: row[1] for row in request_rows(solve(BYTES))}["budget"] == "'bytes'"
    assert ("n_loops", "2") in dimension_rows(solve(LOOPED))


def test_captions_name_what_is_counted() -> None:
    assert request_line(BYTES).startswith("Target: 16 MB in int4 · vocabulary 16,000")
    assert result_line(solve(BYTES)).startswith("Actual: 15.9 MB in int4 (")
    assert request_line(OTHERS).startswith("Target: 6.5M non-embedding · ")
    assert result_line(solve(OTHERS)).startswith("Actual: 6.472M non-embedding (")
    assert "layers used twice" in request_line(LOOPED)


def test_a_card_shows_the_budget() -> None:
    for config, wanted in ((BYTES, "15.9 MB"), (OTHERS, f"{solve(OTHERS).account.non_embedding_params:,}")):
        svg = design_card(solve(config), format="svg", on=date(2026, 3, 1))
        words = ["".join(text.itertext()) for text in ET.fromstring(svg).findall("{*}text")]
        assert wanted in words
        assert any(f"{solve(config).account.non_embedding_params:,} are outside them." in text for text in words)


def test_a_sweep_of_a_budget() -> None:
    found = sweep(OTHERS, ("total_params", (5_000_000, 6_500_000)), ("embedding_ratio", (0.3, 0.4)))
    assert knob_name(found, found.x) == "Non-embedding"
    for cell in found.cells:
        assert cell.design is not None
        assert cell.design.account.non_embedding_params == pytest.approx(cell.x, rel=0.005)
    assert "non_embedding_params" in sweep_csv(found).splitlines()[0]
    tiny = sweep(BYTES, ("vocab_size", (100_000_000,)), ("embedding_ratio", (0.3,)))
    assert fixed_line(tiny).startswith("Target: 16 MB in int4")
    assert tiny[0, 0].short_reason.startswith(
        "total_params=16 MB in int4 is out of reach: the smallest such model has 400,0"
    )
    assert tiny[0, 0].short_reason.endswith(" bytes in int4")


def test_a_sweep_on_the_command_line_has_the_budget(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "16MB", "--budget", "bytes", "--x", "embedding_ratio=0.3", "--y", "glu_expansion=2,3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_study_keeps_the_budget_of_its_base() -> None:
    request = fake_request(base=ModelConfig(total_params=1_000_000, vocab_size=4096, budget="non_embedding", n_loops=2))
    record = json.loads(json.dumps(request.to_record()))
    assert (record["base"]["budget"], record["base"]["n_loops"]) == ("non_embedding", 2)
    assert request_from_record(record).base == request.base
    assert not {"budget", "budget_precision", "n_loops"} & fake_request().to_record()["base"].keys()


def test_a_looped_model_is_scaled_with_its_loops() -> None:
    small = scaled(solve(ModelConfig(total_params=100_000_000, n_loops=3, n_heads=12)).architecture, 20_000_000)
    assert small.architecture.n_loops == 3


def test_the_notebooks_slider_has_the_unit_of_the_budget() -> None:
    explorer = Explorer(OTHERS)
    slider = explorer._sliders["total_params"]
    assert (slider.description, slider.label) == ("Non-embedding", "6.5M")
    explorer.ask(total_params=16_000_000, budget="bytes")
    assert (slider.description, slider.label) == ("Weights in int8", "16 MB")
    assert 15_920_000 <= explorer.design.total_params <= 16_080_000


def test_alignment_steps_where_the_budget_leaves_the_vocabulary_out() -> None:
    note = alignment(solve(OTHERS))
    assert note is not None
    step = 8 * 16_000 / (6_500_000 + 8 * 16_000)
    assert f"in steps of {100 * step:.2g} percentage points" in note.text


def test_pictures_say_how_often_layers_are_used() -> None:
    design = solve(LOOPED)
    assert reading_line(design).endswith(" · the blocks are used twice")
    assert design.title == "10.05M parameters · 12 layers, used twice · d_model 216 · d_ff 544 · 8 heads"
    assert "used" not in reading_line(solve(ModelConfig()))


def test_held_heads_meet_the_budget() -> None:
    for config in (BYTES, OTHERS):
        design = nearest_with_head_dim(config, 32)
        assert design is not None
        assert design.architecture.head_width == 32
        low, high = accepted(config)
        assert low <= counted_params(design.account, config.budget) <= high
