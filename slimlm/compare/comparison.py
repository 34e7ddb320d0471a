"""Comparison of pinned models: quantities of each, and their differences from a baseline."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from slimlm.compare.pins import Pin
from slimlm.core.describe import counted
from slimlm.core.names import COMPONENT_NAMES
from slimlm.costs import Cost, CostSettings, costs
from slimlm.costs.laws import CHINCHILLA_TOKENS_PER_PARAM
from slimlm.costs.quantity import Quantity, Workload
from slimlm.costs.shape import SHAPE_QUANTITIES
from slimlm.notes.note import format_number
from slimlm.serialization.fields import KNOBS
from slimlm.utils.formatting import Unit, format_count
from slimlm.utils.text import listed
from slimlm.utils.validation import FieldError

Value = int | float | str | bool | None

_MOST_NAMED = 4

NOTHING, EQUAL, ZERO = "–", "=", "±0"
"""Text of a missing value, of an equal value, and of a difference that rounds to nothing."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """The values of one quantity for every model."""

    quantity: Quantity
    group: str
    """Heading in tables."""
    values: tuple[Value, ...]
    """One for each model; None where a model has no such value."""
    labels: Mapping[str | bool, str] = field(default_factory=dict)
    """Display names of values that are choices instead of numbers."""
    assumptions: tuple[tuple[str, ...], ...] = ()
    """Assumptions behind the value of each model, one statement each."""
    source: str = ""

    @property
    def key(self) -> str:
        """Stable identifier."""
        return self.quantity.key

    @property
    def name(self) -> str:
        """Display name."""
        return self.quantity.name

    @property
    def texts(self) -> tuple[str, ...]:
        """The values with their units."""
        return tuple(map(self._write, self.values))

    def _write(self, value: Value) -> str:
        if value is None:
            return NOTHING
        return self.labels[value] if isinstance(value, str | bool) else self.quantity.write(value)

    @property
    def equal(self) -> bool:
        """Whether all models agree."""
        return len(set(self.values)) == 1

    def change(self, place: int, baseline: int) -> float | None:
        """Return the difference of a model's value from the baseline's; None unless both are numbers."""
        value, base = self.values[place], self.values[baseline]
        return value - base if _is_number(value) and _is_number(base) else None  # type: ignore[operator]

    def relative(self, place: int, baseline: int) -> float | None:
        """Return the difference over the baseline's value; None for shares and where one value is zero."""
        change, value, base = self.change(place, baseline), self.values[place], self.values[baseline]
        return change / base if change is not None and value and base and not self._is_share else None  # type: ignore[operator]

    def difference(self, place: int, baseline: int) -> str:
        """Write a model's difference from the baseline; empty for choices that differ.

        >>> line = Line(quantity=SHAPE_QUANTITIES["n_layers"], group="Shape", values=(8, 8, 12, 36))
        >>> [line.difference(place, 0) for place in range(4)]
        ['=', '=', '+4 · +50.0 %', '+28 · ×4.5']
        """
        if self.values[place] == self.values[baseline]:
            return EQUAL
        return " · ".join(self.changes(place, baseline))

    def changes(self, place: int, baseline: int) -> list[str]:
        """Write the absolute and the relative difference where they exist, and "±0" for what rounds to it."""
        change, relative = self.change(place, baseline), self.relative(place, baseline)
        if not change:
            return []
        absolute, others = self._absolute(change), [] if relative is None else [_relative(relative)]
        if absolute != ZERO:
            return [absolute, *others]
        return [text for text in others if not text.startswith(ZERO)] or [ZERO]

    def _absolute(self, change: float) -> str:
        sign = "+" if change > 0 else "−"
        if self._is_share:
            points = f"{100 * abs(change):.1f}"
            return ZERO if points == "0.0" else f"{sign}{points} points"
        size = self.quantity.write_short(abs(change))
        return ZERO if size == self.quantity.write_short(0) else f"{sign}{size}"

    def is_unchanged(self, place: int, baseline: int) -> bool:
        """Whether a model's value equals that of the baseline, or differs by what rounds to nothing."""
        return self.values[place] == self.values[baseline] or self.changes(place, baseline) == [ZERO]

    @property
    def _is_share(self) -> bool:
        """Whether differences are percentage points, which have no relative size."""
        return self.quantity.unit in ("miss", "share")

    @property
    def shared_assumptions(self) -> tuple[str, ...]:
        """Assumptions common to all models."""
        first, *rest = self.assumptions
        return tuple(text for text in first if all(text in other for other in rest))

    def own_assumptions(self, place: int) -> tuple[str, ...]:
        """Return the assumptions of one model that not all models share."""
        shared = self.shared_assumptions
        return tuple(text for text in self.assumptions[place] if text not in shared)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _relative(value: float) -> str:
    """Write a relative difference in percent, as a factor from twice on, and as a divisor from a tenth on."""
    if value >= 1:
        return f"×{format_number(value + 1)}"
    if value <= -0.9:
        return f"÷{format_number(1 / (value + 1))}"
    percent = f"{100 * abs(value):.1f}"
    return f"{ZERO} %" if percent == "0.0" else f"{'+' if value > 0 else '−'}{percent} %"


