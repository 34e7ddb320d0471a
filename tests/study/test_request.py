"""Requests of studies: round trips through JSON, and what is refused."""

import json
from typing import Any

import pytest

from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model
from slimlm.runs.recipe import TrainRecipe
from slimlm.study.request import StudyRequest, request_from_record, second_version
from slimlm.sweep.grid import Axis
from slimlm.utils.validation import FieldError
from tests.studies import fake_request


def test_a_request_is_read_back_from_json() -> None:
    request = fake_request(models=(published_model("gpt2"),), seeds=5, equal="flops", prediction="deep wins")
    read = request_from_record(json.loads(json.dumps(request.to_record())))
    assert read.to_record() == request.to_record()
    assert read.models[0].architecture == published_model("gpt2").architecture
    assert read.other_recipe == second_version(request.recipe) == request.other_recipe


def test_the_second_recipe_differs_in_three_fields() -> None:
    second = second_version(TrainRecipe(batch_tokens=1024))
    assert (second.embedding_std, second.warmup_share, second.batch_tokens) == (0.02, 0.05, 2048)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seeds": 1}, "seeds=1 is not allowed: it must be a whole number between 2 and 1,000; seeds=2 would work"),
        ({"equal": "seconds"}, "equal='seconds' is not allowed: it must be one of 'tokens', 'flops'"),
        ({"second_horizon": 0}, "second_horizon=0 is not allowed: it must be a number between 0.01 and 100"),
        ({"head_dim": 0}, "head_dim=0 is not allowed"),
        ({"controls": 1}, "controls=1 is not allowed: it must be True or False"),
        ({"y": ("embedding_ratio", (0.3, 0.4))}, "y='embedding_ratio' is not allowed: the two axes must be different"),
    ],
)
def test_what_no_study_can_have_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError, match=f"^{message.replace('(', '.').replace(')', '.')}"):
        fake_request(**fields)


@pytest.mark.parametrize("name", ["base", "x", "models", "recipe", "second_recipe", "seeds", "head_dim"])
def test_a_record_without_a_part_is_damaged(name: str) -> None:
    record = fake_request().to_record()
    del record[name]
    with pytest.raises(ValueError, match=f"^the request of the study is damaged: .*{name}"):
        request_from_record(record)


@pytest.mark.parametrize("value", [None, 3, "text", [], {"name": 1}, {"name": [], "values": 3}])
@pytest.mark.parametrize("name", ["base", "x", "models", "recipe"])
def test_a_record_of_other_types_is_refused_in_a_sentence(name: str, value: object) -> None:
    if name == "models" and value == []:
        return
    with pytest.raises(ValueError, match=r"damaged|not allowed|has no"):
        request_from_record(fake_request().to_record() | {name: value})


def test_axes_keep_the_order_of_their_values() -> None:
    request = StudyRequest(
        base=ModelConfig(), x=Axis("vocab_size", (16_000, 4_000)), y=Axis("n_heads", (8, 4)), recipe=TrainRecipe()
    )
    assert request_from_record(request.to_record()).x.values == (16_000, 4_000)
