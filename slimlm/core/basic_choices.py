"""Choices of a decoder that a request and an architecture share: vocabulary, heads, norms, feed-forward, block."""

import math
from dataclasses import dataclass
from typing import Literal

from slimlm.utils.validation import FieldError, check_fields, choice, documented, real, whole

Norm = Literal["layernorm", "rmsnorm", "layernorm_no_bias", "layernorm_no_params"]
Positions = Literal["learned", "rope", "none", "alibi"]
FeedForward = Literal["swiglu", "geglu", "gelu", "relu", "geglu_tanh", "gelu_tanh", "relu2"]
Bias = Literal["none", "qkv", "attention", "ffn", "output_ffn", "all"]
QkNorm = Literal["none", "head", "full"]
Block = Literal["pre_norm", "sandwich_norm", "output_norm", "parallel", "parallel_one_norm"]

GATED = ("swiglu", "geglu", "geglu_tanh")
"""Feed-forwards with a gate: three matrices instead of two."""

MOST_HEADS = 1024
"""Most attention heads per layer."""

AUTO_HEAD_DIMS = range(16, 257, 2)
"""Values of head_dim among which n_heads="auto" chooses."""

PREFERRED_HEAD_DIM = 64
"""The head_dim that n_heads="auto" prefers unless the request gives one."""

