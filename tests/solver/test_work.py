"""The work of a search, in ranges and widths that it examines: what makes sweeps fast, without a clock."""

from statistics import mean
from typing import Any

import pytest

from slimlm.core.config import ModelConfig
from slimlm.solver.shape_search import search_space

TOTALS = [round(10 ** (6 + step / 8)) for step in range(33)]
VOCABULARIES = [2**power for power in range(8, 19)]
GROUPED: dict[str, Any] = {"n_heads": "auto", "n_kv_heads": 2, "positions": "rope"}
EXPERTS: dict[str, Any] = {"n_experts": 8, "n_shared_experts": 1, "n_dense_layers": 1}


@pytest.mark.parametrize(
    ("choices", "most"),
    [
        ({}, 9),
        (EXPERTS, 8),
        ({"embedding_ratio": "auto"}, 10),
        (GROUPED, 57),
        (GROUPED | {"embedding_ratio": "auto"}, 41),
        ({"n_layers": 12}, 6),
    ],
)
def test_a_search_examines_few_ranges_and_widths(choices: dict[str, Any], most: float) -> None:
    spaces = [
        search_space(ModelConfig(total_params=total, vocab_size=size, **choices))
        for total in TOTALS
        for size in VOCABULARIES
    ]
    found = [space.work for space in spaces if space.nearest()]
    assert len(found) > 250
    assert mean(found) < most
