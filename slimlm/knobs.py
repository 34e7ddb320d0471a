"""The knobs of the pages as plain data: their options, and how each value is written in a link and read back."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, cast

from slimlm.config import ModelConfig
from slimlm.fields import field_docs, nearest_allowed
from slimlm.units import format_size, parse_number, parse_size

Value = int | float | bool | None

_MANTISSAS = (1, 1.1, 1.25, 1.4, 1.6, 1.8, 2, 2.25, 2.5, 2.75, 3, 3.5, 4, 4.5, 5, 5.5, 6, 7, 8, 9)
TOTALS = (*(round(m * 10**power) for power in range(6, 10) for m in _MANTISSAS), 10**10)
_SMALL_VOCABULARIES = (256, 512, 1024, 2048, 4096, 8192, 10_000, 16_000, 24_000, 32_000, 32_768, 40_000)
_LARGE_VOCABULARIES = (49_152, 50_257, 50_304, 65_536, 80_000, 100_352, 128_256, 151_936, 200_064, 256_000, 262_144)
VOCABULARIES = _SMALL_VOCABULARIES + _LARGE_VOCABULARIES
RATIOS = tuple(percent / 100 for percent in range(1, 91))
EXPANSIONS = tuple(sorted({tenth / 10 for tenth in range(5, 81)} | {2.66}))
ALIGNMENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Knob:
    """One field of a request as a control."""

    field: str
    label: str
    options: tuple[int, ...] | tuple[float, ...] = ()
    """Stops of its slider; empty for a number field or a switch."""
    write: Callable[[Any], str] = str
    """The value as text that `read` takes back: shown at the slider and in a link, so never to be changed."""
    read: Callable[[str], Value] = parse_size

    @property
    def default(self) -> Value:
        """The field's default."""
        return cast("Value", next(field.default for field in fields(ModelConfig) if field.name == self.field))

    @property
    def help(self) -> str:
        """The field's docstring."""
        return " ".join(field_docs(ModelConfig)[self.field].split())

    def stops(self, value: Value) -> list[Any]:
        """Return the slider's stops with a value of any precision among them."""
        return sorted({*self.options, value}) if value is not None else list(self.options)

    def from_text(self, text: str) -> Value:
        """Read a value from a link or a text field.

        Raises ValueError, with the rule and what would work, for text that is no value of this field.
        """
        value = self.read(text)
        ModelConfig(**{self.field: value})  # type: ignore[arg-type]
        return value

    def nearest(self, text: str) -> Value:
        """Return the allowed value nearest to the text: the limit that it oversteps, or else the default."""
        try:
            return nearest_allowed(ModelConfig, self.field, self.read(text))  # type: ignore[return-value]
        except ValueError:
            return self.default


def _write_number(value: float) -> str:
    return f"{value:.10g}"


def _write_switch(value: bool) -> str:
    return str(value).lower()


def _read_switch(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text[:40]!r} is neither true nor false")
    return text.lower() == "true"


def _read_depth(text: str) -> int | None:
    return parse_size(text) if text.strip() else None


SLIDERS = (
    Knob("total_params", "Total parameters", TOTALS, format_size),
    Knob("vocab_size", "Vocabulary size", VOCABULARIES),
    Knob("embedding_ratio", "Embedding ratio", RATIOS, _write_number, parse_number),
    Knob("glu_expansion", "GLU expansion", EXPANSIONS, _write_number, parse_number),
)
HEADS = Knob("n_heads", "Attention heads")
TIED = Knob("tied_lm_head", "Tied LM head", write=_write_switch, read=_read_switch)
MORE = (
    Knob("n_layers", "Pinned depth (layers)", read=_read_depth),
    Knob("max_seq_length", "Maximum sequence length"),
)
ALIGNMENT = Knob("multiple_of", "Hardware alignment", ALIGNMENTS)
REGULARISATION = (
    Knob("dropout", "Dropout", write=_write_number, read=parse_number),
    Knob("attention_dropout", "Attention dropout", write=_write_number, read=parse_number),
    Knob("layer_norm_eps", "LayerNorm epsilon", write=_write_number, read=parse_number),
)
KNOBS: dict[str, Knob] = {knob.field: knob for knob in (*SLIDERS, HEADS, TIED, *MORE, ALIGNMENT, *REGULARISATION)}

_aligned = partial(ModelConfig, vocab_size=32_000, max_seq_length=2048)

PRESETS: dict[str, ModelConfig] = {
    "10M, the default": ModelConfig(),
    "10M, little embedding, narrow SwiGLU": ModelConfig(embedding_ratio=0.25, glu_expansion=2.0),
    "10M, little embedding, wide SwiGLU": ModelConfig(embedding_ratio=0.25, glu_expansion=4.0),
    "10M, much embedding, narrow SwiGLU": ModelConfig(embedding_ratio=0.45, glu_expansion=2.0),
    "10M, much embedding, wide SwiGLU": ModelConfig(embedding_ratio=0.45, glu_expansion=4.0),
    "30M, multiples of 8": ModelConfig(total_params=30_000_000, embedding_ratio=0.2, n_heads=6, multiple_of=8),
    "125M, multiples of 32": _aligned(total_params=125_000_000, embedding_ratio=0.15, n_heads=9, multiple_of=32),
    "350M, multiples of 32": _aligned(total_params=350_000_000, embedding_ratio=0.09, n_heads=15, multiple_of=32),
    "1B, multiples of 128": _aligned(total_params=10**9, embedding_ratio=0.065, n_heads=16, multiple_of=128),
}
"""Requests to start from: the default, the corners of the grid 25–45 % × 2–4 around it, and larger models."""


def to_query(config: ModelConfig) -> dict[str, str]:
    """Write a request as the query of a link: every knob, defaults included."""
    values = ((knob, getattr(config, name)) for name, knob in KNOBS.items())
    return {knob.field: knob.write(value) for knob, value in values if value is not None}


def complaint(field: str, text: str) -> str:
    """Say why a value in a link cannot be used and what is shown instead; nothing when it can."""
    knob = KNOBS[field]
    try:
        knob.from_text(text)
    except ValueError as error:
        nearest = knob.nearest(text)
        shown = "none" if nearest is None else knob.write(nearest)
        return f"The link's {field} was ignored and {shown} is shown: {error}."
    return ""
