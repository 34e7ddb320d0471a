"""Factors of embeddings and logits, and the limit of logits.

In bfloat16, transformers rounds Gemma's √d_model to that type before it multiplies; here the product alone is rounded.

Shapes: B batch, T tokens, D d_model, V vocab_size.
"""

import torch
from torch import Tensor

from slimlm.core.architecture import Architecture


def scaled_embeddings(arch: Architecture, embedded: Tensor) -> Tensor:
    """Multiply token embeddings (B, T, D) by the architecture's factor."""
    return embedded if arch.embedding_scale == 1 else embedded * arch.embedding_scale


def scaled_logits(arch: Architecture, logits: Tensor) -> Tensor:
    """Multiply logits (B, T, V), or a slice of them, by their factor, then limit them: c · tanh(logits / c)."""
    if arch.logit_scale != 1:
        logits = logits * arch.logit_scale
    return logits if arch.logit_softcap is None else arch.logit_softcap * torch.tanh(logits / arch.logit_softcap)
