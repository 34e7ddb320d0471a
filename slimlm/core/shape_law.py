"""Laws of the shape: how wide a model of a size is for its depth, among published models and by Levine et al. 2020."""

import math

ASPECT_AT_100M, EXPONENT = 46.10, 0.1965
"""Least squares of ln(d_model / n_layers) over ln(total parameters) for the 60 published models.

The constants are written down, and a test fits them again, because a link to a design must give the same design after
another model has joined the table.
"""

RESIDUAL = 1.789
"""Typical factor between a published model and the law: exp of the standard deviation of the fit."""


def published_aspect_ratio(total_params: float) -> float:
    """Return the d_model / n_layers that published models of a size have: 46.1 · (total / 100M)^0.1965.

    Fitted from 3.7M to 8B parameters; extrapolated beyond.

    >>> [round(published_aspect_ratio(total)) for total in (1e6, 1e7, 1e8, 1e9, 1e10)]
    [19, 29, 46, 72, 114]
    """
    return ASPECT_AT_100M * math.pow(total_params / 1e8, EXPONENT)


_LEVINE_A, _LEVINE_B = 5.039, 5.55e-2


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


def published_shape(total_params: float) -> tuple[float, float]:
    """Return the depth and the width at the published aspect ratio, for total = 12 · n_layers · d_model².

    >>> [round(value) for value in published_shape(100e6)]
    [16, 727]
    """
    aspect_ratio = published_aspect_ratio(total_params)
    depth = math.cbrt(total_params / 12 / aspect_ratio**2)
    return depth, aspect_ratio * depth
