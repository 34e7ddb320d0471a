"""Figures of an evaluation with their standard errors and chance levels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

ScoreUnit = Literal["accuracy", "bits per byte", "bits per symbol"]


@dataclass(frozen=True)
class Score:
    """One figure, beside which stand its noise and what guessing would give."""

    value: float
    standard_error: float | None
    """Standard deviation of the figure over draws of as many items; None when there is one item, or none is known."""
    items: int
    """How many items were scored: pairs, questions, tokens of a held-out split."""
    chance: float | None = None
    """Expected value of a guess; None where guessing has no meaning."""
    unit: ScoreUnit = "accuracy"

    def __str__(self) -> str:
        """Write the figure, its standard error and its chance level.

        >>> str(Score(0.6125, 0.011, 1000, chance=0.5)), str(Score(1.25, None, 1, unit="bits per byte"))
        ('61.3 % ± 1.1 % (chance 50.0 %, 1,000 items)', '1.2500 bits per byte (1 item)')
        """
        noise = "" if self.standard_error is None else f" ± {self._shown(self.standard_error)}"
        chance = "" if self.chance is None else f"chance {self._shown(self.chance)}, "
        unit = "" if self.unit == "accuracy" else f" {self.unit}"
        return f"{self._shown(self.value)}{noise}{unit} ({chance}{self.items:,} item{'s' * (self.items != 1)})"

    def _shown(self, value: float) -> str:
        return f"{100 * value:.1f} %" if self.unit == "accuracy" else f"{value:.4f}"


def accuracy(credits: Sequence[float], chances: Sequence[float]) -> Score:
    """Return the mean credit of some items (0 to 1), and the mean chance of a guess.

    The standard error is the sample standard deviation over the root of the number of items, as lm_eval reports it.
    """
    values = np.asarray(credits, dtype=np.float64)
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
    return Score(float(values.mean()), error, len(values), float(np.mean(chances)))


def bits_per_byte(nats: Sequence[float], lengths: Sequence[int]) -> Score:
    """Return the bits per byte of some texts together, from −ln p and the bytes of each.

    The figure is a ratio of two sums; its standard error is that of the residuals (Cochran 1977, "Sampling Techniques",
    section 6.4).
    """
    losses, sizes = np.asarray(nats, dtype=np.float64), np.asarray(lengths, dtype=np.float64)
    count, ratio = len(losses), float(losses.sum() / sizes.sum())
    residuals = losses - ratio * sizes
    spread = math.sqrt(count / (count - 1) * float(residuals @ residuals)) / float(sizes.sum()) if count > 1 else None
    error = None if spread is None else spread / math.log(2)
    return Score(ratio / math.log(2), error, count, unit="bits per byte")


def mean_score(scores: Sequence[Score]) -> Score:
    """Return the mean of figures of one unit, each with the same weight, however many items it has.

    The standard error holds the groups fixed and takes their items as drawn.
    """
    errors = [score.standard_error for score in scores]
    chances = [score.chance for score in scores]
    known = [error for error in errors if error is not None]
    guesses = [chance for chance in chances if chance is not None]
    return Score(
        sum(score.value for score in scores) / len(scores),
        math.hypot(*known) / len(scores) if len(known) == len(scores) else None,
        sum(score.items for score in scores),
        sum(guesses) / len(scores) if len(guesses) == len(scores) else None,
        scores[0].unit,
    )


def format_scores(scores: Mapping[str, Score]) -> str:
    """Write figures as lines of a table: the name, then the figure with its standard error and chance level."""
    width = max(map(len, scores), default=0)
    return "".join(f"{name:<{width}}  {score}\n" for name, score in scores.items())