_MOST_AUTO_KV_HEADS = 256


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)  # only subclasses are made
class BasicChoices:
    """The choices that every decoder has.

    Raises ValueError, in one sentence, for a field outside its limits and for choices that exclude each other.
    """

    vocab_size: int = documented(
        "Number of tokens that the tokenizer knows: rows of the embedding table.",
        whole(16_000, 2, 100_000_000),
    )

    max_seq_length: int = documented(
        "Longest sequence in tokens; with learned positions, each has a row in the position table.",
        whole(512, 1, 100_000_000),
    )

    n_heads: int | Literal["auto"] = documented(
        "Attention heads per layer. d_model is a multiple of it (of twice it with RoPE) unless head_dim is given, so "
        'fewer heads give the solver a finer grid of widths. "auto" lets the solver choose: an even head_dim from 16 '
        "to 256 that brings the design nearest to the request.",
        whole(8, 1, MOST_HEADS, "auto"),
    )

    n_kv_heads: int | None = documented(
        "Heads of keys and values, each shared by n_heads / n_kv_heads queries: 1 is multi-query, None as many as "
        "n_heads (multi-head). Fewer take less KV cache and fewer parameters.",
        whole(None, 1, MOST_HEADS),
    )

    head_dim: int | None = documented(
        'Width of one attention head; None is d_model / n_heads. With n_heads="auto", the preferred width (None: 64).',
        whole(None, 1, 10**15),
    )

    norm: Norm = documented(
        "Normalisation: LayerNorm has weight and bias (or the weight alone, or neither), RMSNorm a weight.",
        choice("layernorm", "rmsnorm", "layernorm_no_bias", "layernorm_no_params"),
    )

    positions: Positions = documented(
        "Position encoding: a learned table, rotary positions (RoPE), biases by distance (ALiBi), or none.",
        choice("learned", "rope", "none", "alibi"),
    )

    ffn: FeedForward = documented(
        "Feed-forward: SwiGLU and GeGLU have a gate and three matrices, GELU, ReLU and ReLU² (its square) are plain "
        "with two. GELU is exact, or the approximation by tanh of GPT-2 and Gemma.",
        choice("swiglu", "geglu", "gelu", "relu", "geglu_tanh", "gelu_tanh", "relu2"),
    )

    bias: Bias = documented(
        "Projections with a bias: none; q, k and v; all of attention; the feed-forward's; the attention output and the "
        "feed-forward's; or all.",
        choice("none", "qkv", "attention", "ffn", "output_ffn", "all"),
    )

    qk_norm: QkNorm = documented(
        "Normalise queries and keys: each head with weights shared by all heads, or the full projection at once.",
        choice("none", "head", "full"),
    )

    block: Block = documented(
        "What a block normalises: the inputs of attention and feed-forward; their inputs and outputs; or their outputs."
        " In a parallel block both have the same input, normalised by one norm each or by one norm for both.",
        choice("pre_norm", "sandwich_norm", "output_norm", "parallel", "parallel_one_norm"),
    )

    rope_theta: float = documented(
        "Base of the rotary frequencies. A larger base rotates more slowly, for longer sequences.",
        real(10_000.0, 1.0, 1e12),
    )

    tied_lm_head: bool = documented(
        "Tied: the LM head shares the table of the token embedding. Untied: it has its own table.",
        True,
    )

    lm_head_bias: bool = documented("Add a bias of size vocab_size to the LM head.", False)

    embedding_norm: bool = documented("Normalise the embeddings before the first block.", False)

    position_offset: int = documented(
        "Rows of the learned position table beyond max_seq_length.",
        whole(0, 0, 1_000_000),
    )

    dropout: float = documented(
        "Dropout probability in training, for the outputs of embeddings, attention and feed-forward.",
        real(0.1, 0.0, 0.99),
    )

    attention_dropout: float = documented(
        "Dropout probability of attention weights in training.",
        real(0.1, 0.0, 0.99),
    )

    layer_norm_eps: float = documented("Constant added to the variance in every norm.", real(1e-6, 1e-12, 0.1))

    n_loops: int = documented(
        "How often a token passes through the whole stack of blocks. The blocks' parameters count once; operations, "
        "activations and KV cache count each time.",
        whole(1, 1, 1000),
    )

    def __post_init__(self) -> None:
        check_fields(self)
        self._check_heads()
        if self.position_offset and self.positions != "learned":
            raise FieldError(
                "position_offset",
                self.position_offset,
                "only a learned table has rows",
                (("position_offset", 0), ("positions", "learned")),
                (("positions", self.positions),),
            )

    def _check_heads(self) -> None:
        heads, kv_heads, head_dim = self.n_heads, self.n_kv_heads, self.head_dim
        if heads == "auto":
            _check_auto_heads(kv_heads, head_dim)
            return
        if kv_heads is not None and heads % kv_heads:
            working = tuple(("n_kv_heads", count) for count in _nearest_divisors(heads, kv_heads))
            enough = math.ceil(heads / kv_heads) * kv_heads
            working += (("n_heads", enough),) if enough <= MOST_HEADS else ()
            raise FieldError("n_kv_heads", kv_heads, f"it must divide {{n_heads}}={heads}", working)
        if head_dim is not None and head_dim % 2 and self.positions == "rope":
            rule, given = "it must be even, because RoPE turns pairs", (("positions", "rope"),)
            raise FieldError("head_dim", head_dim, rule, (("head_dim", head_dim + 1),), given)

    @property
    def vocabulary_tables(self) -> int:
        """Number of (vocab_size, d_model) matrices: 1 when the head is tied, 2 when it is not."""
        return 1 if self.tied_lm_head else 2

    @property
    def is_gated(self) -> bool:
        """Whether the feed-forward has a gate: three matrices instead of two."""
        return self.ffn in GATED


def _check_auto_heads(kv_heads: int | None, head_dim: int | None) -> None:
    given = (("n_heads", "auto"),)
    if head_dim is not None and head_dim not in AUTO_HEAD_DIMS:
        nearest = min(AUTO_HEAD_DIMS, key=lambda width: abs(width - head_dim))
        raise FieldError("head_dim", head_dim, "it must be even, from 16 to 256", (("head_dim", nearest),), given)
    if kv_heads is not None and kv_heads > _MOST_AUTO_KV_HEADS:
        most = _MOST_AUTO_KV_HEADS
        raise FieldError("n_kv_heads", kv_heads, f"it must be at most {most}", (("n_kv_heads", most),), given)


def _nearest_divisors(number: int, wanted: int) -> list[int]:
    """Return the largest divisor below a number and the smallest above it."""
    divisors = [divisor for divisor in range(1, number + 1) if number % divisor == 0]
    return [max(d for d in divisors if d < wanted), *(d for d in divisors if d > wanted)][:2]
