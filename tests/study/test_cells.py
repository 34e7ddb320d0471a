"""Cells of studies: distinct architectures, held heads, budgets, and how cells are chosen from them."""

import math
from dataclasses import replace

import pytest

from slimlm.core.named_model import NamedModel
from slimlm.core.published import published_model
from slimlm.study.cells import data_sizes, middle_cell, predicted_order, spread, study_cells
from tests.studies import fake_request


def test_the_cells_of_ten_million_parameters_are_those_of_the_field() -> None:
    cells = study_cells(fake_request(total=10_000_000, vocab_size=16_384, head_dim=32))
    shapes = [(cell.architecture.n_layers, cell.architecture.d_model) for cell in cells]
    assert shapes[0] == (29, 160)
    assert shapes[-1] == (4, 288)
    assert len({cell.architecture for cell in cells}) == len(cells) == 12
    assert {cell.architecture.head_width for cell in cells} == {32}
    assert {cell.tokens for cell in cells} == {249_856}
    assert max(cell.flops for cell in cells) / min(cell.flops for cell in cells) == pytest.approx(1.089, abs=0.001)


def test_equal_operations_give_cheap_cells_more_tokens() -> None:
    cells = study_cells(fake_request(equal="flops", tokens=2_500_000))
    assert max(cell.flops for cell in cells) / min(cell.flops for cell in cells) < 1.002
    assert len({cell.tokens for cell in cells}) > 6
    assert all(cell.tokens % 1024 == 0 for cell in cells)


def test_two_cells_of_one_architecture_are_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"^embedding_ratio=0.25,glu_expansion=2 and embedding_ratio=0.251,glu_expansion=2 solve to one architec"
        r"ture \(18 × 64, d_ff 125\), so that a difference between them would be noise: .* would work$",
    ):
        study_cells(fake_request(x=("embedding_ratio", (0.25, 0.251))))


def test_a_model_beside_the_grid_that_is_a_cell_of_it_is_refused() -> None:
    cell = study_cells(fake_request())[3]
    with pytest.raises(ValueError, match=r"glu_expansion=2.66 and twin solve to one architecture"):
        study_cells(fake_request(models=(NamedModel("twin", cell.architecture, "A test"),)))


def test_one_cell_is_no_study() -> None:
    with pytest.raises(ValueError, match=r"^the study has one cell: two allocations at least would work$"):
        study_cells(fake_request(x=("embedding_ratio", (0.25,)), y=("glu_expansion", (2,))))


def test_a_cell_without_a_design_says_why() -> None:
    with pytest.raises(ValueError, match=r"^embedding_ratio=0.25,glu_expansion=2 has no design: .*would work"):
        study_cells(fake_request(vocab_size=10_000_000))
    with pytest.raises(ValueError, match=r"has no design with head_dim=512: a smaller head_dim, or a larger"):
        study_cells(fake_request(head_dim=512))


def test_models_beside_the_grid_are_cells_by_name() -> None:
    cells = study_cells(fake_request(models=(published_model("gpt2"),)))
    assert cells[-1].key == "gpt2"
    assert not cells[-1].in_grid
    assert data_sizes(cells) == [4096, 50_257]
    assert middle_cell(cells).key == "embedding_ratio=0.35,glu_expansion=3"


def test_cells_that_are_spread_begin_with_the_widest_and_lie_far_apart() -> None:
    cells = study_cells(fake_request())
    chosen = spread(cells, 4)
    widths = [cell.architecture.d_model for cell in cells]
    assert chosen[0].architecture.d_model == max(widths)
    assert chosen[1].architecture.d_model == min(widths)
    assert chosen[1].architecture.n_layers == 18
    assert len({cell.key for cell in chosen}) == 4
    assert len(spread(cells, 100)) == len(cells)


def test_the_predicted_best_is_nearest_to_the_shape_of_published_models() -> None:
    from slimlm.core.shape_law import published_aspect_ratio

    cells = study_cells(fake_request())
    misses = {
        cell.key: abs(
            math.log(cell.architecture.d_model / cell.architecture.n_layers)
            - math.log(published_aspect_ratio(cell.subject.total_params))
        )
        for cell in cells
    }
    order = predicted_order(cells)
    assert sorted(order) == sorted(misses)
    assert [misses[key] for key in order] == sorted(misses.values())


def test_without_a_held_width_the_heads_are_those_of_the_base() -> None:
    request = fake_request(head_dim=None)
    cells = study_cells(replace(request, base=replace(request.base, n_heads=4)))
    assert {cell.architecture.n_heads for cell in cells} == {4}
