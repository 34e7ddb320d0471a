"""Architectures, requests, designs, parameter accounts and published models."""

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
