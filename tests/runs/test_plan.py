"""Plans: their figures against the costs and the real sizes, and the runs that they refuse."""

from dataclasses import replace
from typing import Any

import pytest

from slimlm.core.accounting import account, count_total
from slimlm.core.architecture import Architecture
from slimlm.costs.compute import forward_flops
from slimlm.runs.plan import plan_run
from slimlm.runs.recipe import TrainRecipe

SMALL = Architecture(d_model=16, d_ff=32, n_layers=2, n_heads=2, max_seq_length=16, vocab_size=64)
RECIPE = TrainRecipe(tokens=2560, batch_tokens=128)


def test_a_plan_says_what_the_run_will_do() -> None:
    plan = plan_run(SMALL, RECIPE, train_tokens=1281, vocab_size=64)
    assert (plan.steps, plan.sequences, plan.length, plan.tokens, plan.epochs) == (20, 8, 16, 2560, 2.0)
    assert plan.flops_per_token == forward_flops(account(SMALL), 16).training_flops_per_token
    assert plan.flops == 2560 * plan.flops_per_token
    assert plan.seconds(plan.flops / 90) == 90
    assert plan.checkpoint_bytes == 12 * count_total(SMALL)
    assert plan.disk_bytes == 3 * plan.checkpoint_bytes + 8 * count_total(SMALL)


def test_micro_batches_need_less_memory() -> None:
    whole, parts = (
        plan_run(SMALL, replace(RECIPE, micro_batch=size), train_tokens=1281).memory_bytes for size in (None, 1)
    )
    assert parts < whole / 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"train_tokens": 128},
            r"^the data has 128 training tokens, fewer than one batch of 8 sequences of 16 tokens; mo",
        ),
        ({"vocab_size": 65}, r"^vocab_size=64 .* the data has ids up to 64, .* vocab_size=65 would work$"),
        ({"processes": 3}, r"^batch_tokens=128 .* divided among 3 processes;"),
    ],
)
def test_a_run_that_cannot_be_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan_run(SMALL, RECIPE, **{"train_tokens": 1281, **given})


def test_a_smaller_vocabulary_of_the_data_is_allowed() -> None:
    assert plan_run(SMALL, RECIPE, train_tokens=129, vocab_size=2).epochs == 20.0


def test_space_is_checked_where_it_is_known() -> None:
    plan = plan_run(SMALL, RECIPE, train_tokens=1281)
    plan.check_space(None, None)
    plan.check_space(plan.disk_bytes, plan.memory_bytes)
    with pytest.raises(ValueError, match=r"^the run needs .* on disk, but .* are free; another folder or a lower keep"):
        plan.check_space(plan.disk_bytes - 1, None)
    with pytest.raises(ValueError, match=r"^the run needs at least .* of memory, but .* are free; a lower micro_batch"):
        plan.check_space(None, plan.memory_bytes - 1)
