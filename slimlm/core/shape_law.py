"""How wide published models are for their depth: a power law of their size."""

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
