"""slimlm designs small transformer language models by where their parameters go.

>>> import slimlm
>>> design = slimlm.solve(slimlm.ModelConfig(total_params=10_000_000, vocab_size=16_000))
>>> design.architecture.d_model, design.architecture.d_ff, design.architecture.n_layers, design.total_params
(216, 544, 12, 10047024)

The names that need torch (the model, its layers, `probe`, weights in files) load it on first use, and raise
PackageError where it is missing or broken. All other names work without it. Training is a package of its own:

>>> from slimlm.train import train
>>> config = slimlm.ModelConfig(total_params=20_000, vocab_size=64, n_heads=2, max_seq_length=16, dropout=0)
>>> recipe = slimlm.TrainRecipe(tokens=8_192, batch_tokens=512, learning_rate=0.01)
>>> result = train(config, recipe, slimlm.known_entropy(64, train_tokens=8_192, heldout_tokens=1_024))
>>> result.status, result.step, result.failed_checks
('finished', 16, ())
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from slimlm.core.accounting import Account, Component, account
from slimlm.core.architecture import Architecture, ModelDims
from slimlm.core.config import ModelConfig
from slimlm.core.design import AskedGot, Design, TargetActual
from slimlm.solver.solver import BudgetError, Suggestion, compute_model_dims, solve
from slimlm.utils.formatting import parse_size
from slimlm.utils.optional import ANYWIDGET, IPYWIDGETS, NUMPY, PICTURES, PSUTIL, SAFETENSORS, TORCH, PackageError, need
from slimlm.utils.validation import FieldError

if TYPE_CHECKING:
    from slimlm.core.families import family
    from slimlm.core.published import PublishedModel, published_model, published_models
    from slimlm.core.table import count_parameters, format_param_table, print_param_table
    from slimlm.data.corpus import open_corpus, prepare_corpus
    from slimlm.data.prose import builtin_prose
    from slimlm.data.synthetic import known_entropy
    from slimlm.explorer.explorer import Explorer, explore
    from slimlm.interop.hf import from_hf_config, to_hf_config
    from slimlm.interop.litgpt import litgpt_config
    from slimlm.interop.megatron import megatron_arguments
    from slimlm.model.feed_forwards import SwiGLU
    from slimlm.model.language_model import LanguageModel
    from slimlm.model.layers import MultiHeadAttention, TransformerBlock
    from slimlm.model.pretrained import export_pretrained, from_pretrained, save_pretrained
    from slimlm.notes.verdict import Verdict, verdict
    from slimlm.probing.probe import ProbeReport, probe
    from slimlm.runs.recipe import TrainRecipe
    from slimlm.runs.record import RunRecord, read_run
    from slimlm.solver.alternatives import Alternative, alternatives

_LAZY = {
    "slimlm.core.families": ("family",),
    "slimlm.core.published": ("PublishedModel", "published_model", "published_models"),
    "slimlm.core.table": ("count_parameters", "format_param_table", "print_param_table"),
    "slimlm.data.corpus": ("open_corpus", "prepare_corpus"),
    "slimlm.data.prose": ("builtin_prose",),
    "slimlm.data.synthetic": ("known_entropy",),
    "slimlm.explorer.explorer": ("Explorer", "explore"),
    "slimlm.interop.hf": ("from_hf_config", "to_hf_config"),
    "slimlm.interop.litgpt": ("litgpt_config",),
    "slimlm.interop.megatron": ("megatron_arguments",),
    "slimlm.model.feed_forwards": ("SwiGLU",),
    "slimlm.model.language_model": ("LanguageModel",),
    "slimlm.model.layers": ("MultiHeadAttention", "TransformerBlock"),
    "slimlm.model.pretrained": ("export_pretrained", "from_pretrained", "save_pretrained"),
    "slimlm.notes.verdict": ("Verdict", "verdict"),
    "slimlm.probing.probe": ("ProbeReport", "probe"),
    "slimlm.runs.recipe": ("TrainRecipe",),
    "slimlm.runs.record": ("RunRecord", "read_run"),
    "slimlm.solver.alternatives": ("Alternative", "alternatives"),
}

_NEEDS = {
    "slimlm.data.corpus": (NUMPY,),
    "slimlm.data.prose": (NUMPY,),
    "slimlm.data.synthetic": (NUMPY,),
    "slimlm.explorer.explorer": (IPYWIDGETS, ANYWIDGET, PICTURES),
    "slimlm.model.language_model": (TORCH,),
    "slimlm.model.feed_forwards": (TORCH,),
    "slimlm.model.layers": (TORCH,),
    "slimlm.model.pretrained": (TORCH, SAFETENSORS),
    "slimlm.probing.probe": (TORCH, PSUTIL),
}

__all__ = [
    "Account",
    "Alternative",
    "Architecture",
    "AskedGot",
    "BudgetError",
    "Component",
    "Design",
    "Explorer",
    "FieldError",
    "LanguageModel",
    "ModelConfig",
    "ModelDims",
    "MultiHeadAttention",
    "PackageError",
    "ProbeReport",
    "PublishedModel",
    "RunRecord",
    "Suggestion",
    "SwiGLU",
    "TargetActual",
    "TrainRecipe",
    "TransformerBlock",
    "Verdict",
    "account",
    "alternatives",
    "builtin_prose",
    "compute_model_dims",
    "count_parameters",
    "explore",
    "export_pretrained",
    "family",
    "format_param_table",
    "from_hf_config",
    "from_pretrained",
    "known_entropy",
    "litgpt_config",
    "megatron_arguments",
    "open_corpus",
    "parse_size",
    "prepare_corpus",
    "print_param_table",
    "probe",
    "published_model",
    "published_models",
    "read_run",
    "save_pretrained",
    "solve",
    "to_hf_config",
    "verdict",
]


def _notebook_view(design: Design) -> dict[str, str]:
    """Return the MIME bundle of a design: the parameter table, and the allocation chart where it can be drawn."""
    try:
        from slimlm.export.notebooks import mimebundle
    except ImportError:  # no charting package
        from slimlm.core.table import format_param_table

        return {"text/plain": format_param_table(design)}
    return mimebundle(design)


Design.notebook_view = _notebook_view


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    for module, names in _LAZY.items():
        if name in names:
            need(f"slimlm.{name}", *_NEEDS.get(module, ()))
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'slimlm' has no attribute {name!r}")
