"""Architecture: every integer and choice that fixes a model's shape."""

from dataclasses import dataclass

from slimlm.fields import check_fields, real, required_whole, whole


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a request and a concrete architecture have in common: chosen by people, never solved for."""

    vocab_size: int = whole(16_000, 2, 100_000_000)
    """Number of tokens that the tokenizer knows: rows of the embedding table."""

    max_seq_length: int = whole(512, 1, 100_000_000)
    """Longest sequence in tokens: rows of the learned position table."""

    n_heads: int = whole(8, 1, 1024)
    """Attention heads per layer. d_model is a multiple of it, so fewer heads give the solver a finer grid of widths."""

    tied_lm_head: bool = True
    """Tied: the LM head uses the token embedding's table a second time. Untied: it has a table of its own."""

    dropout: float = real(0.1, 0.0, 0.99)
    """Probability of dropping an output of the embeddings, of attention and of the feed-forward in training."""

    attention_dropout: float = real(0.1, 0.0, 0.99)
    """Probability of dropping an attention weight in training."""

    layer_norm_eps: float = real(1e-6, 1e-12, 0.1)
    """Added to the variance inside every LayerNorm."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def vocabulary_tables(self) -> int:
        """Number of (vocab_size, d_model) matrices: 1 when the head is tied, 2 when it is not."""
        return 1 if self.tied_lm_head else 2


@dataclass(frozen=True, kw_only=True)
class Architecture(Choices):
    """A concrete pre-norm decoder: learned positions, LayerNorm, multi-head attention without biases, SwiGLU.

    Raises ValueError for a field outside its limits and for a d_model that the heads do not divide.
    """

    d_model: int = required_whole(1, 10**9)
    """Width of the residual stream."""

    d_ff: int = required_whole(1, 10**12)
    """Inner width of the feed-forward: rows of its gate and up projections."""

    n_layers: int = required_whole(1, 10**12)
    """Number of transformer blocks."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.d_model % self.n_heads:
            below = self.d_model - self.d_model % self.n_heads
            working = " or ".join(f"d_model={width}" for width in (below, below + self.n_heads) if width)
            raise ValueError(
                f"d_model={self.d_model} is not allowed: it must be a multiple of n_heads={self.n_heads}; "
                f"{working} would work"
            )

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.d_model // self.n_heads

    @property
    def glu_expansion(self) -> float:
        """d_ff / d_model."""
        return self.d_ff / self.d_model
