"""Made-up studies that several tests read; each is made once."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from slimlm.core.architecture import Architecture
from slimlm.ranking.rank import rank_study
from slimlm.ranking.result import Ranking
from slimlm.runs.recipe import TrainRecipe
from slimlm.study.outcome import Outcome
from slimlm.study.study import Study
from tests.studies import best_rate, fake_outcomes, fake_study, usual_loss


def octaves(architecture: Architecture, recipe: TrainRecipe) -> float:
    """Return the part of the loss that the learning rate adds."""
    return usual_loss(architecture, recipe) - usual_loss(architecture, at_best(architecture, recipe))


def at_best(architecture: Architecture, recipe: TrainRecipe) -> TrainRecipe:
    """Return a recipe with the best learning rate of an architecture."""
    return replace(recipe, learning_rate=best_rate(architecture))


def flat(architecture: Architecture, recipe: TrainRecipe) -> float:
    """Return a loss that is the same for all cells, except for the learning rate."""
    return 2.0 + octaves(architecture, recipe)


def recipe_matters(architecture: Architecture, recipe: TrainRecipe) -> float:
    """Return a loss that favours shallow cells, or with the second recipe deep ones, by 0.5 bits more."""
    second = recipe.embedding_std == 0.02
    slope = -0.02 if second else 0.02
    return flat(architecture, recipe) + slope * architecture.n_layers + (0.9 if second else 0.0)


def one_winner(architecture: Architecture, recipe: TrainRecipe) -> float:
    """Return a loss by which one cell is far better than the others."""
    return flat(architecture, recipe) - (0.3 if architecture.dims == (88, 275, 6) else 0.0)


def no_minimum(architecture: Architecture, recipe: TrainRecipe) -> float:
    """Return a loss that always falls with the learning rate."""
    return 2.0 - 0.01 * math.log2(recipe.learning_rate)


CASES: dict[str, Callable[[Architecture, TrainRecipe], float]] = {
    "usual": usual_loss,
    "flat": flat,
    "recipe": recipe_matters,
    "winner": one_winner,
    "unbracketed": no_minimum,
}


@lru_cache(maxsize=1)
def study() -> Study:
    return fake_study()


@lru_cache(maxsize=8)
def outcomes(case: str = "usual") -> dict[str, Outcome]:
    return fake_outcomes(study(), CASES[case], sd=0.0001 if case == "unbracketed" else 0.01)


@lru_cache(maxsize=8)
def ranking(case: str = "usual") -> Ranking:
    return rank_study(study(), outcomes(case))