@dataclass(frozen=True)
class Comparison:
    """Pinned models, the index of the baseline, and the settings of their costs.

    Settings without a context_length take the longest that every model supports, so that costs are comparable.

    Raises FieldError for a baseline outside the models.
    """

    pins: tuple[Pin, ...]
    baseline: int = 0
    settings: CostSettings = field(default_factory=CostSettings)

    def __post_init__(self) -> None:
        if not 0 <= self.baseline < len(self.pins):
            rule = f"it must be the index of one of {len(self.pins)} models, counted from 0"
            raise FieldError("baseline", self.baseline, rule, (("baseline", 0),))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the models."""
        return tuple(pin.name for pin in self.pins)

    @property
    def quoted(self) -> tuple[str, ...]:
        """Names for a sentence: in quotation marks where they are more than a word."""
        return tuple(f"“{name}”" if " " in name else name for name in self.names)

    @property
    def title(self) -> str:
        """All names on one line, or the number of models when there are many.

        >>> from slimlm.core.config import ModelConfig
        >>> Comparison((Pin(ModelConfig(), "a"), Pin(ModelConfig(n_heads=10), "b"), Pin(ModelConfig(), "c"))).title
        'a, b and c side by side'
        """
        if len(self.pins) > _MOST_NAMED:
            return f"{counted(len(self.pins), 'model')} side by side"
        return f"{listed(self.names)} side by side" if len(self.pins) > 1 else self.names[0]

    @property
    def terms(self) -> CostSettings:
        """Settings of the costs, with the shared context length filled in."""
        context = self.settings.context_length or longest_context(self.pins)
        return replace(self.settings, context_length=context)

    @property
    def terms_line(self) -> str:
        """The settings of the costs on one line."""
        terms = self.terms
        return " · ".join(
            [
                f"Costs at a context of {counted(terms.context_length or 0, 'token')}",
                f"training on {self._tokens} with {terms.accelerators:,} × {terms.chip.name} at "
                f"{100 * terms.utilisation:g} % of its peak and {terms.usd_per_hour:g} USD an hour",
                f"batch of {counted(terms.batch_size, 'sequence')}",
                f"decoding in {terms.decode_precision}",
            ]
        )

    @property
    def _tokens(self) -> str:
        tokens = self.settings.training_tokens
        return f"{format_count(tokens)} tokens" if tokens else f"{CHINCHILLA_TOKENS_PER_PARAM} tokens per parameter"

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Every quantity of the models; raises ValueError for a context_length beyond the max_seq_length of one."""
        loads = [Workload(pin.subject.account, self.terms) for pin in self.pins]
        rows = [costs(load.account, load.settings) for load in loads]
        return (*_shape(loads), *_parameters(loads), *map(_cost_line, zip(*rows, strict=True)))

    @property
    def are_equal(self) -> bool:
        """Whether all models agree in every quantity."""
        return all(line.equal for line in self.lines)

    def line(self, key: str) -> Line:
        """Return the values of one quantity."""
        return next(line for line in self.lines if line.key == key)

    @property
    def equal_lines(self) -> tuple[Line, ...]:
        """The quantities in which all models agree."""
        return tuple(line for line in self.lines if line.equal)


def longest_context(pins: Sequence[Pin]) -> int:
    """Return the longest sequence that every model supports."""
    return min(pin.architecture.max_seq_length for pin in pins)


_DIMENSIONS = ("n_layers", "d_model", "d_ff", "glu_expansion", "aspect_ratio")
_NUMBERS = ("n_heads", "n_kv_heads", "head_dim", "vocab_size", "max_seq_length")
_CHOICES = ("tied_lm_head", "norm", "positions", "ffn", "bias", "qk_norm", "block", "lm_head_bias", "embedding_norm")
DETAILS = ("rope_theta", "position_offset", "dropout", "attention_dropout", "layer_norm_eps")
"""Numbers whose ratio says nothing about their effect."""


def _shape(loads: Sequence[Workload]) -> Iterator[Line]:
    for key in _DIMENSIONS:
        yield _line(SHAPE_QUANTITIES[key], "Shape", loads)
    if any(load.account.architecture.n_loops > 1 for load in loads):
        yield _line(_field("n_loops", "whole"), "Shape", loads)
    for name in _NUMBERS:
        yield _line(_field(name, "whole"), "Shape", loads)
    for name in _CHOICES:
        yield replace(_line(_field(name, "whole"), "Shape", loads), labels=_labels(name))
    for name in DETAILS:
        yield _line(_field(name, "real"), "Shape", loads)


def _labels(name: str) -> Mapping[str | bool, str]:
    labels: dict[str | bool, str] = {True: "Yes", False: "No"}
    labels.update(KNOBS[name].words)
    return labels


def _field(name: str, unit: Unit) -> Quantity:
    """Return a field of the architecture as a quantity, with choices as they are."""

    def value(work: Workload) -> Any:
        arch = work.account.architecture
        return None if name == "rope_theta" and arch.positions != "rope" else arch.concrete()[name]

    return Quantity(key=name, name=KNOBS[name].label, unit=unit, of=value)


def _parameters(loads: Sequence[Workload]) -> Iterator[Line]:
    for key in ("total_params", "non_embedding_params", "embedding_ratio"):
        yield _line(SHAPE_QUANTITIES[key], "Parameters", loads)
    for key, name in COMPONENT_NAMES.items():
        yield _line(_component(key, name), "Parameters", loads)
    block = Quantity(key="layer_params", name="One block", unit="params", of=lambda work: work.account.layer_params)
    yield _line(block, "Parameters", loads)


def _component(key: str, name: str) -> Quantity:
    return Quantity(key=f"{key}_params", name=name, unit="params", of=lambda work: work.account[key].params)


def _line(quantity: Quantity, group: str, loads: Sequence[Workload]) -> Line:
    return Line(quantity=quantity, group=group, values=tuple(map(quantity.of, loads)))


def _cost_line(rows: tuple[Cost, ...]) -> Line:
    first = rows[0]
    return Line(
        quantity=first.quantity,
        group=first.group,
        values=tuple(row.value for row in rows),
        assumptions=tuple(row.assumptions for row in rows),
        source=first.source,
    )
