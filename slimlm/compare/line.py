"""Line: the values of one quantity for every model of a comparison, and their differences from a baseline's."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from slimlm.costs.quantity import Quantity
from slimlm.notes.note import format_number

Value = int | float | str | bool | None

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

        >>> from slimlm.costs.shape import SHAPE_QUANTITIES
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
