"""Evaluation during training that leaves no trace: random numbers, modes and gradients stay as they were."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Run the work inside in evaluation mode and without gradients, then restore modes and random number generators.

    The mode of every submodule is restored, and the global generators of torch (CPU, CUDA, MPS), NumPy and Python, also
    when the work fails. Training with such work between its steps is bitwise the same as without it.
    """
    modes = [(module, module.training) for module in model.modules()]
    with ExitStack() as afterwards:
        _restore_generators(afterwards)
        for module, training in modes:
            afterwards.callback(setattr, module, "training", training)
        # Not inference mode: the model keeps its position tables, and training could not use tables made in it.
        afterwards.enter_context(torch.no_grad())
        model.eval()
        yield


def _restore_generators(afterwards: ExitStack) -> None:
    """Register the restoration of every global random number generator that is in use."""
    afterwards.callback(torch.set_rng_state, torch.get_rng_state())
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        afterwards.callback(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
    if torch.backends.mps.is_available():
        afterwards.callback(torch.mps.set_rng_state, torch.mps.get_rng_state())
    afterwards.callback(np.random.set_state, np.random.get_state())
    afterwards.callback(random.setstate, random.getstate())
