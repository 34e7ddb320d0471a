"""Count of a budget's parameters as polynomials, interpolated from the account.

Every component's count is at most quadratic in d_model and linear in d_ff, and n_layers multiplies those of a layer:

    total = fixed(d_model) + n_layers · (layer(d_model) + slope(d_model) · d_ff / grain)

With dense first layers, whose width does not depend on d_ff, n_layers are the others, and `fixed` has the dense ones.
Six accounts determine the three polynomials. The solver has no formulas of its own: it knows vocabularies, heads,
norms and positions only through these numbers.
"""

import math
from functools import lru_cache
from typing import NamedTuple

from slimlm.core.architecture import AUTO_HEAD_DIMS, Architecture, Choices, ModelDims, width_multiple
from slimlm.core.budget import count_with_layer
from slimlm.core.config import Budget

Quadratic = tuple[int, int, int]
"""Polynomial of degree 2 with integer values: its value at 1, and the first and second difference there."""


def evaluate(quadratic: Quadratic, step: int) -> int:
    """Return the exact value at a step."""
    value, first, second = quadratic
    return value + (step - 1) * first + (step - 1) * (step - 2) // 2 * second


def largest_step(quadratic: Quadratic, most: int) -> int:
    """Return the largest step from 1 up to which a quadratic that grows from step to step is at most `most`, or 0.

    >>> largest_step((5, 3, 2), evaluate((5, 3, 2), 9)), largest_step((5, 3, 2), 4)
    (9, 0)
    """
    value, first, second = quadratic
    if value > most:
        return 0
    if second == 0:
        return 1 + (most - value) // first
    # With n = step - 1: second · n² + (2 · first - second) · n <= 2 · (most - value), solved in whole numbers.
    linear = 2 * first - second
    return 1 + (math.isqrt(linear * linear + 8 * second * (most - value)) - linear) // (2 * second)


Polynomial = tuple[float, float, float]
"""Polynomial of degree 2 with real values: the coefficients of 1, x and x²."""


def real_polynomial(quadratic: Quadratic) -> Polynomial:
    """Return the same polynomial by its coefficients."""
    value, first, second = quadratic
    return value - first + second, first - 1.5 * second, second / 2


def real_value(polynomial: Polynomial, x: float) -> float:
    """Return the value at any real x."""
    constant, linear, square = polynomial
    return constant + x * (linear + x * square)


class ParameterPolynomials(NamedTuple):
    """The polynomials of a request, in d_model / width_grain.

    With n_heads="auto" the count of a layer is linear in head_dim: `layer` is for the narrowest head and `widest_layer`
    for the widest. Otherwise both are the same.
    """

    fixed: Quadratic
    layer: Quadratic
    slope: Quadratic
    widest_layer: Quadratic


@lru_cache(maxsize=256)
def parameter_polynomials(
    choices: Choices, width_grain: int, grain: int, budget: Budget = "total"
) -> ParameterPolynomials:
    """Return the polynomials of what a budget counts; with n_heads="auto", for every number of heads."""
    units, heads = _units(choices)
    found = [_scaled(_interpolated(choices, unit, heads, budget), unit, width_grain, grain) for unit in units]
    narrow, wide = found[0], found[-1]
    return ParameterPolynomials(*narrow, wide[1])


def _units(choices: Choices) -> tuple[tuple[int, ...], int]:
    """Return the widths at which to count, and the heads per width with n_heads="auto"."""
    if choices.n_heads != "auto":
        return (width_multiple(choices.n_heads, choices.head_dim, choices.positions),), 0
    kv_heads = choices.n_kv_heads or 1
    return (AUTO_HEAD_DIMS[0] * kv_heads, AUTO_HEAD_DIMS[-1] * kv_heads), kv_heads


@lru_cache(maxsize=256)
def _interpolated(choices: Choices, unit: int, heads: int, budget: Budget) -> tuple[Quadratic, Quadratic, Quadratic]:
    """Interpolate fixed, layer and slope from models of width unit, 2 · unit, 3 · unit with `heads` heads per unit."""
    columns: list[tuple[int, int, int]] = []
    depth = choices.n_dense_layers + 1
    for step in (1, 2, 3):
        (one, per_layer), (wider, _) = (
            count_with_layer(Architecture.of(choices, ModelDims(step * unit, d_ff, depth), step * heads), budget)
            for d_ff in (1, 2)
        )
        slope = wider - one
        columns.append((one - per_layer, per_layer - slope, slope))
    fixed, layer, slopes = (_differences(*values) for values in zip(*columns, strict=True))
    return fixed, layer, slopes


def _scaled(
    found: tuple[Quadratic, Quadratic, Quadratic], unit: int, width_grain: int, grain: int
) -> tuple[Quadratic, Quadratic, Quadratic]:
    """Return the same polynomials in d_model / width_grain and d_ff / grain."""
    fixed, layer, slope = (_rescaled(quadratic, unit, width_grain) for quadratic in found)
    return fixed, layer, (grain * slope[0], grain * slope[1], grain * slope[2])


def _differences(first: int, second: int, third: int) -> Quadratic:
    return first, second - first, third - 2 * second + first


def _rescaled(quadratic: Quadratic, unit: int, grain: int) -> Quadratic:
    """Return the same polynomial in d_model / grain instead of d_model / unit.

    grain is not a multiple of unit only with n_heads="auto", where the coefficients in d_model are whole numbers.
    """
    if grain % unit == 0:
        return _differences(*(evaluate(quadratic, step * grain // unit) for step in (1, 2, 3)))
    first, second, third = (evaluate(quadratic, step) for step in (1, 2, 3))
    square = (third - 2 * second + first) // (2 * unit * unit)
    linear = (second - first) // unit - 3 * square * unit
    constant = first - linear * unit - square * unit * unit
    return _differences(*(constant + linear * width + square * width**2 for width in (grain, 2 * grain, 3 * grain)))
