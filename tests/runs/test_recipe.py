"""Recipes: limits, fields that exclude each other, and the batches and steps that follow."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.core.architecture import Architecture
from slimlm.runs.recipe import TrainRecipe
from slimlm.utils.validation import FieldError, field_docs


def test_every_field_is_documented() -> None:
    assert set(field_docs(TrainRecipe)) == {field.name for field in fields(TrainRecipe)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": 0}, r"^tokens=0 is not allowed: it must be a whole number between 1 and .*; tokens=1 would work$"),
        ({"schedule": "linear"}, r"^schedule='linear' is not allowed: it must be one of 'wsd', 'cosine'; schedule="),
        (
            {"warmup_share": 0.9},
            r"^decay_share=0\.25 .* with warmup_share=0\.9: .* not overlap; decay_share=0\.1 would",
        ),
        ({"embedding_std": "depth"}, r"^embedding_std='depth' is not allowed: it must be a number between .* 'width'"),
        ({"dropout": 1.0}, r"^dropout=1\.0 is not allowed: it must be a number between 0 and 0\.99, or None; dropout="),
        ({"sequence_length": 500}, r"^batch_tokens=16384 .* a multiple of the sequence length 500; batch_tokens=16500"),
        (
            {"sequence_length": 512, "micro_batch": 12},
            r"^micro_batch=12 is not allowed: it must divide the 32 sequences of a batch; micro_batch=8 would work$",
        ),
        (
            {"parametrisation": "completep", "optimizer": "muon"},
            r"^optimizer='muon' is not allowed with parametrisation='completep': CompleteP is defined for AdamW;",
        ),
        (
            {"parametrisation": "completep", "output_std": "depth"},
            r"^output_std='depth' .* CompleteP scales initial weights itself, from a number; output_std='auto'",
        ),
        ({"compile": True}, r"^compile=[Tt]rue is not allowed: it must be one of 'auto', 'on', 'off'; compile='auto'"),
        ({"deterministic": 1}, r"^deterministic=1 is not allowed: it must be True or False;"),
    ],
)
def test_a_value_that_breaks_its_rule_is_refused_in_a_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        TrainRecipe(**changes)


@given(st.integers(1, 10**6), st.integers(1, 10**4), st.integers(1, 64))
def test_steps_and_batches_add_up_to_the_tokens(tokens: int, length: int, sequences: int) -> None:
    recipe = TrainRecipe(tokens=tokens, batch_tokens=length * sequences, sequence_length=length)
    assert recipe.sequences(length) == sequences
    assert recipe.steps >= 1
    assert abs(recipe.steps * recipe.batch_tokens - tokens) <= recipe.batch_tokens


def test_remedies_work() -> None:
    for changes in ({"sequence_length": 500}, {"sequence_length": 512, "micro_batch": 12}, {"warmup_share": 0.9}):
        given: dict[str, Any] = dict(changes)
        while True:
            try:
                TrainRecipe(**given)
                break
            except FieldError as error:
                name, value = error.remedies[0]
                assert given.get(name) != value
                given[name] = value


def test_a_batch_is_divided_among_processes() -> None:
    recipe = TrainRecipe(batch_tokens=6 * 512)
    assert recipe.sequences(512, 3) == 6
    with pytest.raises(FieldError, match=r"its 6 sequences must be divided among 4 processes; batch_tokens=4096 would"):
        recipe.sequences(512, 4)


def test_the_length_is_the_models_unless_the_recipe_gives_a_shorter_one() -> None:
    architecture = Architecture(d_model=16, d_ff=32, n_layers=1, n_heads=2, max_seq_length=64)
    assert TrainRecipe().length_in(architecture) == 64
    assert TrainRecipe(sequence_length=32).length_in(architecture) == 32
    with pytest.raises(
        FieldError, match=r"^sequence_length=128 .* takes max_seq_length=64 tokens at most; sequence_le"
    ):
        TrainRecipe(sequence_length=128).length_in(architecture)


def test_intervals_are_steps_of_tokens_or_a_tenth() -> None:
    recipe = TrainRecipe(tokens=100 * 512, batch_tokens=512)
    assert [recipe.every(tokens) for tokens in (None, 512, 1500, 1)] == [10, 1, 3, 1]


def test_the_digest_is_that_of_the_values() -> None:
    assert TrainRecipe().digest == TrainRecipe(seed=0).digest != TrainRecipe(seed=1).digest
