"""What would work instead of a request without a design: each change with what it gives."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from slimlm.core.config import ModelConfig
from slimlm.core.describe import shape_phrase
from slimlm.core.design import Design
from slimlm.notes.verdict import Weight, verdict
from slimlm.serialization.fields import KNOBS, Value, values_of
from slimlm.solver.solver import BudgetError, solve
from slimlm.utils.validation import FieldError


class Offer(NamedTuple):
    """A change of knobs, with what it gives where a design is known."""

    change: str
    values: Mapping[str, Value]
    design: Design | None

    @property
    def label(self) -> str:
        """The change and its shape: "Set n_kv_heads to 4: 13 layers × 216"."""
        if self.design is None:
            return f"Set {self.change}"
        arch = self.design.architecture
        return f"Set {self.change}: {shape_phrase(arch)}"


def offers(error: ValueError, asked: Mapping[str, Value]) -> list[Offer]:
    """Return the changes to the knobs `asked` that would work, each once; empty where none is known.

    A change that gives an absurd shape is replaced by what the verdict on it offers.
    """
    return list({offer.label: offer for offer in _offers(error, asked)}.values())


def _offers(error: ValueError, asked: Mapping[str, Value]) -> Iterator[Offer]:
    if isinstance(error, BudgetError):
        for suggestion in error.suggestions:
            yield _sound(_words(suggestion.field, suggestion.value), values_of(suggestion.config), asked)
    elif isinstance(error, FieldError):
        for name, value in error.remedies:
            yield _sound(_words(name, value), {name: value}, asked)


def _words(name: str, value: Value) -> str:
    return f"{name} to {'none' if value is None else KNOBS[name].display(value)}"


def _sound(change: str, values: Mapping[str, Value], asked: Mapping[str, Value]) -> Offer:
    """Return a change of knobs, mended where its design has an absurd shape."""
    with suppress(ValueError):
        design = solve(ModelConfig(**dict(asked) | dict(values)))  # type: ignore[arg-type]
        found = verdict(design)
        if found.weight == Weight.SHAPE and (remedy := found.remedy):
            return Offer(remedy.change, values_of(remedy.request), remedy.design)
        return Offer(change, values, design)
    return Offer(change, values, None)
