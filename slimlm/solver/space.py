"""All designs that a request allows: widths in grains, with the depths, heads and d_ff that meet its total."""

import math
from collections.abc import Iterator, Sequence
from operator import itemgetter

from slimlm.core.architecture import AUTO_HEAD_DIMS, PREFERRED_HEAD_DIM
from slimlm.core.budget import table_params, target_params, target_table_params, window
from slimlm.core.config import ModelConfig
from slimlm.core.design import ratio_cost
from slimlm.solver.polynomial import Quadratic, evaluate, largest_step, parameter_polynomials
from slimlm.solver.width import AUTO_WIDEST, Level, Scope, auto_heads, narrowest, width_grain
from slimlm.solver.width_counts import WidthCounts

_HEAD_SPAN = AUTO_HEAD_DIMS[-1] - AUTO_HEAD_DIMS[0]


class DesignSpace:
    """All designs allowed by a request. Widths are counted in grains: d_model = width_grain·x, d_ff = grain·f."""

    def __init__(self, config: ModelConfig) -> None:
        self.config, self.grain = config, config.multiple_of
        self.auto = config.n_heads == "auto"
        self.width_grain = width_grain(config)
        self._given_heads = () if config.n_heads == "auto" else ((0, config.n_heads, 0.0),)
        self._preferred = config.head_dim or PREFERRED_HEAD_DIM
        self.params = parameter_polynomials(config.choices, self.width_grain, self.grain, config.budget)
        self._all_count_the_same = self.params.layer == self.params.widest_layer
        self.counts = WidthCounts(config, self.width_grain, self.params)
        self.target, (self.low, self.high) = target_params(config), window(config)
        # Depths are counted without the dense first layers of a mixture.
        self.min_layers = config.n_layers - config.n_dense_layers if config.n_layers else 1
        self.max_layers = self.min_layers if config.n_layers else 2 * self.high
        self.scope = Scope(config, self.target, self.low, self.high, self.min_layers, self.max_layers)
        self.target_tables = self._target_tables()
        self.target_width = math.log(self.target_tables / table_params(config, 1))
        """ln(d_model) at the target embedding ratio."""
        widest = min(AUTO_WIDEST, self.high) if self.auto else self.high
        self.max_width = min(widest // self.width_grain, largest_step(self._smallest_totals(), self.high))
        first = narrowest(config)
        self.min_width = first[0] // self.width_grain if first else self.max_width + 1
        self.work = 0
        """Ranges and widths examined so far; a width counts once for each parameter count that its layers can have."""

    def _target_tables(self) -> float:
        """Return the parameters of the vocabulary-sized tables at the target embedding ratio."""
        return target_table_params(self.config)

    def _smallest_totals(self) -> Quadratic:
        """Return a lower bound of the total at a width; exact unless the solver chooses the heads."""
        value, first, second = (
            fixed + self.min_layers * (layer + slope)
            for fixed, layer, slope in zip(self.params.fixed, self.params.layer, self.params.slope, strict=True)
        )
        return value, first, second

    def levels(self, x: int) -> Iterator[Level]:
        """Yield the designs of width x, grouped by the parameters of a layer without its feed-forward, fewest first."""
        d_model, heads = self.width_grain * x, self._heads(x)
        self.work += max(1, len(heads))
        if not heads:
            return
        params, width_cost, n_dense = self.params, self._width_cost(d_model), self.config.n_dense_layers
        fixed, light, slope = evaluate(params.fixed, x), evaluate(params.layer, x), evaluate(params.slope, x)
        heavier = evaluate(params.widest_layer, x) - light if self.auto else 0
        for head_dim, n_heads, head_miss in heads:
            more = heavier * (head_dim - AUTO_HEAD_DIMS[0]) // _HEAD_SPAN if heavier else 0
            own = fixed + n_dense * more  # dense first layers, which are part of `fixed`, have the same heads
            yield Level(self.scope, d_model, own, light + more, slope, head_miss, n_heads, width_cost)

    def _heads(self, x: int) -> Sequence[tuple[int, int, float]]:
        """Return the heads of a width, narrowest first: head_dim, their number, and |ln(head_dim / preferred)|.

        Of heads that all count the same, it is the preferred one alone.
        """
        if self._given_heads:
            return self._given_heads
        heads = auto_heads(self.width_grain * x, self.config.n_kv_heads, self._preferred)
        return (min(heads, key=itemgetter(2, 1)),) if heads and self._all_count_the_same else heads

    def _width_cost(self, d_model: int) -> float:
        """Return what a width costs at every depth."""
        return ratio_cost(table_params(self.config, d_model), self.target_tables)

    def nearest_totals(self) -> tuple[int, ...]:
        """Return the totals nearest to an unreachable window: the largest below it, if any, and the smallest above."""
        below, above = 0, math.inf
        for x in range(self.min_width, self._first_beyond() + 1):
            for level in self.levels(x):
                lower, higher = level.nearest_totals()
                below, above = max(below, lower), min(above, higher)
        return tuple(int(total) for total in (below, above) if 0 < total < math.inf)

    def _first_beyond(self) -> int:
        """Return the first allowed width beyond the widest that may fit."""
        x = max(self.max_width + 1, self.min_width)
        while self.auto and self.width_grain * x <= AUTO_WIDEST and not self._heads(x):
            x += 1
        return x
