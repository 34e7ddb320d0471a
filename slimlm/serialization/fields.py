"""Fields of a request as controls, and the codec of their values as text, for links and flags."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from slimlm.core.budget_text import budget_label, read_bytes, write_bytes
from slimlm.core.config import UNWRITTEN_FIELDS, Budget, ModelConfig, written
from slimlm.core.names import OPTION_NAMES
from slimlm.core.precision import Precision
from slimlm.utils.formatting import format_size, parse_number, parse_size
from slimlm.utils.validation import check_field, field_docs, is_real, nearest_allowed

Value = int | float | bool | str | None

_MANTISSAS = (1, 1.1, 1.25, 1.4, 1.6, 1.8, 2, 2.25, 2.5, 2.75, 3, 3.5, 4, 4.5, 5, 5.5, 6, 7, 8, 9)
TOTALS = (*(round(m * 10**power) for power in range(6, 10) for m in _MANTISSAS), 10**10)
_SMALL_VOCABULARIES = (256, 512, 1024, 2048, 4096, 8192, 10_000, 16_000, 24_000, 32_000, 32_768, 40_000)
_LARGE_VOCABULARIES = (49_152, 50_257, 50_304, 65_536, 80_000, 100_352, 128_256, 151_936, 200_064, 256_000, 262_144)
VOCABULARIES = _SMALL_VOCABULARIES + _LARGE_VOCABULARIES
RATIOS = tuple(percent / 100 for percent in range(1, 91))
EXPANSIONS = tuple(sorted({tenth / 10 for tenth in range(5, 81)} | {2.66}))
HEAD_COUNTS = ("auto", 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 14, 15, 16, 20, 24, 25, 28, 32, 40, 48, 64, 96, 128)
ALIGNMENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

LATER_FIELDS = frozenset(
    {"n_kv_heads", "head_dim", "norm", "positions", "ffn", "bias", "qk_norm", "block"}
    | {"rope_theta", "lm_head_bias", "embedding_norm", "position_offset"}
    | UNWRITTEN_FIELDS
)
"""Fields that were added after the first designs were saved. Their defaults describe those designs.

Saved files may lack them, and generated code leaves them out at their default.
"""


@dataclasses.dataclass(frozen=True)
class Knob:
    """One field of a request as a control."""

    field: str
    label: str
    options: tuple[Any, ...] = ()
    """Slider stops; empty for a number field, a switch or a choice."""
    write: Callable[[Any], str] = str
    """Convert a value to text, for sliders and links. Links that exist depend on the form."""
    read: Callable[[str], Value] = parse_size
    unset: str = ""
    """Meaning of None."""
    words: dict[str, str] = dataclasses.field(default_factory=dict)
    """Options of a choice, each with its display name."""

    @property
    def default(self) -> Value:
        """The field's default."""
        return cast(
            "Value", next(field.default for field in dataclasses.fields(ModelConfig) if field.name == self.field)
        )

    @property
    def is_real(self) -> bool:
        """Whether the values are real numbers."""
        return is_real(ModelConfig, self.field)

    @property
    def help(self) -> str:
        """Documentation of the field."""
        return field_docs(ModelConfig)[self.field]

    def display(self, value: Any) -> str:
        """Convert a value to text for readers, with separators where a link has none.

        >>> KNOBS["vocab_size"].display(16_000), KNOBS["total_params"].display(10_000_000), RATIO.display("auto")
        ('16,000', '10M', 'auto')
        """
        return f"{value:,}" if isinstance(value, int) and self.write is str else self.write(value)

    def stops(self, value: Value) -> list[Any]:
        """Return the slider's stops and a value that may lie between them; words come first."""
        stops = {*self.options, *([] if value is None else [value])}
        return sorted(stops, key=lambda stop: (not isinstance(stop, str), stop))

    def from_text(self, text: str) -> Value:
        """Read a value from text.

        Raises ValueError, with the rule and what would work, for text that is not a valid value.
        """
        value = self.read(text)
        check_field(ModelConfig, self.field, value)
        return value

    def as_linked(self, value: Value) -> Value:
        """Round a real value as a link does; other values are returned unchanged."""
        return self.read(self.write(value)) if self.is_real and value is not None else value

    def nearest(self, text: str) -> Value:
        """Return the valid value nearest to the text: the value itself, the limit it exceeds, or the default."""
        try:
            return self.from_text(text)
        except ValueError:
            pass
        try:
            return nearest_allowed(ModelConfig, self.field, self.read(text))  # type: ignore[return-value]
        except ValueError:
            return self.default


