"""Figures with their noise: ratio estimates, means of groups, and the text beside them."""

import numpy as np
import pytest

from slimlm.evaluation.score import Score, accuracy, bits_per_byte, format_scores, mean_score


def test_bits_per_byte_is_a_ratio_of_sums() -> None:
    found = bits_per_byte([np.log(2) * 6, np.log(2) * 2], [1, 3])
    assert found.value == pytest.approx(2.0)
    assert (found.items, found.chance, found.unit) == (2, None, "bits per byte")


def test_the_standard_error_of_a_ratio_is_the_spread_of_repeated_draws() -> None:
    draws = np.random.default_rng(0)
    found = []
    for _ in range(1000):
        sizes = draws.integers(3, 30, size=80)
        found.append(bits_per_byte((sizes * draws.gamma(4, 0.3, size=80)).tolist(), sizes.tolist()))
    spread = float(np.std([score.value for score in found]))
    errors = [score.standard_error for score in found if score.standard_error is not None]
    assert float(np.mean(errors)) == pytest.approx(spread, rel=0.08)


def test_one_item_has_no_standard_error_and_neither_has_a_mean_with_it() -> None:
    one = accuracy([1.0], [0.25])
    assert one == Score(1.0, None, 1, 0.25)
    assert bits_per_byte([1.0], [2]).standard_error is None
    two = accuracy([1.0, 0.0], [0.25, 0.25])
    assert mean_score([one, two]) == Score(0.75, None, 3, 0.25)
    assert mean_score([two, Score(0.5, 0.1, 9)]).chance is None


def test_noise_and_chance_stand_beside_the_figure() -> None:
    scores = {
        "blimp/accuracy": Score(0.6125, 0.0112, 1000, 0.5),
        "bpb/validation": Score(1.23456, None, 9, unit="bits per byte"),
        "lambada/bpb": Score(2.5, 0.01, 1, unit="bits per byte"),
    }
    assert format_scores(scores) == (
        "blimp/accuracy  61.3 % ± 1.1 % (chance 50.0 %, 1,000 items)\n"
        "bpb/validation  1.2346 bits per byte (9 items)\n"
        "lambada/bpb     2.5000 ± 0.0100 bits per byte (1 item)\n"
    )
