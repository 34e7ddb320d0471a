"""A design is refused where its architecture does not meet its request."""

from dataclasses import replace
from typing import Any

import pytest

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.core.published import published_models
from slimlm.serialization.design_json import named_model_record
from slimlm.solver.solver import solve
from slimlm.utils.validation import FieldError

SMALL = Architecture(d_model=216, d_ff=544, n_layers=12)


def test_a_design_made_by_hand_equals_the_solved_one_and_knows_that_it_was_not_solved() -> None:
    solved, by_hand = solve(ModelConfig()), Design(ModelConfig(), SMALL)
    assert solved == by_hand
    assert hash(solved) == hash(by_hand)
    assert (solved.solved, by_hand.solved) == (True, False)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"total_params": 20_000_000},
            r"^total_params=20000000 is not allowed: a design is within ±0\.5 % of it, and the architecture has "
            r"10,047,024 parameters; total_params=10047024 would work$",
        ),
        (
            {"vocab_size": 32_000},
            "^vocab_size=32000 is not allowed: it must be that of the architecture; vocab_size=16000 would work$",
        ),
        ({"norm": "rmsnorm"}, "^norm='rmsnorm' is not allowed: .* of the architecture; norm='layernorm' would work$"),
        ({"n_layers": 11}, "^n_layers=11 is not allowed: .* of the architecture; n_layers=12 would work$"),
        ({"n_kv_heads": 2}, "^n_kv_heads=2 is not allowed: .* of the architecture; n_kv_heads=8 would work$"),
        ({"head_dim": 64}, "^head_dim=64 is not allowed: .* of the architecture; head_dim=27 would work$"),
    ],
)
def test_a_design_that_does_not_meet_its_request_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FieldError, match=sentence) as error:
        Design(ModelConfig(**changes), SMALL)
    (remedy,) = error.value.remedies
    assert Design(replace(ModelConfig(**changes), **dict([remedy])), SMALL).architecture == SMALL


def test_heads_that_the_solver_chooses_may_be_any() -> None:
    chosen = solve(ModelConfig(n_heads="auto"))
    assert Design(chosen.config, chosen.architecture) == chosen


def test_every_published_model_has_a_record() -> None:
    for model in published_models():
        assert named_model_record(model)["account"]["total_params"] == model.published_params


def test_a_model_beyond_the_limits_of_a_request_has_a_record() -> None:
    huge = Architecture(d_model=10**12, d_ff=10**12, n_layers=10**6)
    model = published_models()[0].renamed("huge")
    record = named_model_record(replace(model, architecture=huge))
    assert record["account"]["total_params"] > record["request"]["total_params"] == 10**15
