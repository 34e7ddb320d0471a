"""Check an architecture's account against the real module without its weights: on the meta device, in no memory."""

import time
from dataclasses import dataclass

import torch

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.core.table import count_components
from slimlm.model.language_model import LanguageModel

MOST_LAYERS = 1000
"""Every layer is some ten objects, weights or not."""

_BATCH, _MOST_TOKENS = 2, 16


@dataclass(frozen=True)
class ShapeReport:
    """What the real module says about its shape."""

    counted: dict[str, int]
    """Parameters counted on the module, by component key."""
    accounted: dict[str, int]
    """Parameters in the account, by component key."""
    logits_shape: tuple[int, ...]
    expected_shape: tuple[int, ...]
    seconds: float
    """Time to build the module and to run it."""

    @property
    def total_params(self) -> int:
        """Parameters counted on the module."""
        return sum(self.counted.values())

    @property
    def checks(self) -> dict[str, bool]:
        """Every check by what it says when it holds."""
        return {
            "every component counts what the account says": self.counted == self.accounted,
            "logits have the expected shape": self.logits_shape == self.expected_shape,
        }

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return all(self.checks.values())


def check_shapes(architecture: Architecture) -> ShapeReport:
    """Build the real model on the meta device, count it component by component, and run a forward pass of shapes.

    The pass goes through the first block alone: all blocks have the same shapes, and each would take 15 ms.

    Raises ValueError for more than 1,000 layers.
    """
    if architecture.n_layers > MOST_LAYERS:
        raise ValueError(
            f"n_layers={architecture.n_layers:,} is too deep to be built, since every layer is a module: "
            f"at most {MOST_LAYERS:,} layers are; the account is exact all the same"
        )
    started = time.perf_counter()
    model, accounted = LanguageModel(architecture, device="meta").eval(), account(architecture)
    counted = count_components(model, accounted)
    tokens = min(_MOST_TOKENS, architecture.max_seq_length)
    model.blocks = model.blocks[:1]
    with torch.inference_mode():
        logits, _ = model(torch.zeros(_BATCH, tokens, dtype=torch.long, device="meta"))
    return ShapeReport(
        counted=counted,
        accounted={component.key: component.params for component in accounted.components},
        logits_shape=tuple(logits.shape),
        expected_shape=(_BATCH, tokens, architecture.vocab_size),
        seconds=time.perf_counter() - started,
    )
