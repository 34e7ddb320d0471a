"""Initial weights by a recipe: the model's own seeded weights, each group scaled by its rule."""

import torch

from slimlm.model.initialisation import INIT_STD
from slimlm.model.language_model import LanguageModel
from slimlm.runs.recipe import TrainRecipe
from slimlm.train.groups import group_of, group_rules


@torch.no_grad()
def initialise(model: LanguageModel, recipe: TrainRecipe) -> None:
    """Initialise a model from the recipe's seed: one seed gives the same weights on every device.

    Raises FieldError for a parametrisation that the architecture cannot take.
    """
    rules = group_rules(model.architecture, recipe)
    model.reset_parameters(seed=recipe.seed)
    for name, parameter in model.named_parameters():
        rule = rules[group_of(name, model.architecture)]
        factor = rule.scale if parameter.ndim == 1 or rule.std is None else rule.std / INIT_STD
        if factor != 1:
            parameter.mul_(factor)
