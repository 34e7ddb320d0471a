"""Learning rate over a run, as a factor of its highest value.

Warmup-stable-decay (Hu et al. 2024, MiniCPM, arXiv 2404.06395, section 4) with a linear decay to 0 (Hägele et al. 2024,
arXiv 2405.18392), and the half cosine (Loshchilov & Hutter 2017, arXiv 1608.03983) to 0.
"""

import math

from slimlm.runs.recipe import TrainRecipe


def rate_factor(recipe: TrainRecipe, step: int) -> float:
    """Return the factor of the learning rate in step 0, 1, … of a run.

    The warm-up ends with factor 1; the decay would reach 0 in the step after the last.

    >>> recipe = TrainRecipe(tokens=8 * 512, batch_tokens=512, warmup_share=0.25, decay_share=0.5)
    >>> [rate_factor(recipe, step) for step in range(8)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    steps = recipe.steps
    warm_up = round(recipe.warmup_share * steps)
    if step < warm_up:
        return (step + 1) / warm_up
    if recipe.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))
    decay = round(recipe.decay_share * steps)
    return min(1.0, (steps - step) / decay) if decay else 1.0
