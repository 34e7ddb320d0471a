"""Windows of tokens: each once an epoch, in an order that a seed and a step determine."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.data.token_data import as_tokens, token_dtype
from slimlm.utils.validation import FieldError
from tests.data.texts import numbered


@settings(deadline=None)
@given(
    count=st.integers(2, 300),
    length=st.integers(1, 20),
    sequences=st.integers(1, 7),
    seed=st.integers(-(2**70), 2**70),
)
def test_each_epoch_visits_each_window_once(count: int, length: int, sequences: int, seed: int) -> None:
    data = numbered(count)
    windows = (count - 1) // length
    assert data.windows(length) == windows
    if windows < sequences:
        return
    steps = [data.batch(seed, step, sequences, length) for step in range(2 * windows)]
    firsts = np.concatenate([batch[:, 0] for batch in steps])[: 2 * windows]
    for epoch in firsts.reshape(2, windows):
        assert sorted(epoch) == [length * number for number in range(windows)]


def test_targets_are_the_tokens_that_follow_the_inputs() -> None:
    batch = numbered(1000).batch(seed=1, step=3, sequences=4, length=16)
    assert batch.shape == (4, 17)
    assert batch.dtype == np.int64
    assert (batch[:, 1:] == batch[:, :-1] + 1).all()


def test_a_step_needs_none_of_those_before_it() -> None:
    forwards = [numbered(500).batch(7, step, 3, 8).tolist() for step in range(60)]
    data = numbered(500)
    assert [data.batch(7, step, 3, 8).tolist() for step in reversed(range(60))] == forwards[::-1]


def test_the_order_is_the_same_everywhere() -> None:
    """No run could be repeated with other values."""
    firsts = [numbered(81).batch(seed, step, 4, 10)[:, 0].tolist() for seed in (0, 1) for step in (0, 1, 2)]
    assert firsts == [
        [0, 10, 60, 30],
        [50, 40, 20, 70],
        [30, 0, 10, 50],
        [20, 50, 10, 40],
        [60, 0, 30, 70],
        [40, 20, 0, 70],
    ]


def test_seeds_and_epochs_have_orders_of_their_own() -> None:
    data = numbered(1001)
    orders = {tuple(data.batch(seed, step, 100, 10)[:, 0]) for seed in range(5) for step in range(5)}
    assert len(orders) == 25


@pytest.mark.parametrize(
    ("sequences", "length", "fits"), [(4, 20, True), (5, 20, False), (1, 99, True), (1, 100, False)]
)
def test_a_text_smaller_than_one_batch_is_refused(sequences: int, length: int, fits: bool) -> None:
    data = numbered(100)
    if fits:
        data.check_batch(sequences, length)
        assert data.batch(0, 0, sequences, length).shape == (sequences, length + 1)
        return
    message = "numbers has 100 training tokens, fewer than one batch of 101: shorter or fewer sequences, or more"
    for call in (data.check_batch, lambda *sizes: data.batch(0, 0, *sizes)):
        with pytest.raises(ValueError, match=message):
            call(sequences, length)


def test_impossible_steps_and_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="step=-1 is not allowed: it must be 0 or above"):
        numbered(100).batch(0, -1, 1, 4)
    with pytest.raises(FieldError, match="sequences=0 is not allowed: it must be a whole number of at least 1"):
        numbered(100).batch(0, 0, 0, 4)
    with pytest.raises(FieldError, match="length=0 is not allowed: it must be a whole number of at least 1"):
        numbered(100).check_batch(1, 0)


def test_ids_are_checked_against_the_vocabulary() -> None:
    with pytest.raises(ValueError, match="numbers holds the id 99: ids below vocab_size=99 would work"):
        numbered(100, vocab_size=99).batch(0, 0, 1, 99)
    assert numbered(100, vocab_size=99).batch(0, 0, 1, 98).max() == 98


def test_a_model_with_too_few_embeddings_is_refused() -> None:
    numbered(100, vocab_size=100).check_vocabulary(100)
    with pytest.raises(
        FieldError, match="vocab_size=99 is not allowed: it must be at least 100, the number of ids of the"
    ):
        numbered(100, vocab_size=100).check_vocabulary(99)


@pytest.mark.parametrize(("vocab_size", "bytes_each"), [(2, 2), (65_536, 2), (65_537, 4), (256_000, 4)])
def test_ids_are_stored_in_as_few_bytes_as_they_need(vocab_size: int, bytes_each: int) -> None:
    ids = np.array([0, vocab_size - 1])
    assert as_tokens(ids, vocab_size).dtype == token_dtype(vocab_size)
    assert as_tokens(ids, vocab_size).itemsize == bytes_each
    assert as_tokens(ids, vocab_size).tolist() == ids.tolist()
