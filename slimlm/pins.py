"""Pins: up to eight models held side by side, each under a name, and their text in links.

A pin's text has its kind, then parts behind `~`, each a field and its value; what is at its default is left out:

    design~total_params-12.5M~ffn-gelu              a request, solved again when the link is opened
    shape~d_model-216~d_ff-544~n_layers-12          a concrete architecture
    model~SmolLM2-135M~name-the+usual+one           a published model, under a name of one's own

Nothing of it has to be escaped in a link but foreign letters in names.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache

from slimlm.accounting import count_total
from slimlm.architecture import Architecture
from slimlm.config import ModelConfig
from slimlm.design import Design
from slimlm.foreign import one_line
from slimlm.knobs import KNOBS, to_short_query, values_of
from slimlm.published import PublishedModel, published_model
from slimlm.solver import solve
from slimlm.specimen import Specimen, Subject, published_specimen
from slimlm.units import format_count, format_size, parse_size

MOST_PINS, LONGEST_NAME, LONGEST_TEXT = 8, 40, 1200
"""Most pins, and most characters of a name and of a whole pin in a link."""

FULL = f"{MOST_PINS} models are pinned, and there is room for no more: remove one on the Compare page"
"""Why a ninth is not taken."""

Held = ModelConfig | Architecture | PublishedModel
_REQUEST, _SHAPE, _MODEL = "design", "shape", "model"
_SEPARATOR = "~"


@dataclass(frozen=True)
class Pin:
    """A model under a name: a request, a concrete architecture, or a published model."""

    held: Held
    given_name: str = ""
    """A name of one's own; empty for the model's own name, or its size and shape."""

    @property
    def name(self) -> str:
        """What the model is called.

        >>> Pin(ModelConfig()).name, Pin(published_model("gpt2")).name, Pin(published_model("gpt2"), "older").name
        ('10.05M · 12 × 216', 'gpt2', 'older')
        """
        return self.given_name or _own_name(self.held)

    @cached_property
    def subject(self) -> Subject:
        """What charts and tables show of it; raises BudgetError for a request that no model meets."""
        if isinstance(self.held, ModelConfig):
            return _solved(self.held)
        if isinstance(self.held, PublishedModel):
            return replace(published_specimen(self.held), name=self.name)
        return Specimen(self.name, self.held, "Pinned")

    @property
    def architecture(self) -> Architecture:
        """The integers and choices of the model."""
        return self.subject.architecture

    def renamed(self, name: str) -> "Pin":
        """Return the pin under another name; without one, under the model's own.

        Raises BudgetError for a request that no model meets.
        """
        tidy = _tidy(name)
        return replace(self, given_name="" if tidy == _own_name(self.held) else tidy)


@lru_cache(maxsize=512)
def _solved(config: ModelConfig) -> Design:
    return solve(config)


def _own_name(held: Held) -> str:
    if isinstance(held, PublishedModel):
        return held.name
    arch = _solved(held).architecture if isinstance(held, ModelConfig) else held
    return f"{format_count(count_total(arch))} · {arch.n_layers:,} × {arch.d_model:,}"


def _tidy(name: str) -> str:
    """Return a name as one line of visible characters, without the one that separates parts of a pin."""
    return one_line(name.replace(_SEPARATOR, "-"), LONGEST_NAME)


def pin_of(subject: Subject | ModelConfig | PublishedModel, name: str = "") -> Pin:
    """Return the pin of a design or its request, of a specimen, or of a published model.

    A request is held with the digits that a link keeps. A specimen that is a published model is held as that.

    Raises BudgetError for a request that no model meets.
    """
    if isinstance(subject, Design):
        subject = subject.config
    if isinstance(subject, ModelConfig):
        return Pin(ModelConfig(**values_of(subject))).renamed(name)  # type: ignore[arg-type]
    if isinstance(subject, PublishedModel):
        return Pin(subject).renamed(name)
    return _of_specimen(subject).renamed(name or subject.name)


def _of_specimen(specimen: Specimen) -> Pin:
    try:
        model = published_model(specimen.name)
    except ValueError:
        return Pin(specimen.architecture)
    return Pin(model if model.architecture == specimen.architecture else specimen.architecture)


# In links.


def write_pin(pin: Pin) -> str:
    """Write a pin for a link.

    >>> write_pin(Pin(ModelConfig(total_params=12_500_000, ffn="gelu"), "plain"))
    'design~total_params-12.5M~ffn-gelu~name-plain'
    >>> write_pin(Pin(published_model("SmolLM2-135M")))
    'model~SmolLM2-135M'
    """
    if isinstance(pin.held, PublishedModel):
        parts = [_MODEL, pin.held.name]
    elif isinstance(pin.held, ModelConfig):
        parts = [_REQUEST, *_parts(to_short_query(values_of(pin.held)))]
    else:
        parts = [_SHAPE, *_parts(_shape_query(pin.held))]
    return _SEPARATOR.join([*parts, *_parts({"name": pin.given_name} if pin.given_name else {})])


def _parts(query: dict[str, str]) -> list[str]:
    return [f"{name}-{text}" for name, text in query.items()]


def _shape_query(arch: Architecture) -> dict[str, str]:
    values = {field.name: getattr(arch, field.name) for field in fields(arch)}
    implied = {name: field.default for name, field in _SHAPE_FIELDS.items()}
    implied |= {"n_kv_heads": arch.n_heads}
    if arch.head_dim * arch.n_heads == arch.d_model:
        implied["head_dim"] = arch.head_dim
    return {name: _write(value) for name, value in values.items() if value != implied[name]}


_SHAPE_FIELDS = {field.name: field for field in fields(Architecture)}


def _write(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return format_size(value)
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def read_pin(text: str) -> Pin:
    """Read a pin that `write_pin` has written.

    >>> read_pin("design~total_params-12.5M").architecture.n_layers
    9

    Raises ValueError, in one sentence, for text that is something else and for a model that cannot be.
    """
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"it has {len(text):,} characters and a pin has at most {LONGEST_TEXT:,}")
    kind, *parts = text.split(_SEPARATOR)
    if kind not in (_REQUEST, _SHAPE, _MODEL):
        raise ValueError(f"{kind[:40]!r} is no kind of pin: it must be design, shape or model")
    model = parts.pop(0) if kind == _MODEL and parts else ""
    given = dict(_split(part) for part in parts)
    name = given.pop("name", "")
    if kind == _MODEL:
        if given:
            raise ValueError(f"a published model has no fields to set, such as {min(given)[:40]!r}")
        return Pin(published_model(model[:80])).renamed(name)
    held = _read_request(given) if kind == _REQUEST else _read_shape(given)
    return Pin(held).renamed(name)


def _split(part: str) -> tuple[str, str]:
    name, dash, text = part.partition("-")
    if not dash:
        raise ValueError(f"{part[:40]!r} is no field and value; write one such as total_params-12.5M")
    return name, text


def _read_request(given: dict[str, str]) -> ModelConfig:
    _check_names(given, KNOBS)
    return ModelConfig(**{name: KNOBS[name].from_text(text) for name, text in given.items()})  # type: ignore[arg-type]


def _read_shape(given: dict[str, str]) -> Architecture:
    _check_names(given, _SHAPE_FIELDS)
    if missing := [name for name in ("d_model", "d_ff", "n_layers") if name not in given]:
        raise ValueError(f"a shape needs {', '.join(missing)}")
    return Architecture(**{name: _read(name, text) for name, text in given.items()})  # type: ignore[arg-type]


def _check_names(given: Iterable[str], known: Iterable[str]) -> None:
    if unknown := set(given) - set(known):
        raise ValueError(f"{min(unknown)[:40]!r} is no field of it")


def _read(name: str, text: str) -> object:
    default = _SHAPE_FIELDS[name].default
    if isinstance(default, bool):
        return KNOBS[name].read(text)
    if isinstance(default, str):
        return text
    try:
        return float(text) if isinstance(default, float) else parse_size(text)
    except ValueError as error:
        raise ValueError(f"{name}={text[:40]!r} is not a number") from error


@lru_cache(maxsize=64)
def read_pins(texts: tuple[str, ...]) -> tuple[tuple[Pin, ...], tuple[str, ...]]:
    """Read the pins of a link; return those that can be used, and a sentence for each that cannot.

    >>> read_pins(("model~gpt2", "shape~d_model-216"))[1]
    ('Pin 2 of the link is left out: a shape needs d_ff, n_layers.',)
    """
    pins: tuple[Pin, ...] = ()
    complaints = []
    for number, text in enumerate(texts[: 4 * MOST_PINS], start=1):
        try:
            pins = with_pin(pins, read_pin(text))
        except ValueError as error:
            complaints.append(f"Pin {number} of the link is left out: {error}.")
    return pins, tuple(complaints)


# Together.


def with_pin(pins: tuple[Pin, ...], pin: Pin) -> tuple[Pin, ...]:
    """Add a pin at the end, with a number behind its name where another has the same.

    Raises ValueError, in one sentence, for a ninth and for a model that is pinned already.
    """
    if known := pinned_as(pins, pin.architecture):
        raise ValueError(f"it is pinned already, as {known.name!r}")
    if len(pins) >= MOST_PINS:
        raise ValueError(FULL)
    return (*pins, _named_apart(pins, pin))


def pinned_as(pins: Iterable[Pin], architecture: Architecture) -> Pin | None:
    """Return the pin that holds an architecture."""
    return next((pin for pin in pins if pin.architecture == architecture), None)


def _named_apart(pins: tuple[Pin, ...], pin: Pin) -> Pin:
    taken = {other.name for other in pins}
    numbered = (f"{pin.name[: LONGEST_NAME - 4]} ({number})" for number in range(2, MOST_PINS + 2))
    return pin if pin.name not in taken else pin.renamed(next(name for name in numbered if name not in taken))


def without_pin(pins: tuple[Pin, ...], place: int) -> tuple[Pin, ...]:
    """Remove the pin at a place."""
    return pins[:place] + pins[place + 1 :]


def moved_pin(pins: tuple[Pin, ...], place: int, by: int) -> tuple[Pin, ...]:
    """Move the pin at a place up (−1) or down (1), as far as there is one to change places with."""
    order, other = list(pins), place + by
    if 0 <= other < len(order):
        order[place], order[other] = order[other], order[place]
    return tuple(order)


def renamed_pin(pins: tuple[Pin, ...], place: int, name: str) -> tuple[Pin, ...]:
    """Give the pin at a place another name, apart from the others'."""
    others = without_pin(pins, place)
    return (*pins[:place], _named_apart(others, pins[place].renamed(name)), *pins[place + 1 :])
