"""Models side by side: every figure of each, and how far it is from a baseline's."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from slimlm.compare.pins import Pin
from slimlm.core.architecture import Architecture
from slimlm.core.describe import counted
from slimlm.core.named_model import Subject
from slimlm.costs import Cost, CostSettings, costs
from slimlm.serialization.fields import KNOBS
from slimlm.utils.formatting import UNITS, format_count, format_share

COMPONENT_NAMES = {
    "token_embedding": "Token embedding",
    "position_embedding": "Position embedding",
    "attention": "Attention",
    "ffn": "Feed-forward",
    "norms": "Norms",
    "final_norm": "Final norm",
    "lm_head": "LM head",
}
"""What each component is called in every model, from input to output; a model's own names say which kind it has."""

Value = int | float | str | bool | None

_MOST_NAMED = 3

NOTHING, EQUAL = "–", "="
"""What stands for a figure that a model does not have, and for a difference that there is not."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure of every model."""

    group: str
    key: str
    """Stable identifier."""
    name: str
    """What people call it."""
    values: tuple[Value, ...]
    """One for each model; None where it has no such figure."""
    write: Callable[[Any], str]
    """A value as people read it."""
    write_change: Callable[[Any], str]
    """A difference, without its sign, as people read it."""
    is_share: bool = False
    """Whether differences are percentage points, which have no relative size."""
    assumptions: tuple[str, ...] = ()
    """What each value counts and leaves out."""
    source: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The values as people read them."""
        return tuple(NOTHING if value is None else self.write(value) for value in self.values)

    @property
    def equal(self) -> bool:
        """Whether all models agree."""
        return len(set(self.values)) == 1

    def change(self, place: int, baseline: int) -> float | None:
        """Return the difference of a model's value from the baseline's; None where one of them is no number."""
        value, base = self.values[place], self.values[baseline]
        return value - base if _is_number(value) and _is_number(base) else None  # type: ignore[operator]

    def relative(self, place: int, baseline: int) -> float | None:
        """Return the difference over the baseline's value; None where that says nothing."""
        change, value, base = self.change(place, baseline), self.values[place], self.values[baseline]
        return change / base if change is not None and value and base and not self.is_share else None  # type: ignore[operator]

    def difference(self, place: int, baseline: int) -> str:
        """Say how far a model's value is from the baseline's; nothing for words that differ, which say it themselves.

        >>> line = Line(group="", key="", name="", values=(8, 8, 12, 96), write=str, write_change=str)
        >>> [line.difference(place, 0) for place in range(4)]
        ['=', '=', '+4 · +50.0 %', '+88 · ×12']
        """
        if self.values[place] == self.values[baseline]:
            return EQUAL
        return " · ".join(self.changes(place, baseline))

    def changes(self, place: int, baseline: int) -> list[str]:
        """Write the absolute and the relative difference, as far as there are such."""
        change, relative = self.change(place, baseline), self.relative(place, baseline)
        if not change:
            return []
        sign = "+" if change > 0 else "−"
        if self.is_share:
            return [f"{sign}{_digits(100 * abs(change))} points"]
        return [f"{sign}{self.write_change(abs(change))}", *([] if relative is None else [_relative(relative)])]

    @property
    def pieces(self) -> tuple[str, ...]:
        """What the values of all models assume, in pieces."""
        first, *rest = (text.split("; ") for text in self.assumptions)
        return tuple(piece for piece in first if all(piece in other for other in rest))

    def own_pieces(self, place: int) -> str:
        """Say what a model's value assumes besides what those of all assume."""
        return "; ".join(piece for piece in self.assumptions[place].split("; ") if piece not in self.pieces)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _relative(value: float) -> str:
    if value >= 9:
        return f"×{value + 1:,.0f}"
    return f"{'+' if value > 0 else '−'}{_digits(100 * abs(value))} %"


def _digits(value: float) -> str:
    return f"{value:.1f}" if value >= 0.05 else f"{value:.1g}"


