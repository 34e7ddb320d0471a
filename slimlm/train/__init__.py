"""Training: the loop with exact resume, optimizers and schedules, checks, and the search for a learning rate."""

from slimlm.runs.recipe import TrainRecipe
from slimlm.train.loop import train
from slimlm.train.lr_range import find_learning_rate
from slimlm.train.lr_sweep import sweep_learning_rates
from slimlm.train.result import RunResult

__all__ = ["RunResult", "TrainRecipe", "find_learning_rate", "sweep_learning_rates", "train"]
