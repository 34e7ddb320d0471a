"""The total of a request's architectures as polynomials, read off the account: no formula stands twice.

Every component's count is at most quadratic in d_model and linear in d_ff, and n_layers multiplies those of a layer:

    total = fixed(d_model) + n_layers · (layer(d_model) + slope(d_model) · d_ff / grain)

Nine accounts fix the three polynomials. Vocabularies, heads, norms and positions reach the solver only as numbers.
"""

from functools import lru_cache
from typing import NamedTuple

from slimlm.core.accounting import count_total
from slimlm.core.architecture import AUTO_HEAD_DIMS, Choices, ModelDims, architecture

Quadratic = tuple[int, int, int]
"""Values at 1 and first and second differences there: a polynomial of degree 2 over the integers, exactly."""


def at(quadratic: Quadratic, step: int) -> int:
    """Return the value at a step, exactly."""
    value, first, second = quadratic
    return value + (step - 1) * first + (step - 1) * (step - 2) // 2 * second


Polynomial = tuple[float, float, float]
"""The same with real values."""


def near(quadratic: Polynomial, step: float) -> float:
    """Return the value between steps, as a float."""
    value, first, second = quadratic
    return value + (step - 1) * first + (step - 1) * (step - 2) / 2 * second


class Price(NamedTuple):
    """The polynomials of a request, in d_model / width_grain.

    With n_heads="auto" a layer's count is linear in head_dim: `layer` holds for the narrowest head and `heavy` for the
    widest. Else they are the same.
    """

    fixed: Quadratic
    layer: Quadratic
    slope: Quadratic
    heavy: Quadratic


@lru_cache(maxsize=256)
def price(choices: Choices, width_grain: int, grain: int) -> Price:
    """Return the polynomials of a request's choices; with n_heads="auto", whatever the number of heads will be."""
    if choices.n_heads != "auto":
        fixed, layer, slope = _read(choices, width_grain, grain, 0)
        return Price(fixed, layer, slope, layer)
    light, heavy = (
        [_rescaled(found, unit, width_grain) for found in _read(choices, unit, grain, choices.n_kv_heads or 1)]
        for unit in (width * (choices.n_kv_heads or 1) for width in (AUTO_HEAD_DIMS[0], AUTO_HEAD_DIMS[-1]))
    )
    return Price(light[0], light[1], light[2], heavy[1])


def _read(choices: Choices, unit: int, grain: int, heads: int) -> tuple[Quadratic, Quadratic, Quadratic]:
    """Read fixed, layer and slope off models of width unit, 2 · unit and 3 · unit, with `heads` heads a unit."""
    columns: list[tuple[int, int, int]] = []
    for step in (1, 2, 3):
        one, wider, deeper = (
            count_total(architecture(choices, ModelDims(step * unit, d_ff, n_layers), step * heads))
            for d_ff, n_layers in ((grain, 1), (2 * grain, 1), (grain, 2))
        )
        per_layer, slope = deeper - one, wider - one
        columns.append((one - per_layer, per_layer - slope, slope))
    fixed, layer, slopes = (_differences(*values) for values in zip(*columns, strict=True))
    return fixed, layer, slopes


def _differences(first: int, second: int, third: int) -> Quadratic:
    return first, second - first, third - 2 * second + first


def _rescaled(quadratic: Quadratic, unit: int, grain: int) -> Quadratic:
    """Return the same polynomial in d_model / grain instead of d_model / unit; its coefficients are whole numbers."""
    first, second, third = (at(quadratic, step) for step in (1, 2, 3))
    square = (third - 2 * second + first) // (2 * unit * unit)
    linear = (second - first) // unit - 3 * square * unit
    constant = first - linear * unit - square * unit * unit
    return _differences(*(constant + linear * width + square * width**2 for width in (grain, 2 * grain, 3 * grain)))
