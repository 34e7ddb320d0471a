"""Architecture: all integers and choices that determine a model's shape."""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from slimlm.core.basic_choices import AUTO_HEAD_DIMS, MOST_HEADS, PREFERRED_HEAD_DIM, BasicChoices
from slimlm.utils.validation import FieldError, documented, required_whole, whole

__all__ = [
    "AUTO_HEAD_DIMS",
    "MOST_HEADS",
    "PREFERRED_HEAD_DIM",
    "Architecture",
    "Choices",
    "ModelDims",
    "width_multiple",
]


@dataclass(frozen=True, kw_only=True)
class Choices(BasicChoices):
    """Choices that a request and a concrete architecture share; the solver does not change them.

    Raises ValueError, in one sentence, for a field outside its limits and for choices that exclude each other.
    """

    def changed(self) -> dict[str, Any]:
        """Return the choices that are not at their default, by field name."""
        return {field.name: value for field in fields(Choices) if (value := getattr(self, field.name)) != field.default}


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
    def layers_run(self) -> int:
        """Blocks that a token passes through: n_layers, n_loops times."""
        return self.n_layers * self.n_loops

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
