"""Pseudo-random numbers that are the same in every version of NumPy and on every machine."""

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1


def hash64(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return hashes of 64-bit numbers: the output function of SplitMix64 (Steele et al. 2014)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def numbered_hashes(count: int, *keys: int) -> NDArray[np.uint64]:
    """Return `count` pseudo-random 64-bit numbers; each choice of keys gives others."""
    key = np.zeros(1, dtype=np.uint64)
    for number in keys:
        key = hash64(key ^ np.uint64(number & _MASK))
    return hash64(np.arange(count, dtype=np.uint64) ^ key)


def uniforms(count: int, *keys: int) -> NDArray[np.float64]:
    """Return `count` pseudo-random numbers in [0, 1), multiples of 2⁻⁵³; each choice of keys gives others."""
    return (numbered_hashes(count, *keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53
