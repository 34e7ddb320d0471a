"""Pseudo-random numbers: the published ones of SplitMix64, and others for each choice of keys."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.data.hashing import hash64, numbered_hashes, uniforms

GAMMA, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


def plain_hash(number: int) -> int:
    """Return the hash with Python's integers."""
    mixed = (number + GAMMA) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return mixed ^ (mixed >> 31)


def test_the_first_numbers_of_splitmix64_with_seed_0() -> None:
    states = np.array([0, GAMMA, 2 * GAMMA & MASK], dtype=np.uint64)
    assert hash64(states).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@settings(deadline=None)
@given(st.lists(st.integers(0, MASK), max_size=20), st.lists(st.integers(-(2**70), 2**70), max_size=4))
def test_numbers_are_those_of_plain_integers(numbers: list[int], keys: list[int]) -> None:
    assert hash64(np.array(numbers, dtype=np.uint64)).tolist() == list(map(plain_hash, numbers))
    key = 0
    for number in keys:
        key = plain_hash(key ^ (number & MASK))
    assert numbered_hashes(5, *keys).tolist() == [plain_hash(place ^ key) for place in range(5)]


def test_each_choice_of_keys_gives_other_numbers() -> None:
    keys = [(), (0,), (1,), (0, 0), (0, 1), (1, 0), (-1,), (2**63,)]
    assert len({number for key in keys for number in numbered_hashes(1000, *key).tolist()}) == 1000 * len(keys)


def test_uniforms_fill_the_unit_interval_evenly() -> None:
    found = uniforms(100_000, 7)
    assert 0 <= found.min() < found.max() < 1
    assert np.abs(np.histogram(found, 20, (0, 1))[0] - 5000).max() < 6 * 5000**0.5
    assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 0.02
