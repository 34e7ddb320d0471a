"""Scaling laws from papers: vocabulary size and critical depth."""

import math

TAO_SMALLEST = 33e6
"""Fewest non-vocabulary parameters of a model that Tao et al. 2024 fitted."""


def tao_vocabulary_params(non_vocabulary_params: float) -> float:
    """Return the compute-optimal parameters of one vocab_size · d_model table (Tao et al. 2024, sec. 4.2).

    N_v = 3,145,728 · (N_nv / 33M)^0.8354: V·d is counted once, also for their untied models. Fitted from 33M upwards.

    >>> round(tao_vocabulary_params(125e6) / 1e6, 1)
    9.6
    """
    return float(3_145_728 * (non_vocabulary_params / TAO_SMALLEST) ** 0.8354)


def critical_depths(d_model: int) -> tuple[float, float]:
    """Return the depth beyond which loss rises, by both approximations of Fahim & Karim 2026: the lower one first.

    W^0.44 and 2.43·ln W. The paper gives the power law up to a constant, which is taken as 1: then both meet the
    optimum of 16 layers that it measures at W = 512.
    """
    low, high = sorted((d_model**0.44, 2.43 * math.log(d_model)))
    return low, high
