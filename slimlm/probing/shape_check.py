"""Check an architecture's account against the PyTorch model without weights: on the meta device."""

import time
from dataclasses import dataclass

import torch

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.core.table import count_components
from slimlm.model.language_model import LanguageModel
from slimlm.probing.report import CountReport, accounted_params

MOST_LAYERS = 1000
"""A layer takes some 50 kB of Python objects and several milliseconds, even without weights."""

_BATCH, _MOST_TOKENS = 2, 16


@dataclass(frozen=True)
class ShapeReport(CountReport):
    """Parameter counts and logits shape of a model without weights."""

    seconds: float
    """Time to build the modules and to run them."""


def check_shapes(architecture: Architecture) -> ShapeReport:
    """Build the model on the meta device, count it component by component, and run a forward pass without data.

    Only one block of each kind is run: others have the same shapes, and each would take 15 ms.

    Raises ValueError for more than 1,000 layers.
    """
    if architecture.n_layers > MOST_LAYERS:
        raise ValueError(
            f"n_layers={architecture.n_layers:,} is too deep to be built, since each layer is a module: at most "
            f"{MOST_LAYERS:,} layers are built; the account is exact nevertheless"
        )
    started = time.perf_counter()
    model, accounted = LanguageModel(architecture, device="meta").eval(), account(architecture)
    counted = count_components(model, accounted)
    tokens = min(_MOST_TOKENS, architecture.max_seq_length)
    first, last = model.blocks[0], model.blocks[-1]
    model.blocks = torch.nn.ModuleList([first, last] if architecture.n_dense_layers else [first])
    with torch.inference_mode():
        logits, _ = model(torch.zeros(_BATCH, tokens, dtype=torch.long, device="meta"))
    return ShapeReport(
        counted=counted,
        accounted=accounted_params(accounted),
        logits_shape=tuple(logits.shape),
        expected_shape=(_BATCH, tokens, architecture.vocab_size),
        seconds=time.perf_counter() - started,
    )