def _write_number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.10g}"


def _write_switch(value: bool) -> str:
    return str(value).lower()


def _read_switch(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text[:40]!r} is neither true nor false")
    return text.lower() == "true"


def _read_optional(text: str) -> int | None:
    return parse_size(text) if text.strip() else None


def _write_exact(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _read_exact(text: str) -> float | None:
    """Read a real number with all its digits; a percentage or fraction as other knobs do; None for empty text."""
    if not text.strip():
        return None
    try:
        value = float(text) if len(text) <= 40 else math.nan
    except ValueError:
        return parse_number(text)
    return value if math.isfinite(value) else parse_number(text)


def _read_pattern(text: str) -> str:
    return text.strip().lower()


def _read_heads(text: str) -> int | str:
    if text.strip().lower() == "auto":
        return "auto"
    try:
        return parse_size(text)
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is neither auto nor a whole number") from error


def _read_ratio(text: str) -> float | str:
    """Read a ratio; from 2 on, a number is a percentage, as a ratio is below 1."""
    if text.strip().lower() == "auto":
        return "auto"
    value = parse_number(text)
    return round(value / 100, 6) if 2 <= value < 100 else value


_number = partial(Knob, write=_write_number, read=parse_number)
_exact = partial(Knob, write=_write_exact, read=_read_exact)
_switch = partial(Knob, write=_write_switch, read=_read_switch)


def _choice(field: str, label: str) -> Knob:
    return Knob(field, label, read=str, words={word: name.label for word, name in OPTION_NAMES[field].items()})


RATIO = _number("embedding_ratio", "Embedding ratio", RATIOS, read=_read_ratio)
TOTAL = Knob("total_params", "Total parameters", TOTALS, format_size)
SLIDERS = (
    TOTAL,
    Knob("vocab_size", "Vocabulary size", VOCABULARIES),
    RATIO,
    _number("glu_expansion", "GLU expansion", EXPANSIONS),
)
BUDGET = _choice("budget", "Budget counts")
BUDGET_PRECISION = _choice("budget_precision", "Precision of the budget")
HEADS = Knob("n_heads", "Attention heads", HEAD_COUNTS, read=_read_heads)
TIED = _switch("tied_lm_head", "Tied LM head")
STRUCTURE = (
    _choice("norm", "Norm"),
    _choice("positions", "Positions"),
    _choice("ffn", "Feed-forward"),
    _choice("qk_norm", "QK-norm"),
    _choice("bias", "Biases"),
)
BLOCK = _choice("block", "Block")
KV_HEADS = Knob("n_kv_heads", "KV heads", read=_read_optional, unset="as many as heads")
HEAD_DIM = Knob("head_dim", "Head dimension", read=_read_optional, unset="d_model / heads")
ROPE_BASE = _number("rope_theta", "RoPE base")
OFFSET = Knob("position_offset", "Extra position rows")
DEPTH = Knob("n_layers", "Fixed number of layers", read=_read_optional, unset="chosen by the solver")
LOOPS = Knob("n_loops", "Times the layers are used")
LENGTH = Knob("max_seq_length", "Maximum sequence length")
ALIGNMENT = Knob("multiple_of", "Hardware alignment", ALIGNMENTS)
WINDOW = Knob("window", "Attention window", read=_read_optional, unset="no window")
PATTERN = Knob("layer_pattern", "Layer pattern", read=_read_pattern)
WINDOW_BASE = _exact("window_rope_theta", "RoPE base in windows", unset="that of the other layers")
ROTARY = _number("rotary_share", "Rotary share")
SCALES = (
    _exact("attention_scale", "Attention scale", unset="1 / √head_dim"),
    _exact("attention_softcap", "Attention soft-cap", unset="no cap"),
    _exact("logit_softcap", "Logit soft-cap", unset="no cap"),
    _exact("embedding_scale", "Embedding scale"),
    _exact("residual_scale", "Residual scale"),
    _exact("logit_scale", "Logit scale"),
)
WINDOWS = (WINDOW, PATTERN, WINDOW_BASE, ROTARY, *SCALES)
_optional = partial(Knob, read=_read_optional)
N_EXPERTS = Knob("n_experts", "Routed experts")
OF_EXPERTS = (
    Knob("experts_per_token", "Experts per token"),
    Knob("n_shared_experts", "Shared experts"),
    _optional("d_shared", "Width of a shared expert", unset="d_ff"),
    _switch("shared_expert_gate", "Gate of shared experts"),
    Knob("n_dense_layers", "Dense first layers"),
    _optional("d_dense", "Width of dense layers", unset="4 · d_model"),
    _choice("router", "Router"),
    _switch("normalise_router", "Normalised router"),
    _exact("routed_scale", "Scale of routed experts"),
    Knob("n_expert_groups", "Groups of experts"),
    Knob("groups_per_token", "Groups per token"),
)
KV_LATENT = _optional("kv_lora_rank", "KV latent", unset="plain attention")
OF_LATENTS = (
    _optional("q_lora_rank", "Query latent", unset="none"),
    Knob("qk_rope_head_dim", "Rotary part of a head"),
    _optional("v_head_dim", "Head dimension of values", unset="head dimension"),
)
EXPERTS = (N_EXPERTS, *OF_EXPERTS, KV_LATENT, *OF_LATENTS)
EXTRAS = (_switch("lm_head_bias", "LM head bias"), _switch("embedding_norm", "Embedding norm"))
REGULARISATION = (
    _number("dropout", "Dropout"),
    _number("attention_dropout", "Attention dropout"),
    _number("layer_norm_eps", "Norm epsilon"),
)
_NUMBERS = (KV_HEADS, HEAD_DIM, ROPE_BASE, OFFSET, DEPTH, LENGTH, ALIGNMENT, LOOPS)
_BUDGETS = (BUDGET, BUDGET_PRECISION)
KNOBS: dict[str, Knob] = {
    knob.field: knob
    for knob in (
        *(*SLIDERS, HEADS, TIED, *STRUCTURE, BLOCK, *_NUMBERS, *EXTRAS, *REGULARISATION),
        *(*_BUDGETS, *WINDOWS, *EXPERTS),
    )
}


def total_knob(budget: Budget, precision: Precision) -> Knob:
    """Return the control of the total for what a budget counts: its name, and its unit in texts for readers.

    >>> total_knob("bytes", "int8").display(16_000_000), total_knob("non_embedding", "int8").label
    ('16 MB', 'Non-embedding')
    """
    label = budget_label(budget, precision)
    if budget != "bytes":
        return dataclasses.replace(TOTAL, label=label)
    return dataclasses.replace(TOTAL, label=label, write=write_bytes, read=read_bytes)


def values_of(config: ModelConfig) -> dict[str, Value]:
    """Return the values of a request's fields, with real values rounded as in a link."""
    return {name: knob.as_linked(getattr(config, name)) for name, knob in KNOBS.items()}


def to_query(values: Mapping[str, Value]) -> dict[str, str]:
    """Return values as the query of a link, including defaults except those of `UNWRITTEN_FIELDS`."""
    return {name: KNOBS[name].write(value) for name, value in written(values).items() if value is not None}


def to_short_query(values: Mapping[str, Value]) -> dict[str, str]:
    """Return the values that are not at their default as a query, for the address bar."""
    return to_query({name: value for name, value in values.items() if value != KNOBS[name].default})


def complaint(field: str, text: str) -> str:
    """Return why a value in a link is ignored and which one is used instead; empty for a valid value."""
    knob = KNOBS[field]
    try:
        knob.from_text(text)
    except ValueError as error:
        nearest = knob.nearest(text)
        shown = "none" if nearest is None else knob.display(nearest)
        return f"The link's {field} was ignored and {shown} is shown: {error}."
    return ""
