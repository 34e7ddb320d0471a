"""Charts of a study besides its map: learning rates, curves, trade-offs and controls."""

from collections.abc import Callable
from dataclasses import replace

import altair as alt
import pytest

from slimlm.charts.study_controls import study_controls
from slimlm.charts.study_curves import study_curves
from slimlm.charts.study_parabolas import study_parabolas
from slimlm.charts.study_text import operations, order_of
from slimlm.charts.study_tradeoffs import study_tradeoffs
from slimlm.charts.theme import Figure
from slimlm.ranking.shipped import shipped_studies
from slimlm.study.schedule import Schedule
from tests.charts.study_examples import outcomes, ranking, study
from tests.figures import assert_well_set, rows_of, svg_of, texts_of, words_of


def schedule(name: str) -> Schedule:
    return Schedule(study(name), outcomes(name))


CHARTS: dict[str, Callable[[str], Figure]] = {
    "parabolas": lambda name: study_parabolas(study(name), schedule(name), ranking(name)),
    "curves": lambda name: study_curves(study(name), outcomes(name), ranking(name)),
    "layers": lambda name: study_tradeoffs(ranking(name), "n_layers"),
    "flops": lambda name: study_tradeoffs(ranking(name), "flops"),
    "seconds": lambda name: study_tradeoffs(ranking(name), "seconds"),
    "controls": lambda name: study_controls(ranking(name), schedule(name)),
    "controls alone": lambda name: study_controls(ranking(name)),
}
every_chart = pytest.mark.parametrize("kind", CHARTS)


@every_chart
@pytest.mark.parametrize("name", ["grid", "beside", "hostile"])
def test_no_text_is_clipped_or_covers_another(kind: str, name: str) -> None:
    for width in (720, 1400):
        assert_well_set(svg_of(CHARTS[kind](name), width=width))


@every_chart
def test_charts_are_what_the_schema_allows(kind: str) -> None:
    alt.LayerChart.from_dict(CHARTS[kind]("grid").to_dict())


@every_chart
def test_hostile_names_stay_text(kind: str) -> None:
    assert "<img" not in svg_of(CHARTS[kind]("hostile"))


def test_panels_show_searched_and_interpolated_rates() -> None:
    chart, found = CHARTS["parabolas"]("grid"), schedule("grid")
    words = [row["words"] for row in rows_of(chart)]
    for cell, said in zip(study("grid").cells, words, strict=True):
        rate = found.rates[cell.key]
        assert said == f"{rate.rate:.3g}{' (law)' if rate.origin == 'interpolated' else ''}"
    assert any("(law)" in said for said in words)


def test_a_rate_that_is_not_bracketed_and_one_that_is_searched_say_so() -> None:
    low = {
        key: replace(outcome, loss=outcome.tokens / outcome.flops * 1e9 + number)
        for number, (key, outcome) in enumerate(outcomes("beside").items())
    }
    some = dict(list(low.items())[:2])
    chart = study_parabolas(study("beside"), Schedule(study("beside"), some), ranking("beside"))
    assert {row["words"].partition(":")[0] for row in rows_of(chart)} == {"searching", "not searched yet"}
    assert words_of(chart).startswith("The learning rates are being searched")


def test_curves_end_at_the_means_and_name_the_ends() -> None:
    found = ranking("beside")
    texts = [text.words for text in texts_of(svg_of(CHARTS["curves"]("beside")))]
    for cell in found.cells:
        assert f"{cell.label}: {cell.mean:.3f}" in texts


def test_curves_do_not_mix_a_part_of_the_held_out_text_with_all_of_it() -> None:
    whole = {
        key: replace(one, evaluation={name: loss - 0.3 for name, loss in one.evaluation.items()})
        for key, one in outcomes("beside").items()
    }
    chart = study_curves(study("beside"), whole, ranking("beside"))
    assert rows_of(chart, group=1) == rows_of(CHARTS["curves"]("beside"), group=1)
    shipped, *_ = shipped_studies()
    part = study_curves(shipped.study, shipped.outcomes, shipped.ranking)
    assert "Bits per byte of the first 8.192k held-out tokens (the ranking is of all)" in words_of(part)
    assert min(row["loss"] for row in rows_of(part, group=1)) > 2.5


def test_runs_under_way_are_dashed_lines_beside_those_that_are_over() -> None:
    done, runs = outcomes("beside"), schedule("beside").runs("ranking")
    *_, live = [spec for specs in runs.values() for spec in specs]
    rows = {live.key: done[live.key].metrics[:12]}
    some = {key: outcome for key, outcome in done.items() if key != live.key}
    chart = study_curves(study("beside"), some, ranking("beside"), rows)
    dashed = [row for row in rows_of(chart, group=1) if row["under_way"]]
    assert [row["tokens"] for row in dashed] == [row["tokens"] for row in rows[live.key] if "evaluation" in row]
    assert "dashed: 1 run under way" in words_of(chart)
    assert len({row["line"] for row in rows_of(chart, group=1)}) == len(study("beside").cells) + 1


def test_runs_under_way_alone_are_named() -> None:
    done = outcomes("beside")
    searched = {key: one for key, one in done.items() if key not in keys_of_ranking("beside")}
    live = {key: done[key].metrics[:12] for key in keys_of_ranking("beside")[:2]}
    chart = study_curves(study("beside"), searched, ranking("beside"), live)
    assert words_of(chart).startswith("Held-out loss of 2 runs under way")
    assert_well_set(svg_of(chart, width=720))


def keys_of_ranking(name: str) -> list[str]:
    return [spec.key for specs in schedule(name).runs("ranking").values() for spec in specs]


def test_curves_without_runs_say_so() -> None:
    chart = study_curves(study("beside"), {}, ranking("beside"))
    assert "No run of the ranking is over yet" in svg_of(chart)


def test_a_trade_off_shows_ranked_cells_with_their_intervals() -> None:
    rows, found = rows_of(CHARTS["layers"]("grid")), ranking("grid")
    assert {row["i"] for row in rows} == {place for place, cell in enumerate(found.cells) if cell.mean is not None}
    for row in rows:
        cell = found.cells[row["i"]]
        assert row["high"] - row["low"] == pytest.approx(2 * (cell.half_width or 0))


def test_a_trade_off_against_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="against='colour' is no quantity of a study: n_layers, flops or seconds"):
        study_tradeoffs(ranking("grid"), "colour")  # type: ignore[arg-type]


def test_controls_show_each_outcome_and_count_those_that_passed() -> None:
    chart = CHARTS["controls alone"]("grid")
    assert [row["mark"] for row in rows_of(chart)] == ["yes", "yes", "no", "none"]
    assert words_of(chart).startswith("2 of 3 tested controls passed")


def test_slopes_are_differences_that_add_up_to_nothing() -> None:
    rows = rows_of(CHARTS["controls"]("grid"), group=1)
    assert len(rows) == 8
    signed = [float(row["other"].replace("−", "-")) for row in rows[:4]]
    assert sum(signed) == pytest.approx(0, abs=0.003)


@pytest.mark.parametrize(("value", "text"), [(999.7e12, "1 PFLOP"), (0, "0 FLOP"), (2.5e3, "2.5 kFLOP")])
def test_operations_have_a_prefix(value: float, text: str) -> None:
    assert operations(value) == text


def test_the_order_puts_cells_that_are_not_ranked_last() -> None:
    ordered = order_of(ranking("grid").cells)
    assert [cell.mean is None for cell in ordered] == sorted(cell.mean is None for cell in ordered)
