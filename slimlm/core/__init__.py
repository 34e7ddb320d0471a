"""What a model is and what it counts: architectures, requests, designs, accounts, published models."""

from slimlm.core.accounting import Account, Component, account, count_total
from slimlm.core.architecture import Architecture, ModelDims
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design, TargetActual

__all__ = [
    "Account",
    "Architecture",
    "Component",
    "Design",
    "ModelConfig",
    "ModelDims",
    "TargetActual",
    "account",
    "count_total",
]
