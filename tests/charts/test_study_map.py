"""The map of a study: its tiles, marks and words."""

from dataclasses import replace

import altair as alt
import pytest

from slimlm.charts.study_map import describe_study_map, study_map
from slimlm.charts.study_text import decimals_of, first_clause, interval, lowest_of
from tests.charts.study_examples import ranking, study
from tests.figures import assert_well_set, rows_of, svg_of, texts_of, words_of

EXAMPLES = ("grid", "beside", "hostile")


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("width", [480, 720, 1400])
def test_no_text_is_clipped_or_covers_another(name: str, width: int) -> None:
    assert_well_set(svg_of(study_map(study(name), ranking(name)), width=width))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_map_is_what_the_schema_allows(name: str) -> None:
    alt.LayerChart.from_dict(study_map(study(name), ranking(name)).to_dict())


def test_every_ranked_tile_shows_mean_interval_difference_and_shape() -> None:
    found = ranking("grid")
    texts = [text.words for text in texts_of(svg_of(study_map(study("grid"), found)))]
    lowest = lowest_of(found)
    assert lowest
    for cell in found.cells:
        assert f"{cell.n_layers} × {cell.d_model}" in texts
        if cell.mean is not None:
            assert interval(cell, decimals_of(found)) in texts
            assert ("lowest mean" if cell is lowest else f"+{cell.mean - lowest.mean:.4f}") in texts  # type: ignore[operator]


def test_a_cell_that_is_not_ranked_gives_its_reason_and_has_no_shade() -> None:
    rows = rows_of(study_map(study("grid"), ranking("grid")))
    without = {row["i"]: " ".join(row["why"]) for row in rows if row["u"] is None}
    assert without == {9: "running", 10: "1 of 3 runs diverged", 11: "LR not bracketed"}
    assert rows[11]["tip"]["Not ranked"] == "learning rate not bracketed"
    assert not any(row["best"] for row in rows if row["u"] is None)


def test_the_stars_are_the_cells_that_may_be_best() -> None:
    chart, found = study_map(study("grid"), ranking("grid")), ranking("grid")
    starred = {row["i"] for row in rows_of(chart, group=3)}
    assert starred == {place for place, cell in enumerate(found.cells) if cell.may_be_best}
    assert f"star: may be best ({len(starred)})" in words_of(chart)


def test_differences_below_the_error_have_nearly_one_shade() -> None:
    found = ranking("beside")
    rows = rows_of(study_map(study("beside"), replace(found, least_difference=1.0)))
    assert max(row["u"] for row in rows) < 0.05
    assert max(row["u"] for row in rows_of(study_map(study("beside"), found))) == 1.0


def test_models_beside_the_grid_have_a_row_of_their_own_with_their_names() -> None:
    rows = rows_of(study_map(study("beside"), ranking("beside")))
    assert [(row["name"], row["r"] < -1) for row in rows[-2:]] == [("SmolLM2 shape", True), ("Pythia shape", True)]
    assert rows[-1]["tip"]["Model"] == "Pythia shape"


def test_the_heading_says_the_verdict_and_the_setting() -> None:
    said = words_of(study_map(study("grid"), ranking("grid")))
    assert said.startswith("0.35 and 0.45 may be best Held-out loss in bits per byte, mean ± half-width")
    assert "lower is better" in said
    assert "10M parameters · vocabulary 16,384 · 11.99M training tokens · standard-ebooks · 3 seeds" in said
    assert "96 runs done · 1 of them diverged · 2 known to be missing" in said


def test_the_description_names_the_ends() -> None:
    words = describe_study_map(study("beside"), ranking("beside"))
    assert "from 1.7434 ± 0.0086 of 0.45 · 2 to 1.7865 ± 0.0086 of 0.25 · 2." in words


def test_a_study_without_any_result_has_a_map() -> None:
    found = ranking("beside")
    cells = tuple(replace(cell, mean=None, reason="running", may_be_best=False) for cell in found.cells)
    chart = study_map(study("beside"), replace(found, cells=cells, verdict="", least_difference=None))
    assert words_of(chart).startswith("No verdict yet")
    assert_well_set(svg_of(chart))
    assert "no cell is ranked yet" in chart.to_dict()["description"]


def test_hostile_names_stay_text() -> None:
    svg = svg_of(study_map(study("hostile"), ranking("hostile")))
    assert "<img" not in svg and "&lt;img" in svg


@pytest.mark.parametrize(
    ("verdict", "clause"),
    [
        ("A; b.", "A"),
        ("0.35 is best: 0.1 better.", "0.35 is best"),
        ("One sentence only.", "One sentence only"),
        ("", "No verdict yet"),
    ],
)
def test_the_title_is_the_first_clause(verdict: str, clause: str) -> None:
    assert first_clause(verdict) == clause
