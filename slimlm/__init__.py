"""slimlm designs small transformer language models by where their parameters go.

>>> import slimlm
>>> design = slimlm.solve(slimlm.ModelConfig(total_params=10_000_000, vocab_size=16_000))
>>> design.architecture.d_model, design.architecture.d_ff, design.architecture.n_layers, design.total_params
(216, 544, 12, 10047024)

The names that need torch (the model, its layers, `probe`) load it on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from slimlm.accounting import Account, Component, account
from slimlm.architecture import Architecture
from slimlm.config import ModelConfig
from slimlm.design import AskedGot, Design, ModelDims
from slimlm.nearby import Alternative, alternatives
from slimlm.solver import BudgetError, Suggestion, compute_model_dims, solve
from slimlm.table import count_parameters, format_param_table, print_param_table
from slimlm.units import parse_size

if TYPE_CHECKING:
    from slimlm.layers import MultiHeadAttention, SwiGLU, TransformerBlock
    from slimlm.model import LanguageModel
    from slimlm.probing import ProbeReport, probe

_LAZY = {
    "LanguageModel": "slimlm.model",
    "MultiHeadAttention": "slimlm.layers",
    "SwiGLU": "slimlm.layers",
    "TransformerBlock": "slimlm.layers",
    "ProbeReport": "slimlm.probing",
    "probe": "slimlm.probing",
}

__all__ = [
    "Account",
    "Alternative",
    "Architecture",
    "AskedGot",
    "BudgetError",
    "Component",
    "Design",
    "LanguageModel",
    "ModelConfig",
    "ModelDims",
    "MultiHeadAttention",
    "ProbeReport",
    "Suggestion",
    "SwiGLU",
    "TransformerBlock",
    "account",
    "alternatives",
    "compute_model_dims",
    "count_parameters",
    "format_param_table",
    "parse_size",
    "print_param_table",
    "probe",
    "solve",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'slimlm' has no attribute {name!r}")
