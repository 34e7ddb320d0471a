"""Architecture: all integers and choices that determine a model's shape."""

from dataclasses import dataclass, fields
from operator import itemgetter
from typing import Any, NamedTuple

from slimlm.core.attention_choices import UNROTATED, WINDOWED
from slimlm.core.basic_choices import AUTO_HEAD_DIMS, MOST_HEADS, PREFERRED_HEAD_DIM
from slimlm.core.expert_choices import ExpertChoices
from slimlm.utils.validation import FieldError, documented, required_whole, whole

__all__ = [
    "AUTO_HEAD_DIMS",
    "MOST_HEADS",
    "NEWEST_FIELDS",
    "PREFERRED_HEAD_DIM",
    "Architecture",
    "Choices",
    "ModelDims",
    "width_multiple",
]


NEWEST_FIELDS = frozenset(
    {"window", "layer_pattern", "window_rope_theta", "rotary_share", "attention_scale", "attention_softcap"}
    | {"logit_softcap", "embedding_scale", "residual_scale", "logit_scale", "n_loops"}
    | ExpertChoices.__annotations__.keys()
)
"""Fields that records leave out at their default, so that records of earlier versions stay as they were."""


@dataclass(frozen=True, kw_only=True)
class Choices(ExpertChoices):
    """Choices that a request and a concrete architecture share; the solver does not change them.

    Raises ValueError, in one sentence, for a field outside its limits and for choices that exclude each other.
    """

    def chosen(self) -> dict[str, Any]:
        """Return the choices alone by field name, without what a request or an architecture adds to them."""
        return dict(zip(_CHOICE_NAMES, _chosen(vars(self)), strict=True))

    def changed(self) -> dict[str, Any]:
        """Return the choices that are not at their default, by field name."""
        return {field.name: value for field in fields(Choices) if (value := getattr(self, field.name)) != field.default}


_CHOICE_NAMES = tuple(field.name for field in fields(Choices))
_chosen = itemgetter(*_CHOICE_NAMES)


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
        self.check_depth(self.n_layers)

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
        """Return the architecture of a request's choices and of dimensions; `n_heads` is used with n_heads="auto".

        The choices were checked with the request, and the solver guarantees the dimensions: nothing is checked again,
        because the solver makes a dozen architectures per request.
        """
        fixed = choices.chosen()
        if choices.n_heads == "auto":
            fixed |= {"n_heads": n_heads, "head_dim": None}
        found = object.__new__(cls)
        vars(found).update(fixed, d_model=dims.d_model, d_ff=dims.d_ff, n_layers=dims.n_layers)
        return found

    @property
    def dims(self) -> ModelDims:
        """(d_model, d_ff, n_layers)."""
        return ModelDims(self.d_model, self.d_ff, self.n_layers)

    def concrete(self) -> dict[str, Any]:
        """Return every field by name, with n_kv_heads and head_dim as integers, and other widths that are used."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values |= {"n_kv_heads": self.kv_heads, "head_dim": self.head_width}
        if self.n_shared_experts:
            values["d_shared"] = self.d_shared or self.d_ff
        if self.n_dense_layers:
            values["d_dense"] = self.dense_width
        if self.has_latents:
            values["v_head_dim"] = self.value_width
        return values

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
    def layer_kinds(self) -> str:
        """Kind of each layer, one letter each: `layer_pattern` repeated over n_layers."""
        pattern = self.layer_pattern
        return (pattern * -(-self.n_layers // len(pattern)))[: self.n_layers]

    @property
    def n_windowed_layers(self) -> int:
        """Number of layers that attend to a window."""
        return self._layers_of(WINDOWED)

    @property
    def n_unrotated_layers(self) -> int:
        """Number of layers without rotary positions in a model that has them."""
        return self._layers_of(UNROTATED)

    def _layers_of(self, kind: str) -> int:
        """Count the layers of a kind without writing them out: a request's depth may be 10^15."""
        if kind not in self.layer_pattern:
            return 0
        repeats, rest = divmod(self.n_layers, len(self.layer_pattern))
        return repeats * self.layer_pattern.count(kind) + self.layer_pattern[:rest].count(kind)

    def cached_tokens(self, tokens: int) -> int:
        """Return the tokens that all layers together keep of a sequence: at most its window in a windowed layer."""
        windowed = self.n_windowed_layers
        return (self.n_layers - windowed) * tokens + windowed * min(tokens, self.window or tokens)

    @property
    def rotary_width(self) -> int:
        """Elements of a head that rotary positions turn: the even part of head_width · rotary_share.

        With latent attention they are qk_rope_head_dim elements beyond head_width.
        """
        if self.has_latents:
            return self.qk_rope_head_dim
        return int(self.head_width * self.rotary_share) // 2 * 2

    @property
    def glu_expansion(self) -> float:
        """d_ff / d_model."""
        return self.d_ff / self.d_model

    @property
    def query_width(self) -> int:
        """Width of one head's queries and keys: with latent attention head_dim and the part with rotary positions."""
        return self.head_width + (self.qk_rope_head_dim if self.has_latents else 0)

    @property
    def value_width(self) -> int:
        """Width of one head's values: v_head_dim, or head_dim when that is None."""
        return self.v_head_dim or self.head_width

    @property
    def shared_width(self) -> int:
        """Width of all shared experts together."""
        return self.n_shared_experts * (self.d_shared or self.d_ff)

    @property
    def dense_width(self) -> int:
        """Width of the feed-forward in the dense first layers: d_dense, or 4 · d_model when that is None."""
        return self.d_dense or 4 * self.d_model
