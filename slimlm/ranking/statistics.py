"""Statistics of a ranking: pooled variance, simultaneous intervals, and the cells that may be best.

The loss of a run is μ[cell] + ε with one variance σ² for all cells. An effect of the seed, common to all cells, stays
in ε: runs of unlike architectures share little of it (in a grid of 12 cells removing it left σ as it was, and cost
degrees of freedom), and where it exists the intervals are wider than they need to be, never narrower.

Intervals for all pairs are Tukey's (`scipy.stats.studentized_range`), those for contrasts Scheffé's. The set of cells
that may be best is that of multiple comparisons with the best, in the form whose intervals have two ends (Edwards and
Hsu 1983, JASA 78:965): `scipy.stats.dunnett` tests against a control, but does not return the critical value.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

from slimlm.utils.validation import FieldError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONFIDENCE = 0.95
_DRAWS = 20_000


@dataclass(frozen=True)
class Comparison:
    """Cells compared by the losses of their runs. Lower is better; all figures are in the unit of the losses."""

    means: Mapping[str, float]
    """By cell."""
    seeds: int
    """Runs of each cell."""
    pooled_sd: float
    """Standard deviation between runs of one cell, pooled over the cells."""
    confidence: float
    """Probability that all intervals of one family hold: all pairs, all contrasts, or all comparisons with the best."""
    may_be_best: frozenset[str]
    """Cells that cannot be told from the best one: with probability `confidence` it is among them."""
    p_best: Mapping[str, float]
    """Probability of being the best cell, from draws of all means and of σ; they sum to 1."""
    ranks: Mapping[str, tuple[int, int]]
    """Lowest and highest rank, from 1, that the intervals of all pairs allow."""
    equal_variance_p: float | None
    """P value of Bartlett's test, small when the variances of the cells differ; None where runs of a cell are equal."""
    agreement: float | None
    """Mean Kendall τ between the orders of two seeds; None where a seed puts all cells in one place."""
    losses: Mapping[str, tuple[float, ...]] = field(repr=False)

    @property
    def degrees_of_freedom(self) -> int:
        """Of the pooled standard deviation."""
        return len(self.means) * (self.seeds - 1)

    @cached_property
    def all_pairs(self) -> float:
        """Smallest significant difference of two cells, all pairs considered at once (Tukey)."""
        return least_difference(self.pooled_sd, self.seeds, len(self.means), self.confidence)

    @cached_property
    def one_pair(self) -> float:
        """Smallest significant difference of two cells that were chosen before the runs (Student)."""
        return self.planned(self.seeds, self.seeds)

    @cached_property
    def with_best(self) -> float:
        """Smallest significant difference of a cell from the best one (multiple comparisons with the best)."""
        rivals = len(self.means) - 1
        critical = critical_value(rivals, self.degrees_of_freedom, self.confidence)
        return critical * self.pooled_sd * math.sqrt(2 / self.seeds)

    def planned(self, first: int, second: int) -> float:
        """Return the half-width for one difference, planned before the runs, of means of so many runs each."""
        from scipy.stats import t

        width = t.ppf((1 + self.confidence) / 2, self.degrees_of_freedom)
        return float(width * self.pooled_sd * math.sqrt(1 / first + 1 / second))

    def contrast(self, better: Sequence[str], worse: Sequence[str]) -> tuple[float, float]:
        """Return how much higher the mean loss of some cells is than that of others, and the half-width (Scheffé).

        The interval holds for all contrasts at once, so that the cells may be chosen after looking at the losses.
        """
        from scipy.stats import f

        difference = _mean([self.means[key] for key in worse]) - _mean([self.means[key] for key in better])
        dimensions = len(self.means) - 1
        width = math.sqrt(dimensions * f.ppf(self.confidence, dimensions, self.degrees_of_freedom))
        return difference, float(width * self.pooled_sd * math.sqrt((1 / len(better) + 1 / len(worse)) / self.seeds))


def compare(losses: Mapping[str, Sequence[float]], confidence: float = CONFIDENCE) -> Comparison:
    """Compare cells by the losses of their runs, one for each seed.

    Raises FieldError for fewer than two cells or two seeds, cells with different numbers of runs, and losses that are
    not finite.
    """
    import numpy as np

    _check(losses)
    table = np.array([list(runs) for runs in losses.values()], dtype=np.float64)  # cells × seeds
    keys, (cells, seeds) = list(losses), table.shape
    means = table.mean(axis=1)
    sd = math.sqrt(float(table.var(axis=1, ddof=1).mean()))
    threshold = critical_value(cells - 1, cells * (seeds - 1), confidence) * sd * math.sqrt(2 / seeds)
    probability = _p_best(means, sd, seeds)
    ranks = _ranks(means, least_difference(sd, seeds, cells, confidence))
    return Comparison(
        means=dict(zip(keys, map(float, means), strict=True)),
        seeds=seeds,
        pooled_sd=sd,
        confidence=confidence,
        may_be_best=frozenset(key for key, mean in zip(keys, means, strict=True) if mean - means.min() <= threshold),
        p_best=dict(zip(keys, map(float, probability), strict=True)),
        ranks=dict(zip(keys, ranks, strict=True)),
        equal_variance_p=_bartlett(table),
        agreement=_agreement(table),
        losses={key: tuple(map(float, runs)) for key, runs in losses.items()},
    )


