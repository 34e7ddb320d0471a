"""Architecture: all integers and choices that determine a model's shape."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from slimlm.utils.validation import FieldError, check_fields, choice, documented, real, required_whole, whole

Norm = Literal["layernorm", "rmsnorm", "layernorm_no_bias", "layernorm_no_params"]
Positions = Literal["learned", "rope", "none", "alibi"]
FeedForward = Literal["swiglu", "geglu", "gelu", "relu"]
Bias = Literal["none", "qkv", "attention", "ffn", "output_ffn", "all"]
QkNorm = Literal["none", "head", "full"]
Block = Literal["pre_norm", "sandwich_norm", "output_norm", "parallel", "parallel_one_norm"]

MOST_HEADS = 1024
"""Most attention heads per layer."""

AUTO_HEAD_DIMS = range(16, 257, 2)
"""Values of head_dim among which n_heads="auto" chooses."""

PREFERRED_HEAD_DIM = 64
"""The head_dim that n_heads="auto" prefers unless the request gives one."""

_MOST_AUTO_KV_HEADS = 256


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Choices that a request and a concrete architecture share; the solver does not change them.

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
        "Feed-forward: SwiGLU and GeGLU have a gate and three matrices, GELU and ReLU are plain with two.",
        choice("swiglu", "geglu", "gelu", "relu"),
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
        return self.ffn in ("swiglu", "geglu")

    def changed(self) -> dict[str, Any]:
        """Return the choices that are not at their default, by field name."""
        return {field.name: value for field in fields(Choices) if (value := getattr(self, field.name)) != field.default}


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


def width_multiple(n_heads: int, head_dim: int | None, positions: str) -> int:
    """Return the number that d_model must be a multiple of: n_heads, twice that with RoPE, 1 when head_dim is given.

    Rotary positions rotate pairs of elements, so that a head's width must be even.
    """
    if head_dim is not None:
        return 1
    return 2 * n_heads if positions == "rope" else n_heads


class ModelDims(NamedTuple):
    """The three integers that the solver finds."""

    d_model: int
    d_ff: int
    n_layers: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Architecture(Choices):
    """A concrete decoder-only transformer.

    By default pre-norm, with learned positions, LayerNorm, multi-head attention and SwiGLU without biases, and a tied
    LM head. head_dim and n_kv_heads may be None; `head_width` and `kv_heads` are the concrete integers, so that
    `dataclasses.replace` of another field leaves None in place. Architectures with the same concrete integers and
    choices are equal.

    Raises ValueError for a field outside its limits, for choices that exclude each other, and for a d_model that the
    heads do not divide when head_dim is left open.
    """

    n_heads: int = documented(
        "Attention heads per layer. d_model is a multiple of it (of twice it with RoPE) unless head_dim is given.",
        whole(8, 1, MOST_HEADS),
    )

    d_model: int = documented("Width of the residual stream.", required_whole(1, 10**15))

    d_ff: int = documented(
        "Inner width of the feed-forward: rows of its gate and up projections.",
        required_whole(1, 10**15),
    )

    n_layers: int = documented("Number of transformer blocks.", required_whole(1, 10**15))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head_dim is None:
            self._check_width()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Architecture):
            return NotImplemented
        return self.concrete() == other.concrete()

    def __hash__(self) -> int:
        return hash(tuple(self.concrete().values()))

    def _check_width(self) -> None:
        grain = width_multiple(self.n_heads, None, self.positions)
        if self.d_model % grain:
            unit = f"{{n_heads}}={grain}" if grain == self.n_heads else f"2·{{n_heads}}={grain} (RoPE turns pairs)"
            below = self.d_model - self.d_model % grain
            working = tuple(("d_model", width) for width in (below, below + grain) if width)
            raise FieldError("d_model", self.d_model, f"it must be a multiple of {unit}", working)

    @classmethod
    def of(cls, choices: Choices, dims: ModelDims, n_heads: int | None = None) -> "Architecture":
        """Return the architecture of a request's choices and of dimensions; `n_heads` is used with n_heads="auto"."""
        fixed = {field.name: getattr(choices, field.name) for field in fields(Choices)}
        if choices.n_heads == "auto":
            fixed |= {"n_heads": n_heads, "head_dim": None}
        return cls(**fixed, **dims._asdict())

    @property
    def dims(self) -> ModelDims:
        """(d_model, d_ff, n_layers)."""
        return ModelDims(self.d_model, self.d_ff, self.n_layers)

    def concrete(self) -> dict[str, Any]:
        """Return every field by name, with n_kv_heads and head_dim as integers."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"n_kv_heads": self.kv_heads, "head_dim": self.head_width}

    @property
    def kv_heads(self) -> int:
        """Number of KV heads: n_kv_heads, or n_heads when that is None."""
        return self.n_heads if self.n_kv_heads is None else self.n_kv_heads

    @property
    def head_width(self) -> int:
        """Width of one attention head: head_dim, or d_model / n_heads when that is None."""
        return self.d_model // self.n_heads if self.head_dim is None else self.head_dim

    @property
    def glu_expansion(self) -> float:
        """d_ff / d_model."""
        return self.d_ff / self.d_model
