"""Costs of training and running a model: compute, memory, time, price and speed, with their assumptions."""

from slimlm.costs.hardware import ACCELERATORS, Accelerator
from slimlm.costs.quantity import Cost, Quantity
from slimlm.costs.rows import costs
from slimlm.costs.settings import CostSettings

__all__ = ["ACCELERATORS", "Accelerator", "Cost", "CostSettings", "Quantity", "costs"]