def _check(losses: Mapping[str, Sequence[float]]) -> None:
    if len(losses) < 2:
        raise FieldError("cells", len(losses), "a comparison needs two cells at least", (("cells", 2),))
    counts = {len(runs) for runs in losses.values()}
    if len(counts) > 1:
        rule = "all cells must have the same number of runs"
        raise FieldError("seeds", max(counts), rule, (("seeds", min(counts)),) if min(counts) > 1 else ())
    if (seeds := counts.pop()) < 2:
        raise FieldError("seeds", seeds, "error bars need two runs of each cell at least", (("seeds", 2),))
    if wrong := [loss for runs in losses.values() for loss in runs if not math.isfinite(loss)]:
        raise FieldError("loss", wrong[0], "only losses that are finite can be compared")


def least_difference(sd: float, seeds: int, cells: int, confidence: float = CONFIDENCE) -> float:
    """Return the smallest significant difference of two cells, all pairs considered at once (Tukey).

    A true difference of this size is found in about half of all studies.

    >>> round(least_difference(0.0256, 3, 12), 3), round(least_difference(0.0256, 6, 12), 3)
    (0.075, 0.05)

    Raises FieldError for fewer than two cells or two seeds.
    """
    for name, value in (("cells", cells), ("seeds", seeds)):
        if value < 2:
            raise FieldError(name, value, "a comparison needs two at least", ((name, 2),))
    return _studentized_range(cells, cells * (seeds - 1), confidence) * sd / math.sqrt(seeds)


@lru_cache(maxsize=64)
def _studentized_range(cells: int, degrees_of_freedom: int, confidence: float) -> float:
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(confidence, cells, degrees_of_freedom))


@lru_cache(maxsize=64)
def critical_value(rivals: int, degrees_of_freedom: int, confidence: float = CONFIDENCE) -> float:
    """Return the critical value of two-sided comparisons of one cell with `rivals` others (Dunnett), by quadrature.

    It is the c at which P(|Z − Z₀| ≤ √2 · c · S for all rivals) is the confidence, for standard normal Z of the rivals
    and Z₀ of the cell, and an S² that is χ² over its degrees of freedom.
    """
    import numpy as np
    from scipy.optimize import brentq
    from scipy.special import ndtr
    from scipy.stats import chi

    points, weights = np.polynomial.legendre.leggauss(80)
    spread = chi.ppf((points + 1) / 2, degrees_of_freedom) / math.sqrt(degrees_of_freedom)
    z, density = np.polynomial.hermite_e.hermegauss(80)

    def excess(c: float) -> float:
        reach = math.sqrt(2) * c * spread[:, None]
        within = ndtr(z + reach) - ndtr(z - reach)
        return float(weights / 2 @ within**rivals @ density) / math.sqrt(2 * math.pi) - confidence

    return float(brentq(excess, 0.0, 1000.0, xtol=1e-10))


def _p_best(means: "NDArray[np.float64]", sd: float, seeds: int) -> "NDArray[np.float64]":
    """Return the share of draws in which each cell is the lowest: σ² = sd² · ν / χ²(ν), means normal given σ."""
    import numpy as np

    draws = np.random.default_rng(0)
    degrees = len(means) * (seeds - 1)
    sigma = sd * np.sqrt(degrees / draws.chisquare(degrees, size=(_DRAWS, 1)))
    drawn = means + sigma / math.sqrt(seeds) * draws.standard_normal((_DRAWS, len(means)))
    return np.bincount(drawn.argmin(axis=1), minlength=len(means)) / _DRAWS


def _ranks(means: "NDArray[np.float64]", threshold: float) -> list[tuple[int, int]]:
    better = (means[None, :] < means[:, None] - threshold).sum(axis=1)
    worse = (means[None, :] > means[:, None] + threshold).sum(axis=1)
    return [(1 + int(above), len(means) - int(below)) for above, below in zip(better, worse, strict=True)]


def _bartlett(table: "NDArray[np.float64]") -> float | None:
    """Return the p value of Bartlett's test.

    Levene's test does not work with few runs: of 12 cells with three runs each, it rejects equal variances in 29 % of
    the studies if centred on means, and never if centred on medians.
    """
    from scipy.stats import bartlett

    return float(bartlett(*table).pvalue) if table.var(axis=1).all() else None


def _agreement(table: "NDArray[np.float64]") -> float | None:
    found = [kendall(one, two) for one, two in combinations(table.T.tolist(), 2)]
    known = [tau for tau in found if tau is not None]
    return _mean(known) if known else None


def kendall(one: Sequence[float], two: Sequence[float]) -> float | None:
    """Return Kendall's τ between two orders of the same things; None where it is not defined: one thing, or all equal.

    >>> kendall([1, 2, 3, 4], [4, 3, 2, 1])
    -1.0
    """
    from scipy.stats import kendalltau

    if min(len(set(one)), len(set(two))) < 2:
        return None
    return float(kendalltau(one, two).statistic)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