@dataclass(frozen=True)
class Comparison:
    """Models under names, the place of the one that the others are measured against, and what their costs assume.

    Without a context_length in its settings it is the longest that every model takes, so that costs can be compared.

    Raises ValueError for a baseline that is none of the models.
    """

    pins: tuple[Pin, ...]
    baseline: int = 0
    settings: CostSettings = field(default_factory=CostSettings)

    def __post_init__(self) -> None:
        if not 0 <= self.baseline < len(self.pins):
            raise ValueError(
                f"baseline={self.baseline} is not allowed: it must be the place of one of {len(self.pins)} models, "
                "counted from 0; baseline=0 would work"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """What the models are called."""
        return tuple(pin.name for pin in self.pins)

    @property
    def title(self) -> str:
        """All names on one line, or how many models there are when that would be long.

        >>> from slimlm.core.config import ModelConfig
        >>> Comparison((Pin(ModelConfig(), "a"), Pin(ModelConfig(n_heads=10), "b"), Pin(ModelConfig(), "c"))).title
        'a, b and c side by side'
        """
        *first, last = self.names
        if len(first) > _MOST_NAMED:
            return f"{counted(len(self.pins), 'model')} side by side"
        return f"{', '.join(first)} and {last} side by side" if first else last

    @property
    def terms(self) -> CostSettings:
        """What the costs of all models assume, with the context that they share."""
        context = self.settings.context_length or longest_context(self.pins)
        return replace(self.settings, context_length=context)

    @property
    def terms_line(self) -> str:
        """Say what the costs assume, in one line."""
        terms = self.terms
        return " · ".join(
            [
                f"Costs at a context of {counted(terms.context_length or 0, 'token')}",
                f"training on {terms.accelerators:,} × {terms.chip.name} at {100 * terms.utilisation:g} % of its peak "
                f"and {terms.usd_per_hour:g} USD an hour",
                f"batch of {counted(terms.batch_size, 'sequence')}",
                f"decoding in {terms.decode_precision}",
            ]
        )

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Every figure of the models; raises ValueError for a context_length beyond the max_seq_length of one."""
        subjects = [pin.subject for pin in self.pins]
        return (*_shape([pin.architecture for pin in self.pins]), *_parameters(subjects), *self._costs())

    def shown(self, only_differences: bool) -> tuple[Line, ...]:
        """Return every line, or those in which the models differ."""
        return tuple(line for line in self.lines if not (only_differences and line.equal))

    def _costs(self) -> Iterator[Line]:
        every = [costs(pin.architecture, self.terms) for pin in self.pins]
        return (_cost_line(rows) for rows in zip(*every, strict=True))


def longest_context(pins: Sequence[Pin]) -> int:
    """Return the longest sequence that every model takes."""
    return min(pin.architecture.max_seq_length for pin in pins)


def _whole(value: int) -> str:
    return f"{value:,}"


def _real(value: float) -> str:
    return f"{value:,.0f}" if value >= 999.5 else f"{value:.3g}"


_counts = partial(Line, write=_whole, write_change=_whole)
_reals = partial(Line, write=_real, write_change=_real)
_shares = partial(Line, write=format_share, write_change=format_share, is_share=True)

_DIMENSIONS = {"n_layers": "Layers", "d_model": "Width (d_model)", "d_ff": "Feed-forward width (d_ff)"}
_NUMBERS = ("n_heads", "n_kv_heads", "head_dim", "vocab_size", "max_seq_length")
_CHOICES = ("tied_lm_head", "norm", "positions", "ffn", "bias", "qk_norm", "block", "lm_head_bias", "embedding_norm")
_DETAILS = ("position_offset", "dropout", "attention_dropout", "layer_norm_eps")


def _shape(archs: list[Architecture]) -> Iterator[Line]:
    def of(name: str) -> dict[str, Any]:
        label = _DIMENSIONS[name] if name in _DIMENSIONS else KNOBS[name].label
        return {"group": "Shape", "key": name, "name": label, "values": tuple(arch.concrete()[name] for arch in archs)}

    yield from (_counts(**of(name)) for name in _DIMENSIONS)
    expansions = tuple(arch.glu_expansion for arch in archs)
    yield _reals(group="Shape", key="glu_expansion", name="Expansion (d_ff / d_model)", values=expansions)
    aspects = tuple(arch.d_model / arch.n_layers for arch in archs)
    yield _reals(group="Shape", key="aspect_ratio", name="Aspect (d_model / layers)", values=aspects)
    yield from (_counts(**of(name)) for name in _NUMBERS)
    yield from (Line(**of(name), write=partial(_in_words, name), write_change=str) for name in _CHOICES)
    bases = tuple(arch.rope_theta if arch.positions == "rope" else None for arch in archs)
    yield _reals(**of("rope_theta") | {"values": bases})
    yield from (_reals(**of(name)) for name in _DETAILS)


def _in_words(name: str, value: str | bool) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return KNOBS[name].words[value]


def _parameters(subjects: list[Subject]) -> Iterator[Line]:
    counts = partial(_counts, group="Parameters", write_change=format_count)
    accounts = [subject.account for subject in subjects]
    yield counts(key="total_params", name="Total", values=tuple(found.total_params for found in accounts))
    ratios = tuple(found.embedding_ratio for found in accounts)
    yield _shares(group="Parameters", key="embedding_ratio", name="Embedding ratio", values=ratios)
    for key, name in COMPONENT_NAMES.items():
        yield counts(key=f"{key}_params", name=name, values=tuple(found[key].params for found in accounts))
    yield counts(key="layer_params", name="One block", values=tuple(found.layer_params for found in accounts))


def _cost_line(rows: tuple[Cost, ...]) -> Line:
    first = rows[0]
    return Line(
        group=first.group,
        key=first.key,
        name=first.name,
        values=tuple(row.value for row in rows),
        write=UNITS[first.unit],
        write_change=UNITS[first.unit],
        is_share=first.unit in ("miss", "share"),
        assumptions=tuple(row.assumption for row in rows),
        source=first.source,
    )
