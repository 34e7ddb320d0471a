"""What a model computes: floating-point operations of its matrix products, per token.

A multiplication and its addition count as two operations. Matrix products alone are counted, as
`torch.utils.flop_counter.FlopCounterMode` and the utilisation of PaLM (Chowdhery et al. 2022, arXiv 2204.02311,
appendix B) count: norms, activations, softmax, rotary positions and biases are left out, and looking up an embedding
is no product. The LM head is one, tied or not.
"""

from dataclasses import dataclass
from math import prod

from slimlm.core.accounting import account, count_total
from slimlm.core.architecture import Architecture
from slimlm.utils.validation import check_whole


@dataclass(frozen=True, kw_only=True)
class ForwardFlops:
    """Operations per token of one forward pass over a sequence of some tokens, on average over its tokens."""

    matrices_flops_per_token: int
    """2 for each weight of a matrix product: projections, feed-forward and LM head."""
    attention_flops_per_token: int
    """Scores and weighted values with the full square of T × T: 4 · n_layers · n_heads · head_dim · T."""
    causal_attention_flops_per_token: int
    """The same where token t attends to its t predecessors and itself alone, as causal kernels do: the lower triangle,
    2 · n_layers · n_heads · head_dim · (T + 1)."""

    @property
    def flops_per_token(self) -> int:
        """Both, with the full square: what counters and the usual definition of utilisation count."""
        return self.matrices_flops_per_token + self.attention_flops_per_token

    @property
    def causal_flops_per_token(self) -> int:
        """Both, with the lower triangle alone: what a causal kernel has to compute."""
        return self.matrices_flops_per_token + self.causal_attention_flops_per_token


def matrix_params(architecture: Architecture) -> int:
    """Return the weights that each token is multiplied with: the blocks' matrices and the LM head's, tied or not."""
    blocks = sum(
        component.copies * prod(shape)
        for component in account(architecture).components
        if component.per_layer
        for shape in component.shapes.values()
        if len(shape) > 1
    )
    return blocks + architecture.vocab_size * architecture.d_model


def forward_flops(architecture: Architecture, tokens: int) -> ForwardFlops:
    """Count one forward pass over a sequence of `tokens` tokens.

    >>> from slimlm.core.published import published_model
    >>> 512 * forward_flops(published_model("SmolLM2-135M").architecture, 512).flops_per_token
    155826782208

    Raises ValueError unless tokens is a whole number of at least 1.
    """
    check_whole(tokens=tokens)
    width = architecture.n_layers * architecture.n_heads * architecture.head_width
    return ForwardFlops(
        matrices_flops_per_token=2 * matrix_params(architecture),
        attention_flops_per_token=4 * width * tokens,
        causal_attention_flops_per_token=2 * width * (tokens + 1),
    )


def training_flops_per_token(architecture: Architecture, tokens: int) -> int:
    """Return the operations of a forward and a backward pass, per token of sequences of `tokens` tokens.

    Three forward passes with the full square of attention: the backward pass multiplies twice for each product, once
    for the gradient of the input and once for that of the weight (Kaplan et al. 2020, arXiv 2001.08361, section 2.1).
    Nothing is computed again for checkpointed activations.

    Raises ValueError unless tokens is a whole number of at least 1.
    """
    return 3 * forward_flops(architecture, tokens).flops_per_token


def six_n_flops_per_token(architecture: Architecture) -> int:
    """Return the rule of thumb for a training token: 6 · N.

    N is every parameter once, embeddings included, as Hoffmann et al. 2022 (arXiv 2203.15556, appendix F) have it;
    Kaplan et al. 2020 leave the embeddings out. The rule knows nothing of attention, of the tied LM head's second use
    of its table, or that looking up an embedding computes nothing.
    """
    return 6 * count_total(architecture)


def six_n_miss(architecture: Architecture, tokens: int) -> float:
    """Return how far 6 · N is from the exact count, relative to it: −0.2 where it counts a fifth too little.

    Raises ValueError unless tokens is a whole number of at least 1.
    """
    return six_n_flops_per_token(architecture) / training_flops_per_token(architecture, tokens) - 1
