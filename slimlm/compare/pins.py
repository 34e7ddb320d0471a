"""Pins: up to eight named models to compare."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel, Subject
from slimlm.core.published import PublishedModel, published_model
from slimlm.serialization.fields import values_of
from slimlm.serialization.links import SEPARATOR
from slimlm.solver.solver import solve
from slimlm.utils.formatting import format_count
from slimlm.utils.text import one_line

MOST_PINS, LONGEST_NAME = 8, 40
"""Largest number of pins, and of characters in a name."""

FULL = f"{MOST_PINS} models are pinned, which is the limit: remove one on the Compare page"
"""Error message for a ninth pin."""

Held = ModelConfig | Architecture | PublishedModel


@dataclass(frozen=True)
class Pin:
    """A named model: a request, a concrete architecture, or a published model."""

    held: Held
    given_name: str = ""
    """A name set by the user; empty for the published name, or for size and shape."""
    remarks: tuple[str, ...] = ()
    """Of an architecture that was read from a config: how it was read, what was not read, what slimlm lacks."""

    @property
    def name(self) -> str:
        """Display name.

        >>> Pin(ModelConfig()).name, Pin(published_model("gpt2")).name, Pin(published_model("gpt2"), "older").name
        ('10.05M · 12 × 216', 'gpt2', 'older')
        """
        return self.given_name or _own_name(self.held)

    @cached_property
    def subject(self) -> Subject:
        """The design or named model; raises BudgetError for a request that no model meets."""
        if isinstance(self.held, ModelConfig):
            return _solved(self.held)
        if isinstance(self.held, PublishedModel):
            return self.held.renamed(self.name) if self.given_name else self.held
        return NamedModel(self.name, self.held, "Pinned", self.remarks)

    @property
    def named_model(self) -> NamedModel:
        """The model under the name of the pin; raises BudgetError for a request that no model meets."""
        found = self.subject
        return found if isinstance(found, NamedModel) else NamedModel(self.name, found.architecture, "Pinned")

    @property
    def architecture(self) -> Architecture:
        """The architecture of the model."""
        return self.subject.architecture

    def renamed(self, name: str) -> "Pin":
        """Return the pin with another name; an empty one restores the default name.

        Raises BudgetError for a request that no model meets.
        """
        tidy = _tidy(name)
        return replace(self, given_name="" if tidy == _own_name(self.held) else tidy)


@lru_cache(maxsize=512)
def _solved(config: ModelConfig) -> Design:
    return solve(config)


@lru_cache(maxsize=512)
def _own_name(held: Held) -> str:
    if isinstance(held, PublishedModel):
        return held.name
    arch = _solved(held).architecture if isinstance(held, ModelConfig) else held
    return f"{format_count(count_total(arch))} · {arch.n_layers:,} × {arch.d_model:,}"


def _tidy(name: str) -> str:
    """Return a name as one line of visible characters, without the separator."""
    return one_line(name.replace(SEPARATOR, "-"), LONGEST_NAME)


def pin_of(subject: Subject | ModelConfig | PublishedModel, name: str = "") -> Pin:
    """Return the pin of a design or its request, of a named model, or of a published model.

    A request is rounded to the digits that a link keeps. A named model that equals a published model becomes that.

    Raises BudgetError for a request that no model meets.
    """
    if isinstance(subject, Design):
        subject = subject.config
    if isinstance(subject, ModelConfig):
        return Pin(ModelConfig(**values_of(subject))).renamed(name)  # type: ignore[arg-type]
    if isinstance(subject, PublishedModel):
        return Pin(subject).renamed(name)
    return _of_named_model(subject).renamed(name or subject.name)


def _of_named_model(named_model: NamedModel) -> Pin:
    try:
        model = published_model(named_model.name)
    except ValueError:
        return Pin(named_model.architecture, remarks=named_model.remarks)
    if model.architecture == named_model.architecture and not named_model.remarks:
        return Pin(model)
    return Pin(named_model.architecture, remarks=named_model.remarks)


def with_pin(pins: tuple[Pin, ...], pin: Pin) -> tuple[Pin, ...]:
    """Append a pin, with a number after its name if the name is taken.

    Raises ValueError for a ninth pin and for a model that is already pinned.
    """
    if known := pinned_as(pins, pin.architecture):
        raise ValueError(f"it is already pinned as {known.name!r}")
    if len(pins) >= MOST_PINS:
        raise ValueError(FULL)
    return (*pins, _named_apart(pins, pin))


def pinned_as(pins: Iterable[Pin], architecture: Architecture) -> Pin | None:
    """Return the pin of an architecture, or None."""
    return next((pin for pin in pins if pin.architecture == architecture), None)


def _named_apart(pins: tuple[Pin, ...], pin: Pin) -> Pin:
    taken = {other.name for other in pins}
    numbered = (f"{pin.name[: LONGEST_NAME - 4]} ({number})" for number in range(2, MOST_PINS + 2))
    return pin if pin.name not in taken else pin.renamed(next(name for name in numbered if name not in taken))


def without_pin(pins: tuple[Pin, ...], place: int) -> tuple[Pin, ...]:
    """Remove the pin at an index."""
    return pins[:place] + pins[place + 1 :]


def moved_pin(pins: tuple[Pin, ...], place: int, by: int) -> tuple[Pin, ...]:
    """Move the pin at an index up (−1) or down (1); the first stays first and the last stays last."""
    order, other = list(pins), place + by
    if 0 <= other < len(order):
        order[place], order[other] = order[other], order[place]
    return tuple(order)


def renamed_pin(pins: tuple[Pin, ...], place: int, name: str) -> tuple[Pin, ...]:
    """Rename the pin at an index, with a number if the name is taken."""
    others = without_pin(pins, place)
    return (*pins[:place], _named_apart(others, pins[place].renamed(name)), *pins[place + 1 :])
