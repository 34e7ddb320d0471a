"""What a model costs to train and to run: operations, memory, time, money and speed, with what each figure assumes."""

from slimlm.costs.hardware import ACCELERATORS, Accelerator
from slimlm.costs.rows import Cost, costs
from slimlm.costs.settings import CostSettings

__all__ = ["ACCELERATORS", "Accelerator", "Cost", "CostSettings", "costs"]
