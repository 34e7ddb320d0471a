"""Training: the loop with exact resume, optimizers and schedules, checks, and the search for a learning rate."""

from slimlm.runs.recipe import TrainRecipe
from slimlm.train.loop import train
from slimlm.train.result import RunResult

__all__ = ["RunResult", "TrainRecipe", "train"]
