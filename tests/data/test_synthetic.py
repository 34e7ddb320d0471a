"""The generated source: its entropy is exact, its tokens follow its own probabilities."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.data.synthetic import MarkovSource, known_entropy
from slimlm.utils.validation import FieldError


def full_matrix(source: MarkovSource) -> np.ndarray:
    """Return the probability of each token after each token (V, V)."""
    return source.transitions[source.class_of][:, source.class_of] * source.within_class


@settings(max_examples=20, deadline=None)
@given(st.integers(16, 100), st.integers(0, 2**64))
def test_the_entropy_is_that_of_the_whole_chain(vocab_size: int, seed: int) -> None:
    """Computed again on tokens, without classes: the stationary distribution by repeated steps."""
    source = MarkovSource(vocab_size, seed)
    matrix = full_matrix(source)
    assert np.allclose(matrix.sum(axis=1), 1, rtol=0, atol=1e-14)
    steady = np.full(vocab_size, 1 / vocab_size) @ np.linalg.matrix_power((matrix + np.eye(vocab_size)) / 2, 4096)
    per_token = np.array([-sum(p * math.log(p) for p in row if p > 0) for row in matrix])
    assert source.entropy == pytest.approx(steady @ per_token, rel=1e-12)
    assert (source.stationary > 0).all()
    assert np.abs(source.stationary @ source.transitions - source.stationary).max() < 1e-15


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([16, 61, 256, 4096]), st.integers(0, 2**32), st.integers(0, 9))
def test_the_true_model_has_the_entropy_as_its_loss(vocab_size: int, seed: int, stream: int) -> None:
    source = MarkovSource(vocab_size, seed)
    surprise = -source.log_probabilities(source.sample(100_000, stream))
    blocks = surprise[: len(surprise) // 100 * 100].reshape(100, -1).mean(axis=1)  # neighbours depend on each other
    assert abs(surprise.mean() - source.entropy) < 6 * blocks.std() / 10
    assert surprise.std() / 10 < source.entropy  # the bound above is far below the entropy: it can fail


def test_a_model_that_knows_only_frequencies_is_far_above_the_floor() -> None:
    source = MarkovSource(256)
    frequencies = source.stationary[source.class_of] * source.within_class
    assert -(frequencies @ np.log(frequencies)) > source.entropy + 1


def test_tokens_do_not_follow_that_cannot() -> None:
    source = MarkovSource(64)
    impossible = np.argwhere(full_matrix(source) == 0)[0]
    assert source.log_probabilities(impossible) == -math.inf


def test_pairs_are_as_frequent_as_their_probabilities() -> None:
    source = MarkovSource(16, seed=5)
    tokens = source.sample(400_000)
    counts = np.zeros((16, 16))
    np.add.at(counts, (tokens[:-1], tokens[1:]), 1)
    matrix = full_matrix(source)
    visits = counts.sum(axis=1, keepdims=True)
    assert np.abs(counts / visits - matrix).max() < 6 * math.sqrt(0.25 / visits.min())
    assert (counts[matrix == 0] == 0).all()


def test_the_first_token_has_the_stationary_distribution() -> None:
    source = MarkovSource(16, seed=3)
    firsts = source.class_of[[source.sample(1, stream)[0] for stream in range(500)]]
    shares = np.bincount(firsts, minlength=source.classes) / 500
    assert np.abs(shares - source.stationary).max() < 6 * math.sqrt(0.25 / 500)


def test_the_splits_are_independent_samples_of_one_source() -> None:
    data = known_entropy(300, seed=4, train_tokens=3000, heldout_tokens=2000)
    source = MarkovSource(300, 4)
    assert (len(data.train), {name: len(ids) for name, ids in data.heldout.items()}) == (3000, {"validation": 2000})
    assert np.isfinite(source.log_probabilities(data.train)).all()
    assert np.isfinite(source.log_probabilities(data.heldout["validation"])).all()
    assert (data.train[:2000] != data.heldout["validation"]).mean() > 0.9
    assert (data.unit, data.entropy, data.vocab_size) == ("symbol", source.entropy, 300)
    assert data.token_lengths.tolist() == [1] * 300
    assert max(data.train) < 300


def test_requests_have_tokens_and_digests_of_their_own() -> None:
    requests = [{}, {"seed": 1}, {"train_tokens": 301}, {"heldout_tokens": 101}]
    usual = {"train_tokens": 300, "heldout_tokens": 100}
    assert len({known_entropy(16, **usual | request).digest for request in requests}) == 4
    first, second = known_entropy(16, **usual), known_entropy(16, **usual | {"seed": 1})
    assert first.digest == known_entropy(16, **usual).digest
    assert first.train.tolist() == known_entropy(16, **usual).train.tolist() != second.train.tolist()


def test_the_tokens_are_the_same_everywhere() -> None:
    assert MarkovSource(40, seed=1).sample(12).tolist() == [26, 31, 33, 31, 18, 23, 15, 26, 13, 8, 17, 34]
    assert MarkovSource(256).entropy == pytest.approx(3.5640440997382425, abs=1e-12)


def test_sizes_that_make_no_source_are_refused() -> None:
    with pytest.raises(FieldError, match="vocab_size=15 is not allowed: it must be at least 16; vocab_size=16 would"):
        known_entropy(15)
    with pytest.raises(FieldError, match="heldout_tokens=0 is not allowed: it must be a whole number of at least 1"):
        known_entropy(16, heldout_tokens=0)
