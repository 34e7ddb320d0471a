"""Scaling laws from papers: vocabulary size, depth and width."""

import math

TAO_SMALLEST = 33e6
"""Fewest non-vocabulary parameters of a model that Tao et al. 2024 fitted."""

_LEVINE_A, _LEVINE_B = 5.039, 5.55e-2


def tao_vocabulary_params(non_vocabulary_params: float) -> float:
    """Return the compute-optimal parameters of one vocab_size · d_model table (Tao et al. 2024, sec. 4.2).

    N_v = 3,145,728 · (N_nv / 33M)^0.8354: V·d is counted once, also for their untied models. Fitted from 33M upwards.

    >>> round(tao_vocabulary_params(125e6) / 1e6, 1)
    9.6
    """
    return float(3_145_728 * (non_vocabulary_params / TAO_SMALLEST) ** 0.8354)


def levine_shape(non_embedding_params: float) -> tuple[float, float]:
    """Return the depth and the width that Levine et al. 2020 predict for a number of non-embedding parameters.

    They fit d_model = e^(a + b·L) to optimal models of N = 12·L·d_model² parameters, with 6 to 48 layers.

    >>> [round(value, 1) for value in levine_shape(10e6)]
    [10.7, 279.2]
    """
    target = math.log(non_embedding_params / 12) - 2 * _LEVINE_A
    low, high = 0.0, 1000.0
    for _ in range(60):  # ln L + 2bL rises with L: bisection ends at the last bits of a float
        depth = (low + high) / 2
        low, high = (depth, high) if math.log(depth) + 2 * _LEVINE_B * depth < target else (low, depth)
    return low, math.exp(_LEVINE_A + _LEVINE_B * low)


def critical_depths(d_model: int) -> tuple[float, float]:
    """Return the depth beyond which loss rises, by both approximations of Fahim & Karim 2026: the lower one first.

    W^0.44 and 2.43·ln W. The paper gives the power law up to a constant, which is taken as 1: then both meet the
    optimum of 16 layers that it measures at W = 512.
    """
    low, high = sorted((d_model**0.44, 2.43 * math.log(d_model)))
    return low, high
