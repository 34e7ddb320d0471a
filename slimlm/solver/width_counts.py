"""Parameters at the ends of a range of widths, as real numbers, for the lower bounds of the search."""

import math
from functools import lru_cache
from typing import NamedTuple

from slimlm.core.architecture import AUTO_HEAD_DIMS, MOST_HEADS
from slimlm.core.config import ModelConfig
from slimlm.solver.polynomial import ParameterPolynomials, Polynomial, real_polynomial, real_value


class Counts(NamedTuple):
    """Parameters of one width with heads of one width, and the d_ff in grains that has exactly the target expansion."""

    x: float
    """The width in grains."""
    log_width: float
    """ln(d_model)."""
    fixed: float
    """Those outside the counted layers."""
    layer: float
    slope: float
    target: float
    target_layer: float
    """Parameters of a layer that has exactly the target expansion."""
    layers: Polynomial
    """`layer` at every width, with heads of the same width."""

    def grains(self, n_layers: int, total: int) -> float:
        """Return the d_ff in grains, whole or not, of the model of a depth and total (< 0: too deep)."""
        return ((total - self.fixed) / n_layers - self.layer) / self.slope

    def expansion(self, grains: float) -> float:
        """Return ln(expansion / target expansion)."""
        return math.log(grains / self.target) if grains > 0 else -math.inf

    def expansion_at(self, n_layers: int, total: int) -> float:
        """Return the same for the model of a depth and total."""
        return self.expansion(self.grains(n_layers, total))


@lru_cache(maxsize=256)
def _real(params: ParameterPolynomials) -> tuple[Polynomial, ...]:
    return tuple(map(real_polynomial, params))


class WidthCounts:
    """Counts of the widths of a request, d_model = width_grain · x, by the heads that a range of widths allows."""

    def __init__(self, config: ModelConfig, width_grain: int, params: ParameterPolynomials) -> None:
        self.auto, self.width_grain = config.n_heads == "auto", width_grain
        self._kv_heads, self._n_dense_layers = config.n_kv_heads or 1, config.n_dense_layers
        self._target_grains = config.glu_expansion * width_grain / config.multiple_of
        self._fixed, self._light, self._slope, self._heavy = _real(params)
        # Neighbouring ranges have the same ends.
        self._narrow: dict[int, Counts] = {}
        self._wide: dict[int, Counts] = self._narrow if not self.auto else {}

    def narrow(self, x: int) -> Counts:
        """Return the counts of a width with the narrowest heads that it and wider ones may have."""
        found = self._narrow.get(x)
        if found is None:
            found = self._narrow[x] = self.narrow_at(x)
        return found

    def wide(self, x: int) -> Counts:
        """Return the counts of a width with the widest heads that it and narrower ones may have."""
        found = self._wide.get(x)
        if found is None:
            head_dim = min(AUTO_HEAD_DIMS[-1], self.width_grain * x / self._kv_heads)
            layers = self._layer_of(max(AUTO_HEAD_DIMS[0], head_dim)) if self.auto else self._light
            found = self._wide[x] = self.at(x, layers)
        return found

    def narrow_at(self, x: float) -> Counts:
        """Return the same as `narrow` for any real width."""
        head_dim = self.width_grain * x / MOST_HEADS
        return self.at(x, self._layer_of(head_dim) if self.auto and head_dim > AUTO_HEAD_DIMS[0] else self._light)

    def _layer_of(self, head_dim: float) -> Polynomial:
        """Return the parameters of a layer with heads of a width that the solver may choose."""
        share = (head_dim - AUTO_HEAD_DIMS[0]) / (AUTO_HEAD_DIMS[-1] - AUTO_HEAD_DIMS[0])
        (a, b, c), (d, e, f) = self._light, self._heavy
        return a + (d - a) * share, b + (e - b) * share, c + (f - c) * share

    def at(self, x: float, layers: Polynomial) -> Counts:
        """Return the counts of any real width; the heads of `layers` are also those of dense first layers."""
        # Written out, because a search spends a third of its time here: three times `real_value`.
        (a, b, c), (d, e, f), (g, h, i) = self._fixed, layers, self._slope
        fixed, own = a + x * (b + x * c), d + x * (e + x * f)
        if self._n_dense_layers and self.auto:
            fixed += self._n_dense_layers * (own - real_value(self._light, x))
        slope, target = g + x * (h + x * i), self._target_grains * x
        return Counts(x, math.log(self.width_grain * x), fixed, own, slope, target, own + slope * target, layers)

    def rise(self, counts: Counts, n_layers: int, grains: float) -> float:
        """Return d ln(expansion) / d ln(d_model) at a width for the models of a depth and of the total of `grains`."""
        x, (_, b, c), (_, e, f), (_, h, i) = counts.x, self._fixed, counts.layers, self._slope
        of_layer, of_fixed = e + 2 * f * x, b + 2 * c * x
        if self._n_dense_layers and self.auto:
            of_fixed += self._n_dense_layers * (of_layer - self._light[1] - 2 * self._light[2] * x)
        return -x * (of_fixed / n_layers + of_layer + grains * (h + 2 * i * x)) / (counts.slope * grains) - 1
