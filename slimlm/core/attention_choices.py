"""Choices about attention and scale: windows, layers without rotary positions, partial rotation, caps and factors."""

from dataclasses import dataclass

from slimlm.core.basic_choices import BasicChoices
from slimlm.utils.validation import Changes, FieldError, documented, letters, real, whole

WINDOWED, FULL, UNROTATED = "w", "f", "n"
"""Kinds of layers in `layer_pattern`: windowed, full, and full without rotary positions."""

LONGEST_PATTERN = 256
_USUAL_WINDOW = 512


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)  # only subclasses are made
class AttentionChoices(BasicChoices):
    """The choices of attention that few models make, and the factors and caps of their outputs.

    Raises ValueError, in one sentence, for a field outside its limits and for choices that exclude each other.
    """

    window: int | None = documented(
        "Tokens that a token of a windowed layer attends to, itself included; None is no window.",
        whole(None, 1, 100_000_000),
    )

    layer_pattern: str = documented(
        "Kinds of the layers from the first on, repeated over all layers: w attends to the window, f to every earlier "
        "token, n to every earlier token without rotary positions. wwwwwf is five windowed layers for one full.",
        letters(FULL, FULL + WINDOWED + UNROTATED, LONGEST_PATTERN),
    )

    window_rope_theta: float | None = documented(
        "Base of the rotary frequencies in windowed layers; None is that of the others.",
        real(None, 1.0, 1e12),
    )

    rotary_share: float = documented(
        "Part of each head that rotary positions turn, from its start; an odd number of elements is rounded down.",
        real(1.0, 0.001, 1.0),
    )

    attention_scale: float | None = documented(
        "Factor of the attention scores; None is 1 / √head_dim.",
        real(None, 1e-9, 1e9),
    )

    attention_softcap: float | None = documented(
        "Limit that the attention scores approach, by tanh, before softmax; None is no limit.",
        real(None, 1e-3, 1e9),
    )

    logit_softcap: float | None = documented(
        "Limit that the logits approach, by tanh; None is no limit.",
        real(None, 1e-3, 1e9),
    )

    embedding_scale: float = documented(
        "Factor of the token embeddings before the first block; Gemma has √d_model.",
        real(1.0, 1e-9, 1e9),
    )

    residual_scale: float = documented(
        "Factor of the outputs of attention and of the feed-forward before they are added to the residual stream.",
        real(1.0, 1e-9, 1e9),
    )

    logit_scale: float = documented("Factor of the logits, before their limit.", real(1.0, 1e-9, 1e9))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_window()
        self._check_rotation()

    def _check_window(self) -> None:
        pattern, window = self.layer_pattern, self.window
        remedies: Changes
        if window is not None and WINDOWED not in pattern:
            remedies = (("layer_pattern", WINDOWED), ("window", None))
            raise FieldError("window", window, "no layer is windowed", remedies, (("layer_pattern", pattern),))
        if window is None and WINDOWED in pattern:
            full = pattern.replace(WINDOWED, FULL)
            remedies = (("window", _USUAL_WINDOW), ("layer_pattern", full))
            raise FieldError("layer_pattern", pattern, "its windowed layers need a window", remedies)
        if window is None and self.window_rope_theta is not None:
            remedies = (("window_rope_theta", None),)
            raise FieldError("window_rope_theta", self.window_rope_theta, "no layer is windowed", remedies)

    def _check_rotation(self) -> None:
        if self.positions == "rope":
            return
        rope, given = ("positions", "rope"), (("positions", self.positions),)
        remedies: Changes
        if self.window_rope_theta is not None:
            remedies = (("window_rope_theta", None), rope)
            raise FieldError("window_rope_theta", self.window_rope_theta, "only RoPE has a base", remedies, given)
        if self.rotary_share != 1:
            remedies = (("rotary_share", 1.0), rope)
            raise FieldError("rotary_share", self.rotary_share, "only RoPE turns a part of a head", remedies, given)
        if UNROTATED in self.layer_pattern:
            remedies = (("layer_pattern", self.layer_pattern.replace(UNROTATED, FULL)), rope)
            raise FieldError("layer_pattern", self.layer_pattern, "only RoPE can be left out", remedies, given)


def shortest_pattern(kinds: str) -> str:
    """Return the shortest pattern that gives these layers, be it cut off after the last of them.

    >>> shortest_pattern("wwfwwfww"), shortest_pattern("fff"), shortest_pattern("wff")
    ('wwf', 'f', 'wff')
    """
    for length in range(1, len(kinds)):
        pattern = kinds[:length]
        if (pattern * (len(kinds) // length + 1))[: len(kinds)] == kinds:
            return pattern
    return kinds


def reduced_pattern(pattern: str) -> str:
    """Return the shortest pattern with the same layers for every number of layers.

    >>> reduced_pattern("wfwf"), reduced_pattern("wfw")
    ('wf', 'wfw')
    """
    lengths = (length for length in range(1, len(pattern) + 1) if len(pattern) % length == 0)
    return next(pattern[:length] for length in lengths if pattern[:length] * (len(pattern) // length) == pattern)


def regular_pattern(layers: int) -> str:
    """Return the pattern in which every `layers`-th layer is full and the others are windowed.

    >>> regular_pattern(6)
    'wwwwwf'
    """
    return WINDOWED * (layers - 1) + FULL
