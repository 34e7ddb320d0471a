"""Floating-point operations of a model per token.

A multiplication and its addition count as two operations. Only matrix products count, as in
`torch.utils.flop_counter.FlopCounterMode` and in PaLM's utilisation (Chowdhery et al. 2022, arXiv 2204.02311,
appendix B): norms, activations, softmax, rotary positions, biases and embedding lookups are left out. The LM head is a
matrix product, tied or not.
"""

from dataclasses import dataclass
from math import prod

from slimlm.core.accounting import Account
from slimlm.core.architecture import Architecture
from slimlm.utils.validation import check_whole


@dataclass(frozen=True, kw_only=True)
class ForwardFlops:
    """Operations per token of one forward pass over a sequence, averaged over its tokens."""

    matrices_flops_per_token: int
    """2 per weight of a matrix product: projections, feed-forward and LM head."""
    attention_flops_per_token: int
    """Scores and weighted values over the full T × T square: 4 · n_layers · n_heads · head_dim · T.

    A windowed layer has min(window, T) in place of T: the T × window band.
    """
    causal_attention_flops_per_token: int
    """Scores and weighted values over the lower triangle, where token t attends to t tokens, as in causal kernels:
    2 · n_layers · n_heads · head_dim · (T + 1).

    In a windowed layer, token t attends to min(window, t) tokens. Rounded to a whole number.
    """

    @property
    def flops_per_token(self) -> int:
        """Total with the full square of attention: what FLOP counters and the usual utilisation count."""
        return self.matrices_flops_per_token + self.attention_flops_per_token

    @property
    def causal_flops_per_token(self) -> int:
        """Total with the lower triangle of attention: what a causal kernel computes."""
        return self.matrices_flops_per_token + self.causal_attention_flops_per_token

    @property
    def training_flops_per_token(self) -> int:
        """Forward and backward pass, with the full square of attention: three forward passes.

        The backward pass has two products for each product of the forward pass, one for the gradient of the input and
        one for that of the weight (Kaplan et al. 2020, arXiv 2001.08361, section 2.1). Activation checkpointing, which
        repeats operations, is not counted.
        """
        return 3 * self.flops_per_token


def matrix_params(account: Account) -> int:
    """Return the weights that multiply each token: the matrices of the blocks and of the LM head, tied or not."""
    blocks = sum(
        component.copies * prod(shape)
        for component in account.components
        if component.per_layer
        for shape in component.shapes.values()
        if len(shape) > 1
    )
    return blocks + account.architecture.vocab_size * account.architecture.d_model


def forward_flops(account: Account, tokens: int) -> ForwardFlops:
    """Count one forward pass over a sequence of `tokens` tokens.

    >>> from slimlm.core.accounting import account
    >>> from slimlm.core.published import published_model
    >>> 512 * forward_flops(account(published_model("SmolLM2-135M").architecture), 512).flops_per_token
    155826782208

    Raises ValueError unless tokens is a whole number of at least 1.
    """
    check_whole(tokens=tokens)
    arch = account.architecture
    width = arch.n_heads * arch.head_width
    return ForwardFlops(
        matrices_flops_per_token=2 * matrix_params(account),
        attention_flops_per_token=4 * width * arch.cached_tokens(tokens),
        causal_attention_flops_per_token=_rounded(4 * width * _causal_pairs(arch, tokens), tokens),
    )


def _causal_pairs(arch: Architecture, tokens: int) -> int:
    """Count the pairs of a token and one that it attends to, itself included, in all layers of a sequence."""
    windowed, reach = arch.n_windowed_layers, min(tokens, arch.window or tokens)
    beyond = tokens - reach  # tokens that attend to a full window
    full = tokens * (tokens + 1) // 2
    return (arch.n_layers - windowed) * full + windowed * (reach * (reach + 1) // 2 + beyond * reach)


def _rounded(number: int, divisor: int) -> int:
    """Divide whole numbers beyond the precision of a float, and round."""
    return (2 * number + divisor) // (2 * divisor)


def six_n_flops_per_token(params: int) -> int:
    """Return the rule of thumb for a training token: 6 · N.

    N is every parameter once, embeddings included (Hoffmann et al. 2022, arXiv 2203.15556, appendix F); Kaplan et al.
    2020 leave embeddings out. The rule ignores attention, counts a tied LM head once although it is used twice, and
    counts embedding lookups as products.
    """
    return 6 * params
